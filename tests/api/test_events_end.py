"""The stream of events, from a server in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from controlplane.domain.access import AccessRole, Grant
from controlplane.embedded.children import free_port
from controlplane.store.keys import new_token
from controlplane.store.ledger import PostgresLedger
from tests.ledger_builders import NOW_S, make_tick

SERVE = """
import sys
from controlplane.adapters.clock import ManualClock
from controlplane.api.main import run
run("127.0.0.1", int(sys.argv[1]), sys.argv[2], ManualClock(float(sys.argv[3]), 30.0), None)
"""


@pytest.fixture
def served(database_url: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(port), database_url, str(NOW_S)])
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url)
        yield url, process
    finally:
        process.kill()
        process.wait()


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/healthz")
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server did not start")


def events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    for line in lines:
        if line.startswith("event: "):
            yield line.removeprefix("event: "), json.loads(next(lines).removeprefix("data: "))


def test_ticks_and_heartbeats_then_a_quick_end(
    served: tuple[str, subprocess.Popen[bytes]], recording: PostgresLedger, database_url: str
) -> None:
    url, process = served
    token = new_token(database_url, "t", [Grant(AccessRole.VIEWER)], time.time(), 1.0)
    recording.append([make_tick("before", NOW_S - 15)])
    headers = {"Accept-Encoding": "gzip", "Authorization": f"Bearer {token}"}
    with httpx.stream("GET", f"{url}/api/v1/events", timeout=10, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers.get("content-encoding", "identity") == "identity"
        stream = events(answer.iter_lines())
        assert next(stream) == ("heartbeat", {"now_s": NOW_S, "speed": 30.0})
        # The second heartbeat is later than the reader's first look: what comes from now on is new to it.
        assert next(stream)[0] == "heartbeat"
        recording.append([make_tick("after", NOW_S)])
        name, summary = next(event for event in stream if event[0] == "tick")
        assert (name, summary["id"], summary["target"]) == ("tick", "after", "default/chat")
        asked_at_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        # Two seconds of grace for the stream that never ends by itself, and what two busy cores need.
        assert time.monotonic() - asked_at_s < 4
