"""The auditor's read side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Engine, RowMapping, select

from controlplane.store.codec import timestamp
from controlplane.store.engine import transaction
from controlplane.store.tables import audit


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One write: who, what, from what to what, from where."""

    id: int
    at_s: float
    recorded_at_s: float
    actor: str
    actor_kind: str
    action: str
    resource: str
    namespace: str | None
    before: Any
    after: Any
    source_ip: str
    request_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which rows. `namespaces` None: of every one, and of none. Times are unix seconds of the controller's clock."""

    namespaces: frozenset[str] | None = None
    actor: str | None = None
    action: str | None = None
    """Exactly, or what begins with it where it ends with a dot."""
    resource: str | None = None
    request_id: str | None = None
    since_s: float | None = None
    until_s: float | None = None


class Audits:
    """Reads the audit rows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def page(self, wanted: AuditFilter, before: int | None, limit: int) -> tuple[list[AuditRow], bool]:
        """So many, newest first, from below id `before`; whether there are more."""
        conditions = _conditions(wanted)
        if before is not None:
            conditions.append(audit.c.id < before)
        statement = select(audit).where(*conditions).order_by(audit.c.id.desc()).limit(limit + 1)
        with transaction(self._engine) as connection:
            rows = connection.execute(statement).mappings().all()
        return [_row(row) for row in rows[:limit]], len(rows) > limit

    def export(self, wanted: AuditFilter) -> Iterator[AuditRow]:
        """All of them, oldest first, read in pieces."""
        statement = select(audit).where(*_conditions(wanted)).order_by(audit.c.id)
        with transaction(self._engine) as connection:
            streamed = connection.execution_options(yield_per=500, stream_results=True).execute(statement)
            for row in streamed.mappings():
                yield _row(row)


def _conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.namespaces is not None:
        found.append(audit.c.namespace.in_(sorted(wanted.namespaces)))
    for column, value in ((audit.c.actor, wanted.actor), (audit.c.resource, wanted.resource)):
        if value is not None:
            found.append(column == value)
    if wanted.request_id is not None:
        found.append(audit.c.request_id == wanted.request_id)
    if wanted.action is not None:
        exactly = audit.c.action == wanted.action
        found.append(
            audit.c.action.startswith(wanted.action, autoescape=True) if wanted.action.endswith(".") else exactly
        )
    if wanted.since_s is not None:
        found.append(audit.c.at >= timestamp(wanted.since_s))
    if wanted.until_s is not None:
        found.append(audit.c.at < timestamp(wanted.until_s))
    return found


def _row(row: RowMapping) -> AuditRow:
    fields = {**row}
    return AuditRow(
        **{name: fields[name] for name in AuditRow.__dataclass_fields__ if name in fields},
        at_s=row["at"].timestamp(),
        recorded_at_s=row["recorded_at"].timestamp(),
    )
