"""Jobs: rows that one worker at a time holds by a claim.

A claim is taken by one conditional UPDATE, so of two workers one wins. It is kept by heartbeats, in the database's
time; one that has none for `STALE_S` is lost, and the next worker takes the job up from its beginning. Whoever finishes
or beats with a claim that was lost changes nothing, and is told so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Engine, RowMapping, and_, func, insert, or_, select, tuple_, update

from controlplane.domain.jobs import FINAL, JobKind, JobStatus
from controlplane.store.codec import timestamp
from controlplane.store.engine import transaction
from controlplane.store.tables import jobs
from controlplane.store.unit import Unit

STALE_S = 60.0
"""Real seconds without a heartbeat after which a worker is taken for dead: sixty beats, and longer than compiling or
reading takes between two."""
MAX_ATTEMPTS = 3
"""A job that killed three workers would kill the fourth."""
SUMMARY = tuple(column for column in jobs.c if column.name != "result")
"""A result is read with its job alone: a page of fifty would be megabytes."""


@dataclass(frozen=True, slots=True)
class StoredJob:
    """One job. `created_at_s` is on the controller's clock, later times are real. `result` is None in lists."""

    id: UUID
    kind: JobKind
    namespace: str | None
    request: Mapping[str, Any]
    status: JobStatus
    progress: float
    cancel_requested: bool
    created_by: str
    created_at_s: float
    started_at_s: float | None
    finished_at_s: float | None
    result: Any
    error: str | None
    version: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to play a job, until it is lost."""

    job: StoredJob
    key: UUID


class Jobs:
    """Reads and writes jobs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # People

    def page(
        self,
        namespaces: frozenset[str] | None,
        kind: JobKind | None,
        after: tuple[float, UUID] | None,
        limit: int,
    ) -> tuple[list[StoredJob], bool]:
        """So many without their results, newest first, from behind `after`; whether there are more."""
        statement = select(*SUMMARY)
        if namespaces is not None:
            statement = statement.where(jobs.c.namespace.in_(sorted(namespaces)))
        if kind is not None:
            statement = statement.where(jobs.c.kind == kind.value)
        if after is not None:
            statement = statement.where(tuple_(jobs.c.created_at, jobs.c.id) < (timestamp(after[0]), after[1]))
        statement = statement.order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit + 1)
        with transaction(self._engine) as connection:
            rows = connection.execute(statement).mappings().all()
        return [_stored(row) for row in rows[:limit]], len(rows) > limit

    def get(self, job_id: UUID) -> StoredJob | None:
        """One with its result; None where there is none of that id."""
        with transaction(self._engine) as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().first()
        return None if row is None else _stored(row)

    def summary(self, job_id: UUID) -> StoredJob | None:
        """One without its result, which may be megabytes; None where there is none of that id."""
        with transaction(self._engine) as connection:
            row = connection.execute(select(*SUMMARY).where(jobs.c.id == job_id)).mappings().first()
        return None if row is None else _stored(row)

    @staticmethod
    def create(unit: Unit, kind: JobKind, namespace: str, request: Mapping[str, Any]) -> StoredJob:
        """A new one, queued."""
        row = {
            "id": uuid4(),
            "kind": kind.value,
            "namespace": namespace,
            "request": dict(request),
            "status": JobStatus.QUEUED.value,
            "created_by": unit.request.principal.id,
            "created_at": timestamp(unit.now_s),
        }
        return _stored(unit.connection.execute(insert(jobs).values(row).returning(jobs)).mappings().one())

    @staticmethod
    def cancel(unit: Unit, job: StoredJob, version: int) -> StoredJob:
        """Ask a running job to end, and end a queued one here.

        Raises:
            VersionMismatch, KeyError: see `Unit.changed`.
        """
        values: dict[str, Any] = {"cancel_requested": True}
        changed = unit.changed(jobs, f"jobs/{job.id}", job.id, version, values)
        if changed["status"] == JobStatus.QUEUED.value:
            ended = {"status": JobStatus.CANCELLED.value, "finished_at": func.now()}
            statement = update(jobs).where(jobs.c.id == job.id, jobs.c.status == JobStatus.QUEUED.value)
            changed = unit.connection.execute(statement.values(ended).returning(jobs)).mappings().first() or changed
        return _stored(changed)

    # Workers

    def claim(self, job_id: UUID) -> Claim | None:
        """Take a job up; None where somebody else has it, or it is over, or it was begun too often (which ends it)."""
        key = uuid4()
        taken = {
            "status": JobStatus.RUNNING.value,
            "claim": key,
            "attempts": jobs.c.attempts + 1,
            "progress": 0.0,
            "started_at": func.coalesce(jobs.c.started_at, func.now()),
            "heartbeat_at": func.now(),
        }
        mine = and_(jobs.c.id == job_id, _free())
        with transaction(self._engine) as connection:
            connection.execute(_given_up(mine))
            statement = update(jobs).where(mine, jobs.c.attempts < MAX_ATTEMPTS).values(taken).returning(*SUMMARY)
            row = connection.execute(statement).mappings().first()
        return None if row is None else Claim(_stored(row), key)

    def beat(self, claim: Claim, progress: float) -> bool:
        """Say that it is still played, and how far; False where it is to end: cancelled, or the claim was lost."""
        values = {"progress": min(max(progress, 0.0), 1.0), "heartbeat_at": func.now()}
        statement = update(jobs).where(*_held(claim)).values(values).returning(jobs.c.cancel_requested)
        with transaction(self._engine) as connection:
            return connection.execute(statement).scalar() is False

    def finish(self, claim: Claim, status: JobStatus, result: Any = None, error: str | None = None) -> bool:
        """End it; False where the claim was lost, and nothing was changed."""
        values = {
            "status": status.value,
            "result": result,
            "error": error,
            "finished_at": func.now(),
            "version": jobs.c.version + 1,
        }
        if status is JobStatus.SUCCEEDED:
            values["progress"] = 1.0
        statement = update(jobs).where(*_held(claim)).values(values).returning(jobs.c.id)
        with transaction(self._engine) as connection:
            return connection.execute(statement).first() is not None

    def waiting(self) -> list[UUID]:
        """Jobs that nobody plays: queued ones, and those whose worker is dead."""
        with transaction(self._engine) as connection:
            statement = select(jobs.c.id).where(_free()).order_by(jobs.c.created_at)
            return list(connection.execute(statement).scalars())


def _free() -> ColumnElement[bool]:
    stale = and_(
        jobs.c.status == JobStatus.RUNNING.value, jobs.c.heartbeat_at < func.now() - timedelta(seconds=STALE_S)
    )
    return or_(jobs.c.status == JobStatus.QUEUED.value, stale)


def _given_up(mine: ColumnElement[bool]) -> Any:
    words = f"{MAX_ATTEMPTS} workers began it and none ended it: they died, or the database was away"
    values = {
        "status": JobStatus.FAILED.value,
        "error": words,
        "finished_at": func.now(),
        "version": jobs.c.version + 1,
    }
    return update(jobs).where(mine, jobs.c.attempts >= MAX_ATTEMPTS).values(values)


def _held(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    running = jobs.c.status == JobStatus.RUNNING.value
    return jobs.c.id == claim.job.id, jobs.c.claim == claim.key, running


def _stored(row: RowMapping) -> StoredJob:
    def moment(name: str) -> float | None:
        return None if row[name] is None else row[name].timestamp()

    return StoredJob(
        id=row["id"],
        kind=JobKind(row["kind"]),
        namespace=row["namespace"],
        request=row["request"],
        status=JobStatus(row["status"]),
        progress=row["progress"],
        cancel_requested=row["cancel_requested"],
        created_by=row["created_by"],
        created_at_s=row["created_at"].timestamp(),
        started_at_s=moment("started_at"),
        finished_at_s=moment("finished_at"),
        result=row.get("result"),
        error=row["error"],
        version=row["version"],
        attempts=row["attempts"],
    )


def is_final(status: JobStatus) -> bool:
    """Whether nothing more comes of it."""
    return status in FINAL
