"""What ended by itself gets its row in the audit, once, in Tidegate's own name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, Table, select, update

from controlplane.domain.access import SYSTEM
from controlplane.store.codec import timestamp
from controlplane.store.engine import transaction
from controlplane.store.tables import catalog_overrides, freezes, overrides
from controlplane.store.unit import Request, Unit

BATCH = 500
"""Rows a transaction: a night's worth, and no lock is held for long."""
_ENDS = (
    (overrides, "expires_at", "override"),
    (freezes, "ends_at", "freeze"),
    (catalog_overrides, "expires_at", "price"),
)


def note_expired(engine: Engine, now_s: float) -> int:
    """Audit all overrides, freezes and prices whose end has come; how many there were.

    A row is closed and audited in one transaction, and a closed one is not looked at again: so twice, or two at once,
    audit it once.

    Raises:
        LedgerUnavailable: if the database does not answer.
    """
    return sum(_note_all(engine, table, end, word, now_s) for table, end, word in _ENDS)


def _note_all(engine: Engine, table: Table, end: str, word: str, now_s: float) -> int:
    noted = 0
    while True:
        with transaction(engine) as connection:
            count = _note_some(connection, table, end, word, now_s)
        noted += count
        if count < BATCH:
            return noted


def _note_some(connection: Connection, table: Table, end: str, word: str, now_s: float) -> int:
    unit = Unit(connection, Request(SYSTEM, "", f"expiry-{uuid4().hex}", now_s))
    over = select(table.c.id).where(table.c.ended_at.is_(None), table.c[end] <= timestamp(now_s))
    mine = over.limit(BATCH).with_for_update(skip_locked=True)
    values: dict[str, Any] = {"ended_at": table.c[end], "ended_by": SYSTEM.id}
    if table is not catalog_overrides:  # whose versions count what was said of one thing
        values["version"] = table.c.version + 1
    statement = update(table).where(table.c.id.in_(mine.scalar_subquery())).values(values).returning(*table.c)
    rows = [dict(row) for row in connection.execute(statement).mappings()]
    for row in rows:
        before, after = _row({**row, "ended_at": None, "ended_by": None}), _row(row)
        unit.audit(f"{word}.expire", f"{_PLACES[word]}/{row['id']}", _namespace(row), before, after)
    return len(rows)


_PLACES = {"override": "overrides", "freeze": "freezes", "price": "prices"}


def _namespace(row: Mapping[str, Any]) -> str | None:
    if "namespace" in row:
        found: str | None = row["namespace"]
        return found
    return str(row["name"]).split("/")[0] if row["kind"] == "Variant" else None


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON: times and ids as text."""
    return {k: v if isinstance(v, (int, float, dict, type(None))) else str(v) for k, v in row.items()}
