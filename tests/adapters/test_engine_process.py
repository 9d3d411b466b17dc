"""Starting and stopping an engine: a fake `vllm` on PATH that really serves."""

from __future__ import annotations

import os
from pathlib import Path

import aiohttp
import pytest

from controlplane.adapters.engine_process import EngineError, EngineProcess
from tests.adapters.sse_server import alive, fake_vllm


@pytest.fixture
def pid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake `vllm` on PATH, and the file that it writes its process id to."""
    fake_vllm(tmp_path, tmp_path / "pid")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "pid"


def engine(*arguments: str, start_timeout_s: float = 20.0, term_s: float = 5.0) -> EngineProcess:
    return EngineProcess("tiny", arguments, start_timeout_s, lambda line: None, term_s)


async def test_it_serves_inside_and_is_gone_outside(pid: Path) -> None:
    async with engine() as running:
        assert alive(pid)
        async with aiohttp.ClientSession() as session, session.get(f"{running.url}/v1/models") as response:
            assert (await response.json())["data"] == [{"id": "tiny"}]
    assert not alive(pid)


async def test_one_that_ignores_sigterm_is_killed(pid: Path) -> None:
    async with engine("--deaf", term_s=0.2):
        assert alive(pid)
    assert not alive(pid)


async def test_one_that_dies_says_what_it_said(pid: Path) -> None:
    with pytest.raises(EngineError, match=r"vllm ended with 3; it said:\nValueError: no such model"):
        async with engine("--dies"):
            raise AssertionError("never healthy")
    assert not alive(pid)


async def test_one_that_never_becomes_healthy_is_stopped(pid: Path) -> None:
    with pytest.raises(EngineError, match=r"not healthy after --start-timeout 1\.5 s"):
        async with engine("--sick", start_timeout_s=1.5):
            raise AssertionError("never healthy")
    assert not alive(pid)


async def test_without_vllm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match=r"vllm is not installed; allowed: pip install 'tidegate\[vllm\]'"):
        async with engine():
            raise AssertionError("never started")
