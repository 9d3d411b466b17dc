"""Ticks that versions before wrote whole, written compactly, batch by batch, while everything runs."""

from __future__ import annotations

from sqlalchemy import Engine, exists, select, text

from controlplane.domain.decision import Tick
from controlplane.store.codec import TICK
from controlplane.store.engine import transaction
from controlplane.store.tables import ticks_before
from controlplane.store.tick_writer import TickWriter

BATCH = 500


def carry_over(engine: Engine) -> int:
    """Carry every tick of before over, oldest first; how many. What is there already is left alone.

    The old table is emptied when all are there.
    """
    writer, last, carried = TickWriter(), 0, 0
    while True:
        with transaction(engine) as connection:
            page = select(ticks_before.c.sequence, ticks_before.c.body).where(ticks_before.c.sequence > last)
            rows = connection.execute(page.order_by(ticks_before.c.sequence).limit(BATCH)).all()
            whole: list[Tick] = [TICK.validate_python(row.body) for row in rows]
            if whole:
                carried += writer.write(connection, whole)
        if not rows:
            break
        last = rows[-1].sequence
    if last:
        with transaction(engine) as connection:
            newer = connection.execute(select(exists().where(ticks_before.c.sequence > last))).scalar()
            if not newer:
                connection.execute(text("TRUNCATE ticks_before"))
    return carried
