"""Rows of the ledger -> ticks: each chain is read from its full tick on."""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, Integer, column, func, literal, select, true
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.types import TypeEngine

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
BASES_KEPT = 2000
"""Bases that are remembered, of some 50 kB each when read: a few for each target of a large fleet."""
_OPEN_CHAINS = 5000
"""Chains whose newest tick is kept while a history is read: as many as there are targets, and more."""


@dataclass(frozen=True, slots=True)
class _Head:
    """The newest tick of a target that was read."""

    row: AnyRow
    body: Body
    tick: Tick


class TickReader:
    """Decodes ticks; remembers the bases it has read, and the newest ticks."""

    def __init__(self) -> None:
        self._bases: dict[int, Body] = {}
        self._heads: dict[int, _Head] = {}

    def ticks(self, connection: Connection, wanted: Sequence[AnyRow]) -> list[Tick]:
        """The ticks of rows of `LINKS`, in the order of the rows."""
        bodies = self._bodies(connection, wanted)
        return [as_tick(bodies[row.sequence], row.ids) for row in wanted]

    def newest(self, connection: Connection, wanted: Sequence[AnyRow]) -> list[Tick]:
        """As `ticks`, of one row of each target, each newer than the last time: what was read then is gone on from."""
        known = {row.target_id: self._heads.get(row.target_id) for row in wanted}
        fresh = [row for row in wanted if (head := known[row.target_id]) is None or head.row.sequence != row.sequence]
        bodies = self._bodies(connection, fresh, {h.row.chain: h for h in known.values() if h is not None})
        for row in fresh:
            body = bodies[row.sequence]
            self._heads[row.target_id] = _Head(row, body, as_tick(body, row.ids))
        return [self._heads[row.target_id].tick for row in wanted]

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

    def bases(self, connection: Connection, rows: Sequence[AnyRow]) -> dict[int, Body]:
        """Whole ticks of the same target, policy and planner as those of `rows`, by chain; no tick is read."""
        columns = tick_rows.c.chain, tick_rows.c.base_id
        if not rows:
            return {}
        full = select(*columns).where(
            tick_rows.c.target_id.in_({row.target_id for row in rows}),
            tick_rows.c.at >= min(row.at for row in rows) - timedelta(seconds=LONGEST_CHAIN_S),
            tick_rows.c.at <= max(row.at for row in rows),
            tick_rows.c.sequence.in_({row.chain for row in rows}),
        )
        found = connection.execute(full).all()
        self._learn(connection, {row.base_id for row in found})
        return {row.chain: self._base(connection, row.base_id) for row in found}

    def _bodies(
        self, connection: Connection, wanted: Sequence[AnyRow], known: Mapping[int, _Head] | None = None
    ) -> dict[int, Body]:
        """Decoded rows by sequence. `known`: what was read before, by chain."""
        found: dict[int, Body] = {}
        brief: dict[int, list[AnyRow]] = defaultdict(list)
        self._learn(connection, {row.base_id for row in wanted})
        for row in wanted:
            if row.base_id is None:
                brief[row.chain].append(row)
            else:
                found[row.sequence] = decode_brief(self._base(connection, row.base_id), row.body)
        heads = known or {}
        chains = _links(connection, brief, heads)
        self._learn(connection, {link.base_id for links in chains.values() for link in links})
        for chain, links in chains.items():
            found |= self._walk(connection, links, {row.sequence for row in brief[chain]}, heads.get(chain))
        return found

    def _walk(
        self, connection: Connection, links: list[AnyRow], wanted: set[int], head: _Head | None
    ) -> dict[int, Body]:
        found: dict[int, Body] = {}
        body = None if head is None else head.body
        for row in links:
            if row.base_id is not None:
                body = decode_brief(self._base(connection, row.base_id), row.body)
            elif body is not None:
                body = decode_brief(without_fan(body), row.body)
            if body is not None and row.sequence in wanted:
                found[row.sequence] = body
        return found

    def _learn(self, connection: Connection, ids: AbstractSet[int | None]) -> None:
        """Read bases that are not known yet, all at once."""
        unknown = [one for one in ids if one is not None and one not in self._bases]
        if unknown:
            read = select(tick_bases.c.id, tick_bases.c.body).where(tick_bases.c.id.in_(unknown))
            found = {row.id: json.loads(zlib.decompress(row.body)) for row in connection.execute(read)}
            # Replaced whole, since threads share it; the oldest go.
            kept = list((self._bases | found).items())
            self._bases = dict(kept[-max(BASES_KEPT, len(found)) :])

    def _base(self, connection: Connection, base_id: int) -> Body:
        known = self._bases.get(base_id)
        if known is not None:
            return known
        self._learn(connection, {base_id})
        return self._base(connection, base_id)


def as_tick(body: Body, ids: bytes) -> Tick:
    """The tick that a body and its ids say."""
    group_tick_id, tick_id = unpack_ids(ids)
    return TICK.validate_python({**body, "id": tick_id, "group_tick_id": group_tick_id})


def _links(
    connection: Connection, brief: Mapping[int, Sequence[AnyRow]], heads: Mapping[int, _Head]
) -> dict[int, list[AnyRow]]:
    """Of each chain the rows as far as the newest that is wanted, from its first or from what is known on."""
    if not brief:
        return {}
    starts = {chain: _start(rows, heads.get(chain)) for chain, rows in brief.items()}
    ends = {chain: max(rows, key=lambda row: row.sequence) for chain, rows in brief.items()}
    wanted: dict[str, tuple[TypeEngine[Any], list[Any]]] = {
        "chain": (BigInteger(), list(brief)),
        "target_id": (Integer(), [ends[chain].target_id for chain in brief]),
        "since": (TIMESTAMP(timezone=True), [starts[chain] for chain in brief]),
        "last": (BigInteger(), [ends[chain].sequence for chain in brief]),
    }
    arrays = (literal(values, ARRAY(kind)) for kind, values in wanted.values())
    columns = (column(name, kind) for name, (kind, _) in wanted.items())
    one = func.unnest(*arrays).table_valued(*columns, name="one").render_derived()
    row = tick_rows.c
    # Said of all of them too, so that no other days are looked at.
    bounds = row.at >= min(starts.values()), row.at <= max(end.at for end in ends.values())
    same = row.target_id == one.c.target_id, row.at >= one.c.since, row.chain == one.c.chain
    links = select(*LINKS).where(*bounds, *same, row.sequence <= one.c.last).lateral("links")
    found: dict[int, list[AnyRow]] = defaultdict(list)
    statement = select(*links.c).select_from(one.join(links, true())).order_by(links.c.sequence)
    for link in connection.execute(statement):
        head = heads.get(link.chain)
        if head is None or link.sequence > head.row.sequence:
            found[link.chain].append(link)
    return found


def _start(rows: Sequence[AnyRow], head: _Head | None) -> datetime:
    """From when on a chain is read."""
    if head is not None and all(row.sequence > head.row.sequence for row in rows):
        at: datetime = head.row.at
        return at
    first: datetime = min(row.at for row in rows)
    return first - timedelta(seconds=LONGEST_CHAIN_S)
