"""Starting and stopping an engine: a fake `vllm` on PATH that really serves."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import aiohttp
import pytest

from controlplane.adapters.engine_process import EngineError, EngineProcess

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def fake_vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `vllm` that is the server of these tests; its pid is written where it can be looked for."""
    program = tmp_path / "bin" / "vllm"
    program.parent.mkdir()
    pid = tmp_path / "pid"
    program.write_text(
        f"#!{sys.executable}\nimport os, sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        f"open({str(pid)!r}, 'w').write(str(os.getpid()))\n"
        "from tests.adapters.sse_server import main\nmain()\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return pid


def alive(pid: Path) -> bool:
    try:
        os.kill(int(pid.read_text()), 0)
    except ProcessLookupError:
        return False
    return True


def engine(*arguments: str, start_timeout_s: float = 20.0, term_s: float = 5.0) -> EngineProcess:
    return EngineProcess("tiny", arguments, start_timeout_s, lambda line: None, term_s)


async def test_it_serves_inside_and_is_gone_outside(fake_vllm: Path) -> None:
    async with engine() as running:
        assert alive(fake_vllm)
        async with aiohttp.ClientSession() as session, session.get(f"{running.url}/v1/models") as response:
            assert (await response.json())["data"] == [{"id": "tiny"}]
    assert not alive(fake_vllm)


async def test_one_that_ignores_sigterm_is_killed(fake_vllm: Path) -> None:
    async with engine("--deaf", term_s=0.2):
        assert alive(fake_vllm)
    assert not alive(fake_vllm)


async def test_one_that_dies_says_what_it_said(fake_vllm: Path) -> None:
    with pytest.raises(EngineError, match=r"vllm ended with 3; it said:\nValueError: no such model"):
        async with engine("--dies"):
            raise AssertionError("never healthy")
    assert not alive(fake_vllm)


async def test_one_that_never_becomes_healthy_is_stopped(fake_vllm: Path) -> None:
    with pytest.raises(EngineError, match=r"not healthy after --start-timeout 1\.5 s"):
        async with engine("--sick", start_timeout_s=1.5):
            raise AssertionError("never healthy")
    assert not alive(fake_vllm)


async def test_without_vllm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match=r"vllm is not installed; allowed: pip install 'tidegate\[vllm\]'"):
        async with engine():
            raise AssertionError("never started")
