"""`Directives` in PostgreSQL: overrides, freezes and prices in one statement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, RowMapping, Select, Table, and_, func, literal, or_, select, union_all

from controlplane.domain.directives import DirectiveSet, PriceKind, PriceOverride, ScopedFreeze
from controlplane.domain.ports import LedgerUnavailable
from controlplane.domain.target import Freeze, FreezeDirection, Origin, Override, OverrideKind
from controlplane.store.codec import timestamp
from controlplane.store.engine import transaction
from controlplane.store.tables import catalog_overrides, freezes, overrides

Row = Mapping[str, Any] | RowMapping
"""One row of a table: as SQLAlchemy reads it, or as PostgreSQL writes it in JSON, where times are text."""


class PostgresDirectives:
    """Reads what is in force or will be. Indexes on the ends keep it from the past, however long that is."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def current(self, now_s: float) -> DirectiveSet:
        """See `Directives`."""
        statement = union_all(*(_living(table, end, now_s) for table, end in _ENDS.items()))
        with transaction(self._engine) as connection:
            found = connection.execute(statement).all()
        rows: dict[str, list[Row]] = {table.name: [] for table in _ENDS}
        for name, row in found:
            rows[name].append(row)
        return DirectiveSet(
            overrides=_by_target(sorted(rows["overrides"], key=_made)),
            freezes=tuple(scoped_freeze(row) for row in sorted(rows["freezes"], key=_made)),
            prices=tuple(price_override(row) for row in sorted(rows["catalog_overrides"], key=_made)),
        )


class MemoryDirectives:
    """`Directives` in memory; set `away` to make them unavailable."""

    def __init__(self, data: DirectiveSet = DirectiveSet()) -> None:
        self.data = data
        self.away = False
        self.asked = 0

    def current(self, now_s: float) -> DirectiveSet:  # noqa: ARG002 (the port's)
        """As `PostgresDirectives.current`."""
        self.asked += 1
        if self.away:
            raise LedgerUnavailable("the directives are away on purpose")
        return self.data


_ENDS = {overrides: "expires_at", freezes: "ends_at", catalog_overrides: "expires_at"}
"""The tables and the column in which each says when a row ends by itself."""


def _living(table: Table, end: str, now_s: float) -> Select[Any]:
    ends = table.c[end]
    still = or_(ends.is_(None), ends > timestamp(now_s)) if ends.nullable else ends > timestamp(now_s)
    row = func.to_jsonb(table.table_valued())
    return select(literal(table.name), row).where(and_(table.c.ended_at.is_(None), still))


def _made(row: Row) -> tuple[float, str]:
    return seconds(row["created_at"]), str(row["id"])


def _by_target(rows: Iterable[Row]) -> dict[str, tuple[Override, ...]]:
    found: dict[str, list[Override]] = defaultdict(list)
    for row in rows:
        found[f"{row['namespace']}/{row['target']}"].append(override(row))
    return {key: tuple(said) for key, said in sorted(found.items())}


def override(row: Row) -> Override:
    """A row of `overrides`."""
    return Override(
        kind=OverrideKind(row["kind"]),
        replicas=row["replicas"],
        variant=row["variant"],
        expires_at_s=seconds(row["expires_at"]),
        actor=row["actor"],
        reason=row["reason"],
        origin=Origin.API,
        id=str(row["id"]),
        created_at_s=seconds(row["created_at"]),
    )


def scoped_freeze(row: Row) -> ScopedFreeze:
    """A row of `freezes`."""
    freeze = Freeze(
        direction=FreezeDirection(row["direction"]),
        starts_at_s=seconds(row["starts_at"]),
        ends_at_s=seconds(row["ends_at"]),
        actor=row["actor"],
        reason=row["reason"],
        id=str(row["id"]),
    )
    return ScopedFreeze(row["namespace"], row["target"], freeze)


def price_override(row: Row) -> PriceOverride:
    """A row of `catalog_overrides`; money is decimal text there."""
    body: Mapping[str, str | None] = row["body"]
    return PriceOverride(
        kind=PriceKind(row["kind"]),
        name=row["name"],
        usd_per_hour=_usd(body.get("usd_per_hour")),
        spot_usd_per_hour=_usd(body.get("spot_usd_per_hour")),
        expires_at_s=None if row["expires_at"] is None else seconds(row["expires_at"]),
        actor=row["actor"],
        reason=row["reason"],
        id=str(row["id"]),
    )


def _usd(text: str | None) -> float | None:
    return None if text is None else float(text)


def seconds(at: datetime | str) -> float:
    """Unix seconds of a column's value."""
    return (datetime.fromisoformat(at) if isinstance(at, str) else at).timestamp()
