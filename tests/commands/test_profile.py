"""`tidegate profile`, as typed: against a real server, a launched one, and files of other tools."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controlplane.cli import app
from controlplane.observing.benchmarks import read_benchmarks
from controlplane.planning.load_run import WORDS
from tests.adapters.sse_server import Behaviour, alive, fake_vllm, serving
from tests.observing.test_benchmarks import AIPERF, GUIDELLM, VLLM
from tests.planning import configs

RUN = CliRunner()
ROOT = Path(__file__).resolve().parents[2]
QUICK = ["--isl", "32", "--osl", "5", "--duration", "0.5", "--rates", "20,40", "--ttft", "0.5", "--tpot", "0.2"]


def fails(*arguments: str) -> str:
    result = RUN.invoke(app, ["profile", *arguments])
    assert isinstance(result.exception, ValueError), result.output
    return str(result.exception)


@pytest.fixture
def results(tmp_path: Path) -> list[str]:
    """One file of each tool, as `--import` options."""
    options: list[str] = []
    for name, document in (("vllm.json", VLLM), ("benchmarks.json", GUIDELLM), ("aiperf.json", AIPERF)):
        (tmp_path / name).write_text(json.dumps(document), encoding="utf-8")
        options += ["--import", str(tmp_path / name)]
    return options


def test_a_server_at_given_rates(tmp_path: Path) -> None:
    out = tmp_path / "runs.json"
    with serving(Behaviour()) as url:
        result = RUN.invoke(app, ["profile", url, *QUICK, "--json", str(out)])
    assert result.exit_code == 0, result.output
    assert "goodput" in result.output
    runs = read_benchmarks(out.read_text(), "runs.json")
    assert [run.rate_rps for run in runs] == [20.0, 40.0]
    assert all(run.output_tokens == 5 for run in runs)


@pytest.fixture
def engine_pid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake `vllm` on PATH, and the file that it writes its pid to."""
    fake_vllm(tmp_path, tmp_path / "pid")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "pid"


def test_a_launched_engine(engine_pid: Path) -> None:
    result = RUN.invoke(app, ["profile", "--launch", "some/model", *QUICK])
    assert result.exit_code == 0, result.output
    assert "starting vllm serve some/model" in result.output
    assert "goodput" in result.output
    assert not alive(engine_pid)


def test_sigterm_stops_what_was_launched(engine_pid: Path) -> None:
    command = [sys.executable, "-m", "controlplane.cli", "profile", "--launch", "m", *QUICK, "--duration", "60"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert any("warming up" in line for line in iter(process.stderr.readline, ""))
    assert alive(engine_pid)
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert not alive(engine_pid)


def test_imported_results_in_one_table(results: list[str]) -> None:
    result = RUN.invoke(app, ["profile", *results])
    assert result.exit_code == 0, result.output
    rows = [line.split()[0] for line in result.output.splitlines() if line[:1].islower()]
    assert rows == ["vllm", "guidellm", "guidellm", "aiperf"]
    assert "pareto" in result.output


def test_imported_results_give_the_cost_of_a_step(results: list[str]) -> None:
    result = RUN.invoke(app, ["profile", *results, "--config", "llama-3.1-8b", "--accelerator", "H100"])
    assert result.exit_code == 0, result.output
    assert "step cost from 3 equations" in result.output
    assert "d (a token of context) = " in result.output


def test_too_few_results_say_so(results: list[str]) -> None:
    result = RUN.invoke(app, ["profile", *results[:2], "--config", "llama-3.1-8b", "--accelerator", "H100"])
    assert "step cost: not fitted, 1 runs give 1 equations; allowed: at least 3" in result.output


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="the extra `plot` is not installed")
@pytest.mark.parametrize(("name", "magic"), [("p.png", b"\x89PNG"), ("p.svg", b"<?xml")])
def test_the_pareto_picture(results: list[str], tmp_path: Path, name: str, magic: bytes) -> None:
    result = RUN.invoke(app, ["profile", *results, "--plot", str(tmp_path / name)])
    assert result.exit_code == 0, result.output
    assert (tmp_path / name).read_bytes().startswith(magic)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "0 sources are given; allowed: one of URL, --launch MODEL and --import FILE"),
        (["http://h:1", "--launch", "m"], "2 sources are given"),
        (["http://h:1", "--isl", "0"], "--isl is 0; allowed: an integer of 1 or more"),
        (["http://h:1", "--duration", "inf"], "--duration is inf; allowed: a finite number above 0"),
        (["http://h:1", "--attainment", "2"], "--attainment is 2.0; allowed: above 0, up to 1"),
        (["http://h:1", "--bisect", "--rates", "1"], "--bisect and --rates 1 are both given"),
        (["http://h:1", "--json", "/nowhere/x.json"], "--json is '/nowhere/x.json'; allowed: a file in a directory"),
        (["http://h:1", "--plot", "x.gif"], "--plot is 'x.gif'; allowed: a .svg, .png, .pdf file"),
        (["http://h:1", "--accelerator", "H100"], "--config and --accelerator are given one without the other"),
        (["--import", "absent.json"], "--import is 'absent.json'; allowed: a file"),
    ],
)
def test_what_cannot_be_used_is_named(arguments: list[str], message: str) -> None:
    assert message in fails(*arguments)


def test_rates_that_are_no_numbers_are_named() -> None:
    with serving(Behaviour()) as url:
        assert "--rates is '1,fast'; allowed: numbers above 0" in fails(url, *QUICK, "--rates", "1,fast")


@pytest.mark.skipif(shutil.which("vllm") is None, reason="the extra `vllm` is not installed")
def test_the_real_engine_on_a_tiny_random_model(tmp_path: Path) -> None:
    """Needs `pip install 'tidegate[vllm]'`, of which the CPU build is enough. Minutes on a small machine."""
    make_tiny_model(tmp_path / "tiny")
    engine = [f"--engine-arg={argument}" for argument in ("--load-format=dummy", "--enforce-eager", "--dtype=bfloat16")]
    options = ["--ttft", "30", "--tpot", "5", "--rates", "2", "--duration", "5", "--start-timeout", "500"]
    out = tmp_path / "runs.json"
    arguments = ["--isl", "32", "--osl", "8", *engine, *options, "--json", str(out)]
    result = RUN.invoke(app, ["profile", "--launch", str(tmp_path / "tiny"), *arguments])
    assert result.exit_code == 0, f"{result.output}\n{result.exception}"
    (run,) = read_benchmarks(out.read_text(), "runs.json")
    assert run.failed == 0
    assert (run.input_tokens, run.output_tokens) == (32, 8)
    assert run.attainment == 1.0


def make_tiny_model(folder: Path) -> None:
    """A Llama of two layers whose weights the engine makes up, and a tokenizer of one token a word."""
    folder.mkdir()
    words = {word: number for number, word in enumerate(["<unk>", "</s>", *WORDS])}
    config = configs.LLAMA_8B | {
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "vocab_size": 128,
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5,
        "bos_token_id": 1,
        "eos_token_id": 1,
    }
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": words, "unk_token": "<unk>"},
    }
    kind = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>", "eos_token": "</s>"}
    for name, document in (("config", config), ("tokenizer", tokenizer), ("tokenizer_config", kind)):
        (folder / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
