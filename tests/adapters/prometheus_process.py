"""A real Prometheus for tests: its own folder, its own port, gone at the end."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

START_S = 15.0


def binaries() -> tuple[str, str]:
    """Paths of prometheus and promtool; skips where they are not there."""
    found = [shutil.which(name) for name in ("prometheus", "promtool")]
    if None in found:
        pytest.skip("no prometheus and promtool on PATH: nothing to test against (apt-get install prometheus)")
    return str(found[0]), str(found[1])


def backfill(folder: Path, open_metrics: str) -> None:
    """Put samples of the past into the server's storage before it is started."""
    _, promtool = binaries()
    page = folder / "past.om"
    page.write_text(open_metrics, encoding="utf-8")
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(page), str(folder / "data")]
    subprocess.run(command, check=True, capture_output=True)


@asynccontextmanager
async def prometheus(folder: Path, targets: Sequence[tuple[int, Mapping[str, str]]]) -> AsyncIterator[str]:
    """Scrape those ports of this host, with those labels, every second; gives the URL once it is ready."""
    binary, _ = binaries()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    jobs = [{"targets": [f"127.0.0.1:{there}"], "labels": dict(labels)} for there, labels in targets]
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [{"job_name": "engines", "static_configs": jobs}]}
    (folder / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        binary,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        await asyncio.wait_for(_ready(url), START_S)
        yield url
    finally:
        process.kill()
        await process.wait()


async def _ready(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"{url}/-/ready") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
