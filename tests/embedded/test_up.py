"""`tidegate up` where it must refuse, and what it shows. The whole is started by the end-to-end tests."""

from __future__ import annotations

import io
import os
import socket
from pathlib import Path

import pytest

from controlplane.embedded.children import free_port, port_problem
from controlplane.embedded.console import Console, fleet_line, live_line
from controlplane.embedded.state import Lock, Paths
from controlplane.embedded.up import UpOptions, run_up


def _refused(options: UpOptions, capsys: pytest.CaptureFixture[str]) -> str:
    assert run_up(options) == 1
    return capsys.readouterr().out


def test_a_taken_port_is_named_with_a_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        said = _refused(UpOptions(tmp_path, port), capsys)
    assert f"port {port} of 127.0.0.1 is taken" in said
    assert "PORT=9000" in said


def test_a_refused_start_leaves_no_lock_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        _refused(UpOptions(tmp_path, holder.getsockname()[1]), capsys)
    lock = Lock(Paths(tmp_path))
    assert lock.take("http://127.0.0.1:1") == ""
    lock.release()


def test_a_run_that_lasts_is_named_even_where_it_holds_the_port(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = Lock(Paths(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as holder:
        lock.take("http://127.0.0.1:8080")
        said = _refused(UpOptions(tmp_path, holder.getsockname()[1]), capsys)
    lock.release()
    assert f"already running in {tmp_path} (pid {os.getpid()}, http://127.0.0.1:8080)" in said


@pytest.mark.parametrize("speed", [0.0, -1.0, 121.0, float("nan"), float("inf")])
def test_a_speed_out_of_range_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], speed: float) -> None:
    said = _refused(UpOptions(tmp_path, free_port(), speed), capsys)
    assert f"speed is {speed:g}; allowed: 0.1 to 120" in said


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_is_none_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], port: int) -> None:
    assert f"port is {port}; allowed: 1 to 65535" in _refused(UpOptions(tmp_path, port), capsys)


def test_a_trace_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = _refused(UpOptions(tmp_path, free_port(), trace=tmp_path / "absent.csv.gz"), capsys)
    assert "absent.csv.gz" in said


def test_a_scenario_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = _refused(UpOptions(tmp_path, free_port(), scenario="nowhere"), capsys)
    assert "nowhere" in said


def test_a_trace_plays_one_model_and_nothing_plays_the_demo(tmp_path: Path) -> None:
    assert UpOptions(tmp_path).chosen_scenario == "demo"
    assert UpOptions(tmp_path, trace=Path("t.csv")).chosen_scenario == "chat-8b"
    assert UpOptions(tmp_path, trace=Path("t.csv"), scenario="demo").chosen_scenario == "demo"
    assert UpOptions(tmp_path, trace=Path("t.csv")).played == "scenario chat-8b, trace t.csv"
    assert UpOptions(tmp_path).chosen_speed in (30.0, 60.0)


def test_why_a_port_cannot_be_used() -> None:
    assert port_problem("127.0.0.1", free_port()) is None
    with socket.create_server(("127.0.0.1", 0)) as holder:
        assert port_problem("127.0.0.1", holder.getsockname()[1]) == "is taken"
    assert "cannot be used" in (port_problem("203.0.113.1", free_port()) or "")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_keeps_one_line_alive() -> None:
    stream = Terminal()
    console = Console(stream)
    console.live("one")
    console.live("two")
    console.say("api died")
    assert stream.getvalue() == "one\r\x1b[2Ktwo\r\x1b[2Kapi died\n"


def test_a_live_line_never_wraps() -> None:
    stream = Terminal()
    Console(stream).live("x" * 10_000)
    assert len(stream.getvalue()) < 10_000


def test_without_a_terminal_lines_are_seldom() -> None:
    stream = io.StringIO()
    console = Console(stream)
    for text in ("one", "two", "three"):
        console.live(text)
    assert stream.getvalue() in ("one\n", "")


def test_an_api_that_is_away_is_said_so() -> None:
    assert "does not answer yet" in live_line(f"http://127.0.0.1:{free_port()}", "")


def test_an_api_killed_in_mid_answer_is_said_so() -> None:
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:

        def half() -> None:
            peer, _ = server.accept()
            peer.recv(1000)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            peer.close()

        thread = threading.Thread(target=half)
        thread.start()
        line = live_line(f"http://127.0.0.1:{server.getsockname()[1]}", "")
        thread.join()
    assert "does not answer yet" in line


def test_the_live_line_never_makes_up_what_is_missing() -> None:
    totals = {
        "newest_tick_at_s": 1.0,
        "now_s": 0.0,
        "speed": 30.0,
        "requests_per_s": None,
        "attainment": None,
        "ready": 3,
        "desired": 4,
        "usd_per_hour": 12.5,
    }
    assert fleet_line(totals) == "1970-01-01 00:00:00 UTC x30  load unknown  replicas 3/4  SLO unknown  $12.50/h"
    assert fleet_line({**totals, "newest_tick_at_s": None}) == "waiting for the first decision"
