"""What a container runs: addresses, settings, migrations that wait for their turn, workers that show that they turn."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from controlplane.commands.serve import RETRY_S, patiently
from controlplane.domain.ports import LedgerUnavailable
from controlplane.embedded.valkey import EmbeddedValkey
from controlplane.settings import SettingsError, broker_url_from, listen_address, settings_from
from controlplane.store import migrate
from controlplane.store.ledger import PostgresLedger
from controlplane.workers.alive import FILE_VARIABLE, STALE_AFTER_S, problem

START_S = 40.0
"""Real seconds for a process to come up on a busy machine; it takes two on an idle one."""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("0.0.0.0:8080", ("0.0.0.0", 8080)),
        ("[::]:8081", ("::", 8081)),
        (":9090", ("0.0.0.0", 9090)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_an_address_is_host_and_port(given: str, expected: tuple[str, int]) -> None:
    assert listen_address("--listen", given) == expected


@pytest.mark.parametrize("given", ["8080", "", "host:", "host:65536", "host:http", "::1:8080"])
def test_what_is_no_address_is_named(given: str) -> None:
    with pytest.raises(SettingsError, match=r"--listen is .*allowed: HOST:PORT"):
        listen_address("--listen", given)


def test_a_missing_broker_is_named() -> None:
    with pytest.raises(SettingsError, match=r"TIDEGATE_BROKER_URL is ''; allowed: .*redis://"):
        broker_url_from({})


def test_an_error_shows_no_password() -> None:
    with pytest.raises(SettingsError) as caught:
        settings_from({"TIDEGATE_DATABASE_URL": "mysql://me:secret@host/db"})
    assert "mysql://me:***@host/db" in str(caught.value)
    assert "secret" not in str(caught.value)


class _Time:
    def __init__(self) -> None:
        self.now_s = 0.0

    def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s


def _away_for(attempts: int) -> list[bool]:
    return [False] * attempts + [True]


def test_a_database_that_comes_up_is_waited_for() -> None:
    passing, answers = _Time(), _away_for(3)

    def attempt() -> bool:
        if not answers.pop(0):
            raise LedgerUnavailable("connection refused")
        return True

    assert patiently(attempt, 60.0, lambda: passing.now_s, passing.sleep)
    assert passing.now_s == 3 * RETRY_S


def test_a_database_that_stays_away_is_given_up_in_time() -> None:
    passing = _Time()

    def attempt() -> bool:
        raise LedgerUnavailable("connection refused")

    with pytest.raises(LedgerUnavailable, match="no database within 7 s: connection refused"):
        patiently(attempt, 7.0, lambda: passing.now_s, passing.sleep)
    assert passing.now_s == 6.0


def _start(environment: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "controlplane.cli", *arguments]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
    return subprocess.Popen(
        command, env={**clean, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=START_S)
    return process.returncode, output


def test_two_migrations_at_once_both_succeed(empty_database_url: str) -> None:
    environment = {"TIDEGATE_DATABASE_URL": empty_database_url}
    both = [_ended(process) for process in [_start(environment, "migrate", "--wait", "5") for _ in range(2)]]
    assert [code for code, _ in both] == [0, 0], both
    assert migrate.is_current_at(empty_database_url)
    assert not migrate.bring_up(empty_database_url)


def test_a_database_that_is_away_is_one_line_and_code_2() -> None:
    environment = {"TIDEGATE_DATABASE_URL": "postgresql://me:secret@127.0.0.1:1/db"}
    code, output = _ended(_start(environment, "migrate", "--wait", "0"))
    assert code == 2
    assert output.startswith("error: no database within 0 s: ")
    assert "secret" not in output


def test_a_missing_schema_is_a_ledger_that_is_away(empty_database_url: str) -> None:
    """So that the controller goes on, and spools, where it is up before the migration."""
    assert not migrate.is_current_at(empty_database_url)
    ledger = PostgresLedger(empty_database_url)
    try:
        with pytest.raises(LedgerUnavailable, match="run `tidegate migrate`"):
            ledger.targets()
    finally:
        ledger.close()


def test_the_schema_of_a_newer_version_will_do(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    assert migrate.is_current_at(database_url)
    assert not migrate.bring_up(database_url)


def test_a_heartbeat_may_be_absent_but_not_old(tmp_path: Path) -> None:
    file = tmp_path / "heartbeat"
    assert problem(file, 1e9) is None
    file.touch()
    os.utime(file, (1e9, 1e9))
    assert problem(file, 1e9 + STALE_AFTER_S) is None
    assert "no heartbeat for 91 s" in str(problem(file, 1e9 + STALE_AFTER_S + 1))


@pytest.mark.parametrize(
    ("part", "says"), [("worker", ". tidegate.fit_forecast\n"), ("beat", "maxinterval -> 10.00 seconds")]
)
def test_it_shows_that_it_turns_and_ends_at_a_signal(
    part: str, says: str, tmp_path: Path, valkey: EmbeddedValkey, database_url: str
) -> None:
    file = tmp_path / "heartbeat"
    process = _start(
        {
            "TIDEGATE_DATABASE_URL": database_url,
            "TIDEGATE_BROKER_URL": valkey.url,
            "TIDEGATE_WORKER_CONCURRENCY": "1",
            FILE_VARIABLE: str(file),
        },
        part,
    )
    until_s = time.monotonic() + START_S
    while not file.exists() and process.poll() is None and time.monotonic() < until_s:
        time.sleep(0.1)
    there = file.exists()
    process.send_signal(signal.SIGTERM)
    code, output = _ended(process)
    assert there, output
    assert says in output
    assert code == 0, output


def test_a_worker_without_a_broker_says_so() -> None:
    code, output = _ended(_start({"TIDEGATE_DATABASE_URL": "postgresql://a:b@127.0.0.1:1/c"}, "worker"))
    assert code == 2
    assert output.startswith("error: TIDEGATE_BROKER_URL is ''")
