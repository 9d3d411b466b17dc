"""Rows of the ledger -> ticks: each chain is read from its full tick on."""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select

from controlplane.domain.decision import Tick
from controlplane.store.chains import Body, decode_brief, without_fan
from controlplane.store.codec import TICK
from controlplane.store.tables import tick_bases, tick_rows
from controlplane.store.tick_columns import unpack_ids

AnyRow = Any
"""A row of `LINKS`: SQLAlchemy's type of it depends on how many columns there are."""
LONGEST_CHAIN_S = 600.0
"""Seconds of the controller's clock from a full tick to the last that is read from it."""
LINKS = (
    tick_rows.c.sequence,
    tick_rows.c.chain,
    tick_rows.c.target_id,
    tick_rows.c.at,
    tick_rows.c.ids,
    tick_rows.c.base_id,
    tick_rows.c.body,
)


class TickReader:
    """Decodes ticks; remembers the bases it has read."""

    def __init__(self) -> None:
        self._bases: dict[int, Body] = {}

    def ticks(self, connection: Connection, wanted: Sequence[AnyRow]) -> list[Tick]:
        """The ticks of rows of `LINKS`, in the order of the rows."""
        bodies = self._bodies(connection, wanted)
        return [as_tick(bodies[row.sequence], row.ids) for row in wanted]

    def in_order(self, connection: Connection, rows: Iterator[AnyRow]) -> Iterator[tuple[AnyRow, Tick]]:
        """The ticks of rows that come in the order of their times, each chain from its beginning or from within."""
        newest: dict[int, Body] = {}
        for row in rows:
            if row.base_id is not None:
                body = decode_brief(self._base(connection, row.base_id), row.body)
            elif row.chain in newest:
                body = decode_brief(newest[row.chain], row.body)
            else:
                body = self._bodies(connection, [row])[row.sequence]
            newest[row.chain] = without_fan(body)
            if len(newest) > _OPEN_CHAINS:
                newest.pop(next(iter(newest)))
            yield row, as_tick(body, row.ids)

    def _bodies(self, connection: Connection, wanted: Sequence[AnyRow]) -> dict[int, Body]:
        """Decoded rows by sequence."""
        found: dict[int, Body] = {}
        by_target: dict[int, list[AnyRow]] = defaultdict(list)
        for row in wanted:
            if row.base_id is None:
                by_target[row.target_id].append(row)
            else:
                found[row.sequence] = decode_brief(self._base(connection, row.base_id), row.body)
        for target_id, rows in by_target.items():
            for chain in _chains(connection, target_id, rows).values():
                found |= self._walk(connection, chain, {row.sequence for row in rows})
        return found

    def _walk(self, connection: Connection, chain: list[AnyRow], wanted: set[int]) -> dict[int, Body]:
        last = max((row.sequence for row in chain if row.sequence in wanted), default=0)
        found: dict[int, Body] = {}
        body: Body | None = None
        for row in chain:
            if row.sequence > last:
                break
            if row.base_id is not None:
                body = decode_brief(self._base(connection, row.base_id), row.body)
            elif body is not None:
                body = decode_brief(without_fan(body), row.body)
            if body is not None and row.sequence in wanted:
                found[row.sequence] = body
        return found

    def _base(self, connection: Connection, base_id: int) -> Body:
        if base_id not in self._bases:
            data = connection.execute(select(tick_bases.c.body).where(tick_bases.c.id == base_id)).scalar_one()
            self._bases[base_id] = json.loads(zlib.decompress(data))
        return self._bases[base_id]


_OPEN_CHAINS = 5000
"""Chains whose newest tick is kept while a history is read: as many as there are targets, and more."""


def as_tick(body: Body, ids: bytes) -> Tick:
    """The tick that a body and its ids say."""
    group_tick_id, tick_id = unpack_ids(ids)
    return TICK.validate_python({**body, "id": tick_id, "group_tick_id": group_tick_id})


def _chains(connection: Connection, target_id: int, rows: Sequence[AnyRow]) -> dict[int, list[AnyRow]]:
    """Whole chains of one target, as far as the newest of `rows`, by their number."""
    statement = select(*LINKS).where(
        tick_rows.c.target_id == target_id,
        tick_rows.c.at >= min(row.at for row in rows) - timedelta(seconds=LONGEST_CHAIN_S),
        tick_rows.c.at <= max(row.at for row in rows),
        tick_rows.c.chain.in_({row.chain for row in rows}),
    )
    chains: dict[int, list[AnyRow]] = defaultdict(list)
    for row in connection.execute(statement.order_by(tick_rows.c.sequence)):
        chains[row.chain].append(row)
    return chains
