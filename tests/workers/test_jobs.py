"""Jobs: one worker at a time, from the row to the result."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from controlplane.adapters.clock import write_anchor
from controlplane.adapters.task_sender import CeleryTasks
from controlplane.domain.access import SYSTEM
from controlplane.domain.jobs import RUN_JOB, JobKind, JobStatus
from controlplane.embedded.valkey import EmbeddedValkey
from controlplane.store.jobs import MAX_ATTEMPTS, Jobs, StoredJob
from controlplane.store.ledger import PostgresLedger
from controlplane.store.queries import Queries
from controlplane.store.recorded import Recorded
from controlplane.store.unit import Request, Writer
from controlplane.workers.jobs import JobEnded, Progress, work
from tests.ledger_builders import NOW_S, make_load, make_target, make_tick

KEY = "default/chat"
WHAT_IF = {"target": KEY, "since_s": NOW_S, "until_s": NOW_S + 1800, "load_factor": 2.0}
REPLAY = {"target": KEY, "since_s": NOW_S, "until_s": NOW_S + 900, "policy": "static:1"}


class Desk:
    """Jobs over one database, and statements from beside it."""

    def __init__(self, url: str, recording: PostgresLedger) -> None:
        self.url, self.engine = url, recording.engine
        self.jobs = Jobs(recording.engine)

    def ask(self, kind: JobKind = JobKind.WHAT_IF, request: dict[str, Any] = WHAT_IF) -> UUID:
        with Writer(self.engine).unit(Request(SYSTEM, "", "r", NOW_S)) as unit:
            return Jobs.create(unit, kind, "default", request).id

    def cancel(self, job_id: UUID) -> StoredJob:
        with Writer(self.engine).unit(Request(SYSTEM, "", "r", NOW_S)) as unit:
            before = self.of(job_id)
            return Jobs.cancel(unit, before, before.version)

    def of(self, job_id: UUID) -> StoredJob:
        found = self.jobs.get(job_id)
        assert found is not None
        return found

    def work(self, job_id: UUID) -> JobStatus | None:
        return work(self.jobs, Recorded(Queries(self.engine)), job_id)

    def silence(self) -> None:
        """Every worker's last heartbeat was long ago."""
        with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
            connection.execute("UPDATE jobs SET heartbeat_at = now() - interval '2 minutes'")


@pytest.fixture
def desk(database_url: str, recording: PostgresLedger) -> Desk:
    recording.save_targets([make_target()], NOW_S)
    recording.append([make_tick(f"t{n}", NOW_S + 30 * n, load=make_load(6.0 + n % 3)) for n in range(60)])
    return Desk(database_url, recording)


@pytest.mark.parametrize(("kind", "request_"), [(JobKind.WHAT_IF, WHAT_IF), (JobKind.REPLAY, REPLAY)])
def test_it_is_played_and_kept(desk: Desk, kind: JobKind, request_: dict[str, Any]) -> None:
    job = desk.ask(kind, request_)
    assert desk.work(job) is JobStatus.SUCCEEDED
    done = desk.of(job)
    assert (done.status, done.progress, done.version, done.attempts) == (JobStatus.SUCCEEDED, 1.0, 2, 1)
    assert done.result["target"] == KEY
    assert isinstance(done.result["recorded"]["cost_usd"], str)
    assert desk.work(job) is None  # a message that comes twice


def test_what_cannot_be_played_says_why(desk: Desk) -> None:
    job = desk.ask(JobKind.REPLAY, {**REPLAY, "since_s": NOW_S - 900, "until_s": NOW_S - 1})
    assert desk.work(job) is JobStatus.FAILED
    assert "no recorded decisions" in str(desk.of(job).error)


def test_of_many_workers_one_wins(desk: Desk) -> None:
    job, won = desk.ask(), []
    barrier = threading.Barrier(8)

    def take() -> None:
        barrier.wait()
        won.append(desk.jobs.claim(job))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(claim is not None for claim in won) == 1


def test_a_dead_workers_job_is_taken_up_and_its_claim_is_worth_nothing(desk: Desk) -> None:
    job = desk.ask()
    dead = desk.jobs.claim(job)
    assert dead is not None
    assert (desk.jobs.claim(job), desk.jobs.waiting()) == (None, [])
    desk.silence()
    assert desk.jobs.waiting() == [job]
    alive = desk.jobs.claim(job)
    assert alive is not None
    assert not desk.jobs.beat(dead, 0.9)
    assert not desk.jobs.finish(dead, JobStatus.FAILED, error="late")
    assert desk.jobs.beat(alive, 0.2)
    assert desk.jobs.finish(alive, JobStatus.SUCCEEDED, {"x": 1})
    assert desk.of(job).result == {"x": 1}


def test_a_job_that_kills_its_workers_fails(desk: Desk) -> None:
    job = desk.ask()
    for _ in range(MAX_ATTEMPTS):
        assert desk.jobs.claim(job) is not None
        desk.silence()
    assert desk.jobs.claim(job) is None
    assert (desk.of(job).status, desk.jobs.waiting()) == (JobStatus.FAILED, [])


def test_a_queued_one_is_cancelled_at_once_and_a_running_one_by_its_next_beat(desk: Desk) -> None:
    queued, running = desk.ask(), desk.ask()
    assert desk.cancel(queued).status is JobStatus.CANCELLED
    assert desk.work(queued) is None
    claim = desk.jobs.claim(running)
    assert claim is not None
    assert desk.cancel(running).status is JobStatus.RUNNING
    with pytest.raises(JobEnded):
        Progress(desk.jobs, claim)(0.5)


def test_progress_is_written_once_a_second(desk: Desk) -> None:
    claim = desk.jobs.claim(desk.ask())
    assert claim is not None
    now = iter((0.0, 0.4, 0.9, 1.1))
    progress = Progress(desk.jobs, claim, lambda: next(now))
    written = []
    for share in (0.1, 0.2, 0.3, 0.4):
        progress(share)
        written.append(desk.of(claim.job.id).progress)
    assert written == [0.1, 0.1, 0.1, 0.4]


def test_a_broker_that_is_away_takes_nothing_and_says_so() -> None:
    assert not CeleryTasks("redis://127.0.0.1:1/0").send(RUN_JOB, str(uuid4()))


def test_a_worker_takes_it_from_the_broker(desk: Desk, valkey: EmbeddedValkey, tmp_path: Path) -> None:
    write_anchor(tmp_path / "clock.json", NOW_S, 1.0)
    settings = {"TIDEGATE_DATABASE_URL": desk.url, "TIDEGATE_CLOCK": str(tmp_path / "clock.json")}
    environment = {**os.environ, **settings, "TIDEGATE_BROKER_URL": valkey.url}
    command = [sys.executable, "-m", "celery", "-A", "controlplane.workers.app", "worker", "--pool", "solo"]
    job = desk.ask()
    log_path = tmp_path / "worker.log"
    with log_path.open("wb") as log:
        worker = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        assert CeleryTasks(valkey.url).send(RUN_JOB, str(job))
        deadline = time.monotonic() + 60
        while desk.of(job).status is not JobStatus.SUCCEEDED:
            assert worker.poll() is None, log_path.read_text()
            assert time.monotonic() < deadline, log_path.read_text()
            time.sleep(0.2)
    finally:
        worker.terminate()
        worker.wait(20)
