"""Ticks that versions before wrote whole, written compactly, batch by batch, while everything runs."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, exists, select, text, update
from sqlalchemy.dialects.postgresql import insert

from controlplane.domain.decision import Tick
from controlplane.store.codec import TICK
from controlplane.store.engine import transaction
from controlplane.store.tables import rollup_progress, ticks_before
from controlplane.store.tick_writer import TickWriter

BATCH = 200
"""Ticks of one transaction: a second or so."""
AT_ONCE = 20_000
"""Ticks of one call, two minutes or so: the next call goes on."""
_NAME = "carried over"


def carry_over(engine: Engine, at_once: int = AT_ONCE) -> int:
    """Carry ticks of before over, oldest first, as many as one call does; how many. What is there already is left
    alone. The old table is emptied when all are there."""
    writer, carried, seen = TickWriter(), 0, 0
    while seen < at_once:
        with transaction(engine) as connection:
            last = _progress(connection)
            page = select(ticks_before.c.sequence, ticks_before.c.body).where(ticks_before.c.sequence > last)
            rows = connection.execute(page.order_by(ticks_before.c.sequence).limit(BATCH)).all()
            if not rows:
                _empty(connection, last)
                break
            whole: list[Tick] = [TICK.validate_python(row.body) for row in rows]
            carried += writer.write(connection, whole)
            note = update(rollup_progress).where(rollup_progress.c.name == _NAME)
            connection.execute(note.values(sequence=rows[-1].sequence))
        seen += len(rows)
    return carried


def _progress(connection: Connection) -> int:
    """The last that was carried over; its row is held, so that two do not carry the same ones."""
    first = insert(rollup_progress).values(name=_NAME, sequence=0)
    connection.execute(first.on_conflict_do_nothing(index_elements=["name"]))
    held = select(rollup_progress.c.sequence).where(rollup_progress.c.name == _NAME).with_for_update()
    return int(connection.execute(held).scalar_one())


def _empty(connection: Connection, last: int) -> None:
    if connection.execute(select(exists().where(ticks_before.c.sequence <= last))).scalar():
        connection.execute(text("TRUNCATE ticks_before"))
