"""Starts an engine (`vllm serve MODEL`) as a child process, waits until it is healthy, and stops it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import aiohttp

from controlplane.adapters.clock import monotonic_s

PROGRAM = "vllm"
HOST = "127.0.0.1"
POLL_S = 0.25
"""Between two looks at /health: short beside any engine's start."""
TERM_S = 20.0
"""From SIGTERM to SIGKILL: vLLM ends its workers in a few seconds."""
LAST_LINES = 15
"""Of the engine's output that are shown when it dies."""


class EngineError(ValueError):
    """An engine that did not start; the message says what it said last."""


class EngineProcess:
    """Use as an async context manager: healthy inside, stopped outside, its output in a temporary file."""

    def __init__(
        self,
        model: str,
        arguments: Sequence[str],
        start_timeout_s: float,
        told: Callable[[str], None],
        term_s: float = TERM_S,
    ) -> None:
        self._model = model
        self._arguments = list(arguments)
        self._start_timeout_s = start_timeout_s
        self._term_s = term_s
        self._told = told
        self._process: asyncio.subprocess.Process | None = None
        self._log = Path(os.devnull)
        self.url = ""

    async def __aenter__(self) -> EngineProcess:
        program = shutil.which(PROGRAM)
        if program is None:
            raise EngineError(f"{PROGRAM} is not installed; allowed: pip install 'tidegate[vllm]', or a server's URL")
        port = _free_port()
        self.url = f"http://{HOST}:{port}"
        handle, name = tempfile.mkstemp(prefix="tidegate-engine-", suffix=".log")
        self._log = Path(name)
        try:
            # A group of its own, so that the engine's workers are stopped with it and Ctrl-C reaches it through us.
            self._process = await asyncio.create_subprocess_exec(
                program,
                *("serve", self._model, "--host", HOST, "--port", str(port)),
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=handle,
                stderr=handle,
                start_new_session=True,
            )
        finally:
            os.close(handle)
        self._told(f"starting {PROGRAM} serve {self._model} on {self.url}")
        try:
            await self._healthy()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _healthy(self) -> None:
        assert self._process is not None
        deadline_s = monotonic_s() + self._start_timeout_s
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5.0)) as session:
            while not await _answers(session, f"{self.url}/health"):
                if self._process.returncode is not None:
                    raise EngineError(
                        f"{PROGRAM} ended with {self._process.returncode}; it said:\n{self._last_lines()}"
                    )
                if monotonic_s() > deadline_s:
                    raise EngineError(
                        f"{PROGRAM} is not healthy after --start-timeout {self._start_timeout_s:g} s; "
                        f"it said:\n{self._last_lines()}"
                    )
                await asyncio.sleep(POLL_S)
        self._told("the engine is healthy")

    async def _stop(self) -> None:
        process = self._process
        if process is None:
            return
        _signal_group(process.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), self._term_s)
        except TimeoutError:
            self._told(f"the engine did not stop in {self._term_s:g} s: killed")
        # Also where the parent is gone: a worker that outlives it would hold the GPU's memory.
        _signal_group(process.pid, signal.SIGKILL)
        await process.wait()
        self._process = None
        self._log.unlink(missing_ok=True)

    def _last_lines(self) -> str:
        text = self._log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-LAST_LINES:]) or "(nothing)"


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def _signal_group(leader: int, number: signal.Signals) -> None:
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
