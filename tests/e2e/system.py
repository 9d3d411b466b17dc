"""The whole, as `make run` starts it: a `tidegate up` of a test's own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from controlplane.embedded.children import free_port

TIMEOUT_S = 120.0


class System:
    """One data directory; `start` and `stop` as often as a test likes."""

    def __init__(self, *flags: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="tidegate-e2e-", dir="/tmp"))
        self.directory.chmod(0o755)
        self.data_dir = self.directory / "data"
        self.port = free_port()
        self._flags = flags
        self.process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """The web UI."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        """What it has printed."""
        return (self.directory / "output").read_text()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `tidegate` beside it."""
        environment = {**os.environ, "TIDEGATE_DATA_DIR": str(self.data_dir)}
        return subprocess.run(
            [sys.executable, "-m", "controlplane.cli", *arguments],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )

    def start(self) -> None:
        """Start it and wait until it says where it is."""
        flags = ["--port", str(self.port), "--data-dir", str(self.data_dir), *self._flags]
        before = len(self.output) if (self.directory / "output").exists() else 0
        with (self.directory / "output").open("a") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "controlplane.cli", "up", *flags],
                stdout=output,
                stderr=output,
                text=True,
                start_new_session=True,
            )
        self.until(lambda: f"ready: {self.url}" in self.output[before:], "it is ready")

    def stop(self) -> int:
        """Ctrl-C; its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def end(self) -> None:
        """Stop it and forget its data."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def get(self, path: str) -> Any:
        """The JSON that the API answers with."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def send(self, method: str, path: str, body: dict[str, Any] | None = None, etag: str = "") -> Any:
        """The JSON that the API answers a write with."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        if etag:
            headers["If-Match"] = etag
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    @property
    def token(self) -> str:
        """The API token that lies beside it."""
        return str(json.loads((self.data_dir / "run" / "connection.json").read_text())["token"])

    @property
    def login_link(self) -> str:
        """A fresh one-time link."""
        return self.command("login-link", "--url", self.url).stdout.strip()

    def until(self, holds: Callable[[], object], what: str, timeout_s: float = TIMEOUT_S) -> None:
        """Wait for something; what it says and its logs are in the error."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                if holds():
                    return
            except OSError:
                pass  # the API is on its way
            if self.process is not None and self.process.poll() is not None:
                break
            time.sleep(0.2)
        raise AssertionError(f"waited in vain until {what}\n{self.output}\n{self._logs()}")

    def ticks(self, target: str = "chat") -> list[dict[str, Any]]:
        """A target's newest decisions."""
        page = self.get(f"/api/v1/targets/default/{target}/ticks?limit=500")
        return list(page["items"])

    def children(self) -> dict[str, int]:
        """Pids by the name of the child."""
        listed = json.loads((self.data_dir / "run" / "children.json").read_text())
        return {name: int(entry["pid"]) for name, entry in listed.items()}

    def alive(self) -> Sequence[str]:
        """Processes that have to do with this data directory or port."""
        lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
        wanted = re.compile(rf"{re.escape(str(self.data_dir))}|--port {self.port}\b")
        return [line for line in lines if wanted.search(line)]

    def _logs(self) -> str:
        texts = []
        for path in sorted((self.data_dir / "logs").glob("*.log")):
            texts.append(f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-15:]))
        return "\n".join(texts)
