"""The data directory: one run at a time, a clock that goes on, and nobody left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.embedded.children import StartError
from controlplane.embedded.processes import arguments, identity
from controlplane.embedded.state import (
    Children,
    Lock,
    Paths,
    played_before,
    save_clock,
    save_played,
    saved_clock,
    write_whole,
)

HOLDER = """
import sys, time
from pathlib import Path
from controlplane.embedded.state import Lock, Paths
lock = Lock(Paths(Path(sys.argv[1])))
lock.take("http://127.0.0.1:8080")
print("taken", flush=True)
time.sleep(60)
"""
SLEEPER = [sys.executable, "-c", "print('up', flush=True); import time; time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path / "data")
    made.make()
    return made


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes to be reaped at the end."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def _start(command: list[str], started: list[subprocess.Popen[str]]) -> subprocess.Popen[str]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    started.append(process)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_a_second_run_is_told_who_holds_the_lock(paths: Paths, started: list[subprocess.Popen[str]]) -> None:
    holder = _start([sys.executable, "-c", HOLDER, str(paths.root)], started)
    with pytest.raises(StartError) as caught:
        Lock(paths).take("http://127.0.0.1:9000")
    for said in (f"pid {holder.pid}", "http://127.0.0.1:8080", str(paths.root), "--data-dir"):
        assert said in str(caught.value)


def test_the_lock_of_a_killed_run_is_taken_over_with_a_word(paths: Paths, started: list[subprocess.Popen[str]]) -> None:
    holder = _start([sys.executable, "-c", HOLDER, str(paths.root)], started)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    lock = Lock(paths)
    word = lock.take("http://127.0.0.1:9000")
    assert f"pid {holder.pid}" in word
    lock.release()


def test_a_lock_that_was_let_go_of_is_taken_without_a_word(paths: Paths) -> None:
    for _ in range(2):
        lock = Lock(paths)
        assert lock.take("http://127.0.0.1:8080") == ""
        lock.release()


def test_the_clock_goes_on_where_it_was_saved(paths: Paths) -> None:
    assert saved_clock(paths) is None
    save_clock(paths, 1234.5)
    assert saved_clock(paths) == 1234.5


def test_what_was_played_is_kept(paths: Paths) -> None:
    assert played_before(paths) is None
    save_played(paths, "scenario demo")
    assert played_before(paths) == "scenario demo"


def test_a_torn_file_counts_as_none(paths: Paths) -> None:
    (paths.root / "clock-saved.json").write_text('{"virtual_at', encoding="utf-8")
    (paths.run / "children.json").write_text("[1]", encoding="utf-8")
    assert saved_clock(paths) is None
    assert Children(paths).stop_orphans() == []


@pytest.mark.parametrize("command", [SLEEPER, DEAF], ids=["polite", "deaf"])
def test_children_left_behind_are_stopped(
    paths: Paths, started: list[subprocess.Popen[str]], command: list[str]
) -> None:
    orphan = _start(command, started)
    Children(paths).write({"api": orphan.pid})
    assert Children(paths).stop_orphans(grace_s=0.3) == ["api"]
    assert identity(orphan.pid) == ""
    assert Children(paths).stop_orphans() == []


def test_somebody_elses_process_with_an_old_pid_is_left_alone(
    paths: Paths, started: list[subprocess.Popen[str]]
) -> None:
    stranger = _start(SLEEPER, started)
    mark = identity(stranger.pid)
    write_whole(paths.run / "children.json", f'{{"api": {{"pid": {stranger.pid}, "identity": "{mark}0"}}}}')
    assert Children(paths).stop_orphans() == []
    assert stranger.poll() is None


def test_a_process_is_told_from_a_later_one(started: list[subprocess.Popen[str]]) -> None:
    process = _start(SLEEPER, started)
    assert identity(process.pid) == identity(process.pid) != identity(os.getpid())
    assert arguments(process.pid) == SLEEPER
    process.kill()
    process.wait()
    assert identity(process.pid) == ""


def test_the_directory_is_made_and_an_older_one_keeps_its_mode(tmp_path: Path) -> None:
    older = tmp_path / "private"
    older.mkdir(mode=0o700)
    paths = Paths(older)
    paths.make()
    assert older.stat().st_mode & 0o777 == 0o700
    assert paths.logs.is_dir()


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StartError, match=r"data directory .*file/data cannot be used.*--data-dir"):
        Paths(tmp_path / "file" / "data").make()


def test_secrets_are_written_for_their_owner_alone(tmp_path: Path) -> None:
    write_whole(tmp_path / "secret", "x", 0o600)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
