"""How long it takes to fetch and read the pages of many replicas: `python -m benchmarks.scrape [REPLICAS] [PAGE]`.

Every replica is an address of this host's own (127.x.y.z), behind them one server in a process of its own that answers
with the same page (vLLM 0.32's of ../shared/engines under load), so that what is measured is the scraper, its
connections and the reader; the one server, in life as many as there are replicas, takes a part of the time.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from dataclasses import replace
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path

from aiohttp import web

from controlplane.adapters.clock import WallClock
from controlplane.adapters.http_scraper import HttpScraper
from controlplane.domain.observation import Replica, ReplicaPhase
from controlplane.observing import read_page
from controlplane.simulation.scenario import load_scenario

PAGE = Path(__file__).resolve().parents[1] / ".." / "shared" / "engines" / "vllm-0.32-under-load.metrics.txt"
TICKS = 7


def serve(body: bytes, started: Connection) -> None:
    """Answer with the page until killed; tells its port."""

    async def main() -> None:
        async def page(_: web.Request) -> web.Response:
            return web.Response(body=body, content_type="text/plain")

        application = web.Application()
        application.router.add_get("/metrics", page)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "0.0.0.0", 0, backlog=1024).start()
        started.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(main())


async def measure(count: int, port: int) -> None:
    """Print the times of one tick's pages."""
    target = load_scenario("chat-8b").targets[0]
    target = replace(target, metrics=replace(target.metrics, port=port))
    hosts = [f"127.1.{n // 250}.{n % 250 + 1}" for n in range(count)]
    replicas = [Replica(f"r{n}", "h100", ReplicaPhase.READY, 0.0, 0.0, host) for n, host in enumerate(hosts)]
    fetched, read = [], []
    async with HttpScraper(WallClock(), timeout_s=10.0) as scraper:
        for _ in range(TICKS):
            began = time.perf_counter()
            pages = await scraper.scrape(target, replicas)
            fetched.append(time.perf_counter() - began)
            samples = [read_page(page.body or b"", page.replica, page.variant, page.at_s) for page in pages]
            read.append(time.perf_counter() - began - fetched[-1])
            assert not any(sample.faults for sample in samples), samples[0].faults
    print(f"{count} replicas, {TICKS} ticks; median (slowest)")
    for name, times in (("fetch", fetched), ("read", read)):
        print(f"  {name:6} {1e3 * statistics.median(times):7.0f} ms ({1e3 * max(times):.0f} ms)")


def main(count: int, page: Path) -> None:
    """Serve, measure, and stop."""
    ours, theirs = Pipe()
    server = Process(target=serve, args=(page.read_bytes(), theirs), daemon=True)
    server.start()
    try:
        asyncio.run(measure(count, ours.recv()))
    finally:
        server.kill()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500, Path(sys.argv[2]) if len(sys.argv) > 2 else PAGE)
