"""Back to whole ticks in one table: what a downgrade of the schema needs."""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select

from controlplane.store.codec import tick_row
from controlplane.store.tables import tick_rows, ticks_before
from controlplane.store.tick_reader import LINKS, TickReader

BATCH = 500


def decode_into_before(connection: Connection) -> None:
    """Write every compact tick as a whole one into `ticks_before`, in the order of arrival."""
    reader = TickReader()
    last = 0
    while True:
        page = select(*LINKS).where(tick_rows.c.sequence > last).order_by(tick_rows.c.sequence).limit(BATCH)
        rows = connection.execute(page).all()
        if not rows:
            break
        whole = [tick_row(tick) | {"sequence": row.sequence} for row, tick in reader.in_order(connection, iter(rows))]
        there = set(
            connection.execute(
                select(ticks_before.c.id).where(ticks_before.c.id.in_([row["id"] for row in whole]))
            ).scalars()
        )
        fresh = [row for row in whole if row["id"] not in there]
        if fresh:
            connection.execute(insert(ticks_before), fresh)
        last = rows[-1].sequence
    highest = select(func.coalesce(func.max(ticks_before.c.sequence), 0) + 1).scalar_subquery()
    connection.execute(select(func.setval("ticks_before_sequence_seq", highest, False)))
