"""How smooth the fleet page is with 500 targets: `python -m benchmarks.web_fleet [TARGETS]`.

A stub of the API, served by the benchmark itself with the built web UI, answers with that many targets, and sends a
tick's event twice a second. Debian's Chromium, without a GPU, then scrolls through the rows, types into the filter and
waits for live updates; printed are the times between frames, from a key to the rows that it leaves, the longest tasks,
the rows in the page, and the first load's JavaScript. A desk's browser is faster.
"""

from __future__ import annotations

import gzip
import json
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Response

from tests.e2e.browser import launch_browser

DIST = Path(__file__).resolve().parents[1] / "web" / "dist"
NOW_S = 1_767_600_000.0
TICK_S = 0.5
"""Real seconds between ticks: 500 targets on a 15 s interval make 33 a second, of which the page reads one a second."""
MOST_JS_KB = 300.0
"""What the first load may weigh, kB of JavaScript, gzipped."""
MODELS = ("llama-3.1-8b", "llama-3.1-70b-fp8", "qwen3-32b", "mistral-7b")
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
WATCH = """() => { window.frames_ms = []; window.tasks_ms = []; let last = performance.now();
  const next = now => { window.frames_ms.push(now - last); last = now; requestAnimationFrame(next); };
  requestAnimationFrame(next);
  new PerformanceObserver(list => list.getEntries().forEach(e => window.tasks_ms.push(e.duration)))
    .observe({entryTypes: ["longtask"]}); }"""
SCROLL = """async () => { for (let i = 0; i < 120; i++) { window.scrollBy(0, 240);
  await new Promise(requestAnimationFrame); } }"""
TYPE = """async ([word, shown]) => { const input = document.querySelector('input[aria-label="search targets"]');
  const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set; const taken = [];
  for (let i = 1; i <= word.length; i++) { const began = performance.now(); set.call(input, word.slice(0, i));
    input.dispatchEvent(new Event("input", {bubbles: true}));
    await new Promise(done => requestAnimationFrame(() => setTimeout(done))); taken.push(performance.now() - began); }
  const began = performance.now(); const wanted = () => shown === null ||
    document.querySelector('[role="table"]')?.getAttribute("aria-rowcount") === String(shown + 1);
  while (!wanted() && performance.now() - began < 5000) await new Promise(requestAnimationFrame);
  return [taken, performance.now() - began]; }"""


def variant(i: int, name: str, accelerator: str) -> dict[str, Any]:
    """One variant; every seventh target is growing."""
    desired = 1 + i % 5
    return {
        "name": name,
        "role": "Both",
        "accelerator": accelerator,
        "gpus_per_replica": 1,
        "capacity_type": "OnDemand",
        "usd_per_replica_hour": 4.0,
        "min_replicas": 0,
        "max_replicas": 20,
        "desired": desired,
        "ready": desired - (1 if i % 7 == 0 else 0),
        "pending": 1 if i % 7 == 0 else 0,
        "capacity_rps": 9.1,
        "cold_start_s": 180.0,
        "cold_start_stages": None,
    }


def target(i: int, turn: int) -> dict[str, Any]:
    """One target; some lose their SLO, some have faults. Its load moves with every turn."""
    rate = 5.0 + (i * 7 + turn * 3) % 40
    return {
        "namespace": f"team-{i % 12:02d}",
        "name": f"model-{i:03d}",
        "model": MODELS[i % len(MODELS)],
        "group": f"team-{i % 12:02d}",
        "mode": ("Live", "Live", "Shadow", "Off")[i % 4],
        "slo": {"ttft_s": 2.0, "tpot_s": 0.1, "attainment": 0.99},
        "verdict": ("hold", "up", "hold", "down", "abstain")[i % 5],
        "reason": f"hold: {rate:.2f} requests/s expected at the peak, h100 and l40s carry {rate * 1.3:.2f}",
        "tick_id": f"00000000-0000-7000-8000-{i:012d}",
        "at_s": NOW_S + turn,
        "requests_per_s": rate,
        "forecast_requests_per_s": rate * 1.2,
        "waiting": i % 3,
        "running": 40,
        "kv_usage": 0.4,
        "attainment": 0.95 if i % 23 == 0 else 0.998,
        "attainment_day": 0.996,
        "usd_per_hour": 9.9 + i % 30,
        "variants": [variant(i, "h100", "H100"), variant(i + 1, "l40s", "L40S")],
        "sparkline_rps": [rate + (k * i) % 9 for k in range(60)],
        "sparkline_usd_per_hour": [9.9 + (k * i) % 5 for k in range(60)],
        "coverage": 1.0,
        "tick_interval_s": 15.0,
        "faults": [{"kind": "TimedOut", "count": 2, "example": "pod-1"}] if i % 41 == 0 else [],
        "conflicts": ["HorizontalPodAutoscaler chat scales h100"] if i % 97 == 0 else [],
    }


def fleet(targets: int, turn: int) -> dict[str, Any]:
    """The answer of `GET /api/v1/fleet`."""
    found = [target(i, turn) for i in range(targets)]
    totals = {
        "now_s": NOW_S + turn,
        "speed": 1.0,
        "newest_tick_at_s": NOW_S + turn,
        "targets": targets,
        "requests_per_s": sum(one["requests_per_s"] for one in found),
        "ready": 1500,
        "desired": 1600,
        "usd_per_hour": 12_000.0,
        "attainment": 0.991,
    }
    return {"totals": totals, "targets": found}


ME = {"subject": "ada", "name": "ada", "kind": "User", "grants": [{"role": "Admin", "namespace": None}]}


class Stub(BaseHTTPRequestHandler):
    """The API's answers that the fleet page asks for, and the built files."""

    protocol_version = "HTTP/1.1"
    targets = 500
    turn = 0

    def do_GET(self) -> None:
        """Answer one request."""
        path = self.path.split("?")[0]
        if path == "/api/v1/events":
            self._events()
        elif path == "/api/v1/fleet":
            type(self).turn += 1
            self._send(json.dumps(fleet(self.targets, self.turn)).encode(), "application/json")
        elif path.startswith(("/api/", "/auth/")):
            self._send(json.dumps(ME if path == "/api/v1/me" else {}).encode(), "application/json")
        else:
            file = DIST / path.lstrip("/")
            file = file if file.is_file() else DIST / "index.html"
            self._send(file.read_bytes(), TYPES.get(file.suffix, "application/octet-stream"))

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _events(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            while True:
                beat = json.dumps({"now_s": NOW_S + self.turn, "speed": 1.0})
                self.wfile.write(f"event: heartbeat\ndata: {beat}\n\nevent: tick\ndata: {{}}\n\n".encode())
                self.wfile.flush()
                time.sleep(TICK_S)
        except OSError:
            return  # the page is gone

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the numbers are what is to be read."""


@contextmanager
def served(targets: int) -> Iterator[str]:
    """The stub's address while the block runs."""
    Stub.targets = targets
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()


def spread(taken: Sequence[float]) -> str:
    """Median, 95th percentile and largest, ms."""
    ordered = sorted(taken) or [0.0]
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return f"median {statistics.median(ordered):.0f} ms, p95 {p95:.0f} ms, max {ordered[-1]:.0f} ms"


def watched(page: Page, act: str, argument: object = None) -> tuple[Any, list[float], list[float]]:
    """What it answered, the frames and the long tasks of it, ms."""
    page.evaluate("() => { window.frames_ms.length = 0; window.tasks_ms.length = 0; }")
    found = page.evaluate(act, argument)
    return found, page.evaluate("window.frames_ms"), page.evaluate("window.tasks_ms")


def gzipped_kb(response: Response) -> float:
    """What a script weighs on its way, kB."""
    return len(gzip.compress(response.body())) / 1000.0


def measure(url: str, page: Page) -> None:
    """Load, scroll, type, wait for updates; print."""
    scripts: dict[str, float] = {}

    def heard(response: Response) -> None:
        if response.url.endswith(".js"):
            scripts[response.url] = gzipped_kb(response)

    page.on("response", heard)
    began = time.perf_counter()
    page.goto(url)
    page.get_by_test_id("target-row").first.wait_for(timeout=60_000)
    print(f"first rows after {time.perf_counter() - began:.2f} s")
    page.wait_for_timeout(1500)
    loaded = f"{sum(scripts.values()):.0f} kB of JavaScript, gzipped, in {len(scripts)} files"
    print(f"first load: {loaded}; {MOST_JS_KB:.0f} kB are allowed")
    page.evaluate(WATCH)
    _, frames, tasks = watched(page, SCROLL)
    print(f"scrolling with live updates: {len(frames)} frames, {spread(frames)}; long tasks: {spread(tasks)}")
    print(f"rows in the page: {page.get_by_test_id('target-row').count()} of {Stub.targets}")
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_timeout(500)
    (keys, rows_ms), _, _ = watched(page, TYPE, ["model-04", 10])
    print(f"a key in the filter, until it is drawn: {spread(keys)}; from the last key to its rows: {rows_ms:.0f} ms")
    page.evaluate(TYPE, [" ", None])
    page.wait_for_timeout(500)
    _, frames, tasks = watched(page, "() => new Promise(done => setTimeout(done, 6000))")
    print(f"live updates at rest: {len(frames)} frames, {spread(frames)}; long tasks: {len(tasks)}, {spread(tasks)}")


def main() -> None:
    """Measure with 500 targets, or as many as are named."""
    targets = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with served(targets) as url, launch_browser() as browser:
        measure(url, browser.new_page(viewport={"width": 1280, "height": 900}))


if __name__ == "__main__":
    main()
