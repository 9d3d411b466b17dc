"""Whether Tidegate itself is well: database, broker, processes, and what could not be read of the targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from controlplane.adapters.clock import monotonic_s
from controlplane.api.present import target_summary
from controlplane.api.principals import Who
from controlplane.api.routes import TheClock, seen_rows
from controlplane.api.views import FaultCount
from controlplane.domain.jobs import JobStatus
from controlplane.domain.ports import Tasks
from controlplane.domain.presence import GONE_AFTER_S, ProcessKind
from controlplane.store.database_health import DatabaseHealth, database_health, open_jobs
from controlplane.store.presence import Processes, SeenProcess
from controlplane.store.queries import TargetRow

LATE_INTERVALS = 4.0
"""Of a target's own: beyond them its newest decision is late."""
router = APIRouter(prefix="/api/v1", tags=["health"])


class BrokerHealth(BaseModel):
    """The queue between the API and the workers. `waiting` None: the broker does not answer, or none is configured."""

    answers: bool
    waiting: Annotated[int | None, Field(description="tasks in the queue that no worker has taken yet")]
    queued_jobs: Annotated[int, Field(description="replays and what-ifs that nobody plays yet")]
    running_jobs: int


@dataclass(frozen=True, slots=True)
class ProcessHealth:
    """A controller, a worker or beat, by its own signs of life, one each ten seconds. `alive` False: silent for longer
    than 45 s; after ten minutes it is forgotten. Seconds here are real."""

    name: str
    kind: ProcessKind
    version: str
    alive: bool
    silent_s: float
    age_s: float
    leads: bool | None
    busy: int | None
    spooled: int | None


@dataclass(frozen=True, slots=True)
class ScrapeHealth:
    """What could be read of a target at its newest decision. `coverage`: replicas that reported / Ready replicas."""

    target: str
    at_s: float | None
    late: bool
    ready: int | None
    coverage: float | None
    faults: tuple[FaultCount, ...]


class SystemHealth(BaseModel):
    """All of it. `problems` are what is wrong, in words; `ok` where there are none. `leader` is the controller that
    holds the lease."""

    ok: bool
    problems: list[str]
    now_s: Annotated[float, Field(description="the controller's clock")]
    database: DatabaseHealth
    broker: BrokerHealth
    leader: str | None
    processes: list[ProcessHealth]
    targets: list[ScrapeHealth]


@router.get("/health")
def health(request: Request, clock: TheClock, who: Who) -> SystemHealth:
    """How Tidegate itself is: the database, the broker, controllers and workers, and what could not be read of the
    targets that you may see. 503 where the database does not answer; `/readyz` is for probes."""
    engine, tasks = request.app.state.writer.engine, request.app.state.tasks
    database = database_health(engine, monotonic_s)
    processes = Processes(engine).all()
    broker = _broker(tasks, open_jobs(engine))
    targets = [_scrape(row, clock.now_s()) for row in seen_rows(request.app.state.queries, clock, who)]
    leaders = [one.process.name for one in processes if one.alive and one.process.leads]
    problems = [*_of_parts(database, broker, processes), *_of_targets(targets)]
    return SystemHealth(
        ok=not problems,
        problems=problems,
        now_s=clock.now_s(),
        database=database,
        broker=broker,
        leader=leaders[0] if leaders else None,
        processes=[_process(one) for one in processes],
        targets=targets,
    )


def _broker(tasks: Tasks, jobs: dict[JobStatus, int]) -> BrokerHealth:
    waiting = tasks.waiting()
    return BrokerHealth(
        answers=waiting is not None,
        waiting=waiting,
        queued_jobs=jobs[JobStatus.QUEUED],
        running_jobs=jobs[JobStatus.RUNNING],
    )


def _process(one: SeenProcess) -> ProcessHealth:
    said = one.process
    return ProcessHealth(
        said.name, said.kind, said.version, one.alive, one.silent_s, one.age_s, said.leads, said.busy, said.spooled
    )


def _scrape(row: TargetRow, now_s: float) -> ScrapeHealth:
    summary = target_summary(row)
    ready = [variant.ready for variant in summary.variants if variant.ready is not None]
    return ScrapeHealth(
        target=row.target.key,
        at_s=summary.at_s,
        late=summary.at_s is None or now_s - summary.at_s > LATE_INTERVALS * summary.tick_interval_s,
        ready=sum(ready) if ready else None,
        coverage=summary.coverage,
        faults=summary.faults,
    )


def _of_parts(database: DatabaseHealth, broker: BrokerHealth, processes: Sequence[SeenProcess]) -> Iterator[str]:
    alive = [one.process for one in processes if one.alive]
    kinds = {process.kind for process in alive}
    if not database.current:
        yield f"the schema is at {database.revision}, this program's is {database.newest_revision}: tidegate migrate"
    if not broker.answers:
        yield "the broker does not answer: jobs and fits wait"
    if not any(process.leads for process in alive):
        yield f"no controller that leads has been heard for {GONE_AFTER_S:.0f} s: nothing is scaled"
    for kind, words in ((ProcessKind.WORKER, "jobs and fits wait"), (ProcessKind.BEAT, "nothing is swept or judged")):
        if kind not in kinds:
            yield f"no {kind.value.lower()} has been heard for {GONE_AFTER_S:.0f} s: {words}"
    for process in alive:
        if process.spooled:
            yield f"{process.name} holds {process.spooled} ticks in its spool that the database lacks"


def _of_targets(targets: Sequence[ScrapeHealth]) -> Iterator[str]:
    for one in targets:
        if one.late:
            yield f"{one.target} has no recent decision"
        if one.faults:
            worst, count = one.faults[0], sum(fault.count for fault in one.faults)
            yield f"{one.target}: {count} faults in its metrics, e.g. {worst.kind}: {worst.example}"
