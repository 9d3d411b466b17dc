"""The database as it sees itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine, text

from controlplane.domain.jobs import JobStatus
from controlplane.store.engine import transaction
from controlplane.store.migrate import is_known, newest_revision, revision_of
from controlplane.store.tables import jobs

_ITSELF = text(
    "SELECT current_setting('server_version') AS version, pg_database_size(current_database()) AS size_bytes, "
    "(SELECT numbackends FROM pg_stat_database WHERE datname = current_database()) AS connections, "
    "current_setting('max_connections')::int AS max_connections"
)


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """`latency_s` is of one statement that reads nothing, connection and all. `revision` is the schema's, of which this
    program knows `newest_revision`; `current` is False where it must be migrated."""

    version: str
    size_bytes: int
    latency_s: float
    connections: int
    max_connections: int
    revision: str | None
    newest_revision: str
    current: bool


def database_health(engine: Engine, stopwatch: Callable[[], float]) -> DatabaseHealth:
    """Ask it. `stopwatch` gives seconds.

    Raises:
        LedgerUnavailable: if it does not answer.
    """
    began_s = stopwatch()
    with transaction(engine) as connection:
        connection.execute(text("SELECT 1"))
        latency_s = stopwatch() - began_s
        row = connection.execute(_ITSELF).one()
        revision = revision_of(connection)
    newest = newest_revision()
    return DatabaseHealth(
        version=row.version.partition(" ")[0],
        size_bytes=row.size_bytes,
        latency_s=latency_s,
        connections=row.connections,
        max_connections=row.max_connections,
        revision=revision,
        newest_revision=newest,
        current=revision == newest or (revision is not None and not is_known(revision)),
    )


def open_jobs(engine: Engine) -> dict[JobStatus, int]:
    """How many jobs are queued and running."""
    statement = text(f"SELECT status, count(*) AS jobs FROM {jobs.name} WHERE status = ANY(:open) GROUP BY status")
    open_ = [JobStatus.QUEUED.value, JobStatus.RUNNING.value]
    with transaction(engine) as connection:
        found = {JobStatus(row.status): row.jobs for row in connection.execute(statement, {"open": open_})}
    return {status: found.get(status, 0) for status in (JobStatus.QUEUED, JobStatus.RUNNING)}
