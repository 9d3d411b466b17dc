"""People's overrides: rows that end by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Engine, RowMapping, and_, insert, or_, select, tuple_

from controlplane.domain.target import Override
from controlplane.store.codec import timestamp
from controlplane.store.directives import override as override_of
from controlplane.store.engine import transaction
from controlplane.store.tables import overrides
from controlplane.store.unit import Unit


@dataclass(frozen=True, slots=True)
class StoredOverride:
    """One override and its life. `ended_at_s` None: it ends when it expires."""

    id: UUID
    namespace: str
    target: str
    override: Override
    created_at_s: float
    ended_at_s: float | None
    ended_by: str | None
    version: int

    def active(self, now_s: float) -> bool:
        """Whether it holds at that time."""
        expires_at_s = self.override.expires_at_s
        return self.ended_at_s is None and (expires_at_s is None or now_s < expires_at_s)

    @property
    def was_taken_back(self) -> bool:
        """Whether somebody ended it before its time. What expired is closed too, at its own end."""
        expires_at_s = self.override.expires_at_s
        return self.ended_at_s is not None and (expires_at_s is None or self.ended_at_s < expires_at_s)


@dataclass(frozen=True, slots=True)
class OverrideFilter:
    """Which overrides. `namespaces` None: of every one. `active_at_s`: those alone that hold then."""

    namespaces: frozenset[str] | None = None
    target: str | None = None
    active_at_s: float | None = None


class Overrides:
    """Reads and writes overrides; writes are made within a `Unit`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def page(
        self, wanted: OverrideFilter, after: tuple[float, UUID] | None, limit: int
    ) -> tuple[list[StoredOverride], bool]:
        """So many, newest first, from behind `after` (creation and id of the last one seen); whether there are more."""
        statement = select(overrides).where(*_conditions(wanted))
        if after is not None:
            mark = (timestamp(after[0]), after[1])
            statement = statement.where(tuple_(overrides.c.created_at, overrides.c.id) < mark)
        statement = statement.order_by(overrides.c.created_at.desc(), overrides.c.id.desc()).limit(limit + 1)
        with transaction(self._engine) as connection:
            rows = connection.execute(statement).mappings().all()
        return [_stored(row) for row in rows[:limit]], len(rows) > limit

    def active(self, now_s: float) -> Sequence[StoredOverride]:
        """All that hold now."""
        with transaction(self._engine) as connection:
            rows = connection.execute(
                select(overrides).where(*_conditions(OverrideFilter(active_at_s=now_s)))
            ).mappings()
            return [_stored(row) for row in rows]

    def get(self, override_id: UUID) -> StoredOverride | None:
        """One; None where there is none of that id."""
        with transaction(self._engine) as connection:
            row = connection.execute(select(overrides).where(overrides.c.id == override_id)).mappings().first()
        return None if row is None else _stored(row)

    @staticmethod
    def create(unit: Unit, namespace: str, target: str, override: Override) -> StoredOverride:
        """A new one, as of now.

        Raises:
            ValueError: if it has no end: what a person forgets must not stay for ever.
        """
        expires_at_s = _end(override)
        row = {
            "id": uuid4(),
            "namespace": namespace,
            "target": target,
            "variant": override.variant,
            "kind": override.kind.value,
            "replicas": override.replicas,
            "actor": override.actor,
            "reason": override.reason,
            "created_at": timestamp(unit.now_s),
            "expires_at": timestamp(expires_at_s),
        }
        return _stored(unit.connection.execute(insert(overrides).values(row).returning(overrides)).mappings().one())

    @staticmethod
    def change(unit: Unit, override_id: UUID, version: int, override: Override) -> StoredOverride:
        """Another count, end or reason; the kind, the variant and whom it concerns stay.

        Raises:
            VersionMismatch, KeyError: see `Unit.changed`.
            ValueError: if it has no end.
        """
        values = {
            "replicas": override.replicas,
            "expires_at": timestamp(_end(override)),
            "actor": override.actor,
            "reason": override.reason,
        }
        return _stored(unit.changed(overrides, f"overrides/{override_id}", override_id, version, values))

    @staticmethod
    def end(unit: Unit, override_id: UUID, version: int) -> StoredOverride:
        """Take one back now.

        Raises:
            VersionMismatch, KeyError: see `Unit.changed`.
        """
        values = {"ended_at": timestamp(unit.now_s), "ended_by": unit.request.principal.id}
        return _stored(unit.changed(overrides, f"overrides/{override_id}", override_id, version, values))


def _end(override: Override) -> float:
    if override.expires_at_s is None:
        raise ValueError("an override of the API needs an end")
    return override.expires_at_s


def _conditions(wanted: OverrideFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.namespaces is not None:
        conditions.append(overrides.c.namespace.in_(sorted(wanted.namespaces)))
    if wanted.target is not None:
        conditions.append(overrides.c.target == wanted.target)
    if wanted.active_at_s is not None:
        now = timestamp(wanted.active_at_s)
        ended = or_(overrides.c.ended_at.is_(None), overrides.c.ended_at > now)
        conditions.append(and_(ended, overrides.c.expires_at > now))
    return conditions


def _stored(row: RowMapping) -> StoredOverride:
    ended = row["ended_at"]
    return StoredOverride(
        id=row["id"],
        namespace=row["namespace"],
        target=row["target"],
        override=override_of(row),
        created_at_s=row["created_at"].timestamp(),
        ended_at_s=None if ended is None else ended.timestamp(),
        ended_by=row["ended_by"],
        version=row["version"],
    )
