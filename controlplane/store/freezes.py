"""Freezes: times in which nothing changes, or nothing goes down. They begin and end by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Engine, RowMapping, insert, or_, select, tuple_

from controlplane.domain.directives import ScopedFreeze
from controlplane.store.codec import timestamp
from controlplane.store.directives import scoped_freeze
from controlplane.store.engine import transaction
from controlplane.store.tables import freezes
from controlplane.store.unit import Unit


@dataclass(frozen=True, slots=True)
class StoredFreeze:
    """One freeze and its life. `ended_at_s` None: it ends at `ends_at_s`."""

    id: UUID
    scoped: ScopedFreeze
    created_at_s: float
    ended_at_s: float | None
    ended_by: str | None
    version: int

    def is_over(self, now_s: float) -> bool:
        """Whether it was ended, or has ended by itself."""
        return self.ended_at_s is not None or self.scoped.freeze.ends_at_s <= now_s


@dataclass(frozen=True, slots=True)
class FreezeFilter:
    """Which freezes. `namespaces` None: of every one; those of every namespace are always among them.

    `active_at_s`: those alone that hold then, or are still to begin.
    """

    namespaces: frozenset[str] | None = None
    target: str | None = None
    active_at_s: float | None = None


class Freezes:
    """Reads and writes freezes; writes are made within a `Unit`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def page(
        self, wanted: FreezeFilter, after: tuple[float, UUID] | None, limit: int
    ) -> tuple[list[StoredFreeze], bool]:
        """So many, newest first, from behind `after` (creation and id of the last one seen); whether there are more."""
        statement = select(freezes).where(*_conditions(wanted))
        if after is not None:
            mark = (timestamp(after[0]), after[1])
            statement = statement.where(tuple_(freezes.c.created_at, freezes.c.id) < mark)
        statement = statement.order_by(freezes.c.created_at.desc(), freezes.c.id.desc()).limit(limit + 1)
        with transaction(self._engine) as connection:
            rows = connection.execute(statement).mappings().all()
        return [_stored(row) for row in rows[:limit]], len(rows) > limit

    def get(self, freeze_id: UUID) -> StoredFreeze | None:
        """One; None where there is none of that id."""
        with transaction(self._engine) as connection:
            row = connection.execute(select(freezes).where(freezes.c.id == freeze_id)).mappings().first()
        return None if row is None else _stored(row)

    @staticmethod
    def create(unit: Unit, scoped: ScopedFreeze) -> StoredFreeze:
        """A new one."""
        row = {
            "id": uuid4(),
            "namespace": scoped.namespace,
            "target": scoped.target,
            "direction": scoped.freeze.direction.value,
            "actor": scoped.freeze.actor,
            "reason": scoped.freeze.reason,
            "created_at": timestamp(unit.now_s),
            "starts_at": timestamp(scoped.freeze.starts_at_s),
            "ends_at": timestamp(scoped.freeze.ends_at_s),
        }
        return _stored(unit.connection.execute(insert(freezes).values(row).returning(freezes)).mappings().one())

    @staticmethod
    def end(unit: Unit, freeze_id: UUID, version: int) -> StoredFreeze:
        """End one now.

        Raises:
            VersionMismatch, KeyError: see `Unit.changed`.
        """
        values = {"ended_at": timestamp(unit.now_s), "ended_by": unit.request.principal.id}
        return _stored(unit.changed(freezes, f"freezes/{freeze_id}", freeze_id, version, values))


def _conditions(wanted: FreezeFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.namespaces is not None:
        concerned = freezes.c.namespace.in_(sorted(wanted.namespaces))
        conditions.append(or_(freezes.c.namespace.is_(None), concerned))
    if wanted.target is not None:
        conditions.append(or_(freezes.c.target.is_(None), freezes.c.target == wanted.target))
    if wanted.active_at_s is not None:
        conditions += [freezes.c.ended_at.is_(None), freezes.c.ends_at > timestamp(wanted.active_at_s)]
    return conditions


def _stored(row: RowMapping) -> StoredFreeze:
    ended = row["ended_at"]
    return StoredFreeze(
        id=row["id"],
        scoped=scoped_freeze(row),
        created_at_s=row["created_at"].timestamp(),
        ended_at_s=None if ended is None else ended.timestamp(),
        ended_by=row["ended_by"],
        version=row["version"],
    )
