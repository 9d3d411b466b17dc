"""Jobs that people ask for: replays and what-ifs.

A task is sent with a job's id alone; what to do is in the row. It may be sent twice, and taken by two workers: the
claim lets one through. A worker that dies leaves its claim to go stale; the sweep then sends the job again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from uuid import UUID

from celery.utils.log import get_task_logger
from pydantic import TypeAdapter

from controlplane.adapters.clock import monotonic_s
from controlplane.domain.jobs import RUN_JOB, JobKind, JobStatus, ReplayRequest, WhatIfRequest
from controlplane.domain.ports import LedgerUnavailable
from controlplane.settings import settings_from
from controlplane.simulation.comparison import Comparison
from controlplane.simulation.replay_window import Replayed, replay_window
from controlplane.simulation.scenario import ScenarioError
from controlplane.simulation.traffic import TraceError
from controlplane.simulation.what_if import STEPS, Changed, VariantOut, WhatIfResult, what_if
from controlplane.store.engine import make_engine
from controlplane.store.jobs import Claim, Jobs
from controlplane.store.queries import Queries
from controlplane.store.recorded import Recorded
from controlplane.workers.app import app

_log = get_task_logger(__name__)
BEAT_S = 1.0
"""Real seconds between writes of the progress at most."""
READ_SHARE = 0.1
"""Of the progress: what reading the history is worth."""
REPLAY_TICKS = 20_000
"""Of a window: three and a half days at every tick, and each minute of two weeks."""
TIME_LIMIT_S = 6 * 3600
"""Real seconds after which Celery ends a job's process: a month of a busy target takes two or three hours."""

_REPLAY, _WHAT_IF = TypeAdapter(ReplayRequest), TypeAdapter(WhatIfRequest)
_COMPARISON, _WHAT_IF_RESULT = TypeAdapter(Comparison), TypeAdapter(WhatIfResult)


class JobEnded(Exception):
    """The job was cancelled, or another worker has it."""


class Progress:
    """Tells the job's row how far it is, at most once a second, and ends the play where it is to end."""

    def __init__(self, jobs: Jobs, claim: Claim, stopwatch: Callable[[], float] = monotonic_s) -> None:
        self._jobs, self._claim, self._stopwatch = jobs, claim, stopwatch
        self._told_s = -BEAT_S

    def __call__(self, share: float) -> None:
        """The share that is done.

        Raises:
            JobEnded: if it was cancelled, or another worker took it up.
        """
        now_s = self._stopwatch()
        if now_s - self._told_s < BEAT_S:
            return
        self._told_s = now_s
        if not self._jobs.beat(self._claim, share):
            raise JobEnded(str(self._claim.job.id))


def work(jobs: Jobs, recorded: Recorded, job_id: UUID) -> JobStatus | None:
    """Play one job to its end; what became of it, None where it was not ours to play."""
    claim = jobs.claim(job_id)
    if claim is None:
        return None
    try:
        result = _result(claim, recorded, Progress(jobs, claim))
    except JobEnded:
        status, kept = JobStatus.CANCELLED, jobs.finish(claim, JobStatus.CANCELLED)
    except (ScenarioError, TraceError) as error:
        status, kept = JobStatus.FAILED, jobs.finish(claim, JobStatus.FAILED, error=str(error))
    else:
        status, kept = JobStatus.SUCCEEDED, jobs.finish(claim, JobStatus.SUCCEEDED, result)
    return status if kept else None


def _result(claim: Claim, recorded: Recorded, progress: Progress) -> Any:
    progress(0.0)
    if claim.job.kind is JobKind.REPLAY:
        return _replay(_REPLAY.validate_python(claim.job.request), recorded, progress)
    return _what_if(_WHAT_IF.validate_python(claim.job.request), recorded, progress)


def _replay(asked: ReplayRequest, recorded: Recorded, progress: Progress) -> Any:
    ticks = _read(recorded, asked, REPLAY_TICKS, progress)
    replayed = Replayed(asked.policy, asked.since_s, asked.until_s, asked.seed, asked.spec)
    return _COMPARISON.dump_python(replay_window(ticks, replayed, _after_reading(progress)), mode="json")


def _what_if(asked: WhatIfRequest, recorded: Recorded, progress: Progress) -> Any:
    ticks = _read(recorded, asked, STEPS, progress)
    changed = Changed(
        slo=asked.slo,
        prices=asked.prices,
        cold_start_factor=asked.cold_start_factor,
        load_factor=asked.load_factor,
        stock_outs=tuple(VariantOut(o.variant, o.since_s, o.until_s) for o in asked.stock_outs),
    )
    result = what_if(ticks, asked.since_s, asked.until_s, changed, _after_reading(progress))
    return _WHAT_IF_RESULT.dump_python(result, mode="json")


def _read(recorded: Recorded, asked: ReplayRequest | WhatIfRequest, most: int, progress: Progress) -> list[Any]:
    ticks: list[Any] = []
    for piece in recorded.window(asked.target, asked.since_s, asked.until_s, most):
        ticks += piece
        if ticks:
            progress(READ_SHARE * (ticks[-1].at_s - asked.since_s) / (asked.until_s - asked.since_s))
    return ticks


def _after_reading(progress: Progress) -> Callable[[float], None]:
    return lambda share: progress(READ_SHARE + (1.0 - READ_SHARE) * share)


@app.task(  # type: ignore[untyped-decorator]
    name=RUN_JOB,
    autoretry_for=(LedgerUnavailable,),
    retry_backoff=True,
    max_retries=3,
    time_limit=TIME_LIMIT_S,
)
def run_job(job_id: str) -> None:
    """Play one job."""
    engine = make_engine(settings_from(os.environ).database_url)
    try:
        status = work(Jobs(engine), Recorded(Queries(engine)), UUID(job_id))
    finally:
        engine.dispose()
    _log.info("job %s: %s", job_id, "not ours" if status is None else status.value)


@app.task(name="tidegate.sweep_jobs", autoretry_for=(LedgerUnavailable,), retry_backoff=True, max_retries=3)  # type: ignore[untyped-decorator]
def sweep_jobs() -> None:
    """Send again every job that nobody plays; one that is sent twice is played once."""
    engine = make_engine(settings_from(os.environ).database_url)
    try:
        waiting = Jobs(engine).waiting()
    finally:
        engine.dispose()
    for job_id in waiting:
        run_job.delay(str(job_id))
