"""`tidegate fit`, as typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from controlplane.cli import app
from tests.planning import configs

RUN = CliRunner()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "gpt-oss-120b"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(configs.GPT_OSS_120B), encoding="utf-8")
    return folder


def fails(arguments: list[str]) -> str:
    result = RUN.invoke(app, arguments)
    assert isinstance(result.exception, ValueError), result.output
    return str(result.exception)


def test_a_catalog_name_on_every_accelerator() -> None:
    result = RUN.invoke(app, ["fit", "llama-3.1-8b"])
    assert result.exit_code == 0, result.output
    assert "8.03B parameters, bf16" in result.output
    for name in ("L4", "A100-40", "H100", "B300", "GB200", "MI300X"):
        assert f"\n{name} " in result.output
    assert "cheapest: " in result.output


def test_a_folder_with_a_config_names_the_model_after_the_folder(config: Path) -> None:
    result = RUN.invoke(app, ["fit", str(config), "--accelerator", "h100", "--tp", "1,2"])
    assert result.exit_code == 0, result.output
    assert "gpt-oss-120b: 116.79B parameters, 5.13B active, mxfp4 experts" in result.output
    assert result.output.count("\nH100 ") == 2


def test_json_has_every_row_and_a_price_that_was_given(config: Path) -> None:
    arguments = ["fit", str(config / "config.json"), "--json", "--price", "H100=1.25", "--tp", "2", "--kv-dtype", "fp8"]
    document = json.loads(RUN.invoke(app, arguments).output)
    (row,) = [row for row in document["rows"] if row["accelerator"] == "H100"]
    assert row["usd_per_hour"] == 2.5
    assert document["model"]["kv_bytes_per_element"] == 1.0
    assert document["slo"] == {"ttft_s": 2.0, "tpot_s": 0.1}


def test_lora_slots_are_in_the_table_and_in_json() -> None:
    shown = RUN.invoke(app, ["fit", "llama-3.1-8b", "--accelerator", "H100", "--tp", "1", "--max-loras", "4"]).output
    assert "LoRA: 4 x rank 16, every request with an adapter; steps 13% longer" in shown
    (line,) = [line for line in shown.splitlines() if line.startswith("H100 ")]
    assert line.split()[:6] == ["H100", "1", "cheapest", "16.1", "0.37", "131072"]
    arguments = ["fit", "llama-3.1-8b", "--accelerator", "H100", "--tp", "1", "--lora-rank", "64", "--json"]
    document = json.loads(RUN.invoke(app, arguments).output)
    assert document["lora"] == {"max_loras": 1, "max_lora_rank": 64, "step_share": 0.13}
    assert document["rows"][0]["lora_bytes"] == pytest.approx(64 * 2.0 * (81920 * 32 + 2 * (128256 + 4096)))


def test_without_lora_nothing_is_said_of_it() -> None:
    plain = ["fit", "llama-3.1-8b", "--accelerator", "H100", "--tp", "1"]
    assert "LoRA" not in RUN.invoke(app, plain).output
    assert "LORA" not in RUN.invoke(app, plain).output
    document = json.loads(RUN.invoke(app, [*plain, "--json"]).output)
    assert (document["lora"], document["rows"][0]["lora_bytes"]) == (None, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["llama-9"], "MODEL is 'llama-9'; allowed: a config.json, a folder with one, or one of llama-3.1-8b"),
        (["llama-3.1-8b", "--accelerator", "H101"], "--accelerator is 'H101'; allowed: L4, A10G"),
        (["llama-3.1-8b", "--price", "H100=cheap"], "--price is 'H100=cheap'; allowed: NAME=USD"),
        (["llama-3.1-8b", "--price", "H100=-1"], "--price is -1.0; allowed: a finite number above 0"),
        (["llama-3.1-8b", "--tp", "1,x"], "--tp is '1,x'; allowed: integers"),
        (["llama-3.1-8b", "--ttft", "nan"], "--ttft is nan; allowed: a finite number above 0"),
        (["llama-3.1-8b", "--osl", "0"], "--osl is 0; allowed: an integer of 1 or more"),
        (["llama-3.1-8b", "--kv-dtype", "int2"], "--kv-dtype is 'int2'; allowed: auto, bf16, fp8"),
        (["llama-3.1-8b", "--max-loras", "0"], "--max-loras is 0; allowed: an integer of 1 or more"),
        (["llama-3.1-8b", "--lora-rank", "24"], "--lora-rank is 24; allowed: 1, 8, 16, 32, 64, 128, 256, 320, 512"),
    ],
)
def test_what_cannot_be_used_is_named(arguments: list[str], message: str) -> None:
    assert message in fails(["fit", *arguments])


def test_a_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    assert "config.json is not JSON" in fails(["fit", str(tmp_path)])
