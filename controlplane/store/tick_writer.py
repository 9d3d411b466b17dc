"""Ticks -> rows of the ledger: full ones at every change and every few minutes, brief ones between."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.dialects.postgresql import insert

from controlplane.domain.decision import Tick, Verdict
from controlplane.store.chains import Body, decode_brief, encode_brief, text, without_fan
from controlplane.store.codec import TICK, timestamp
from controlplane.store.tables import tick_bases, tick_rows, tick_sequence, tick_targets, tick_texts
from controlplane.store.tables.ticks import VERDICTS
from controlplane.store.tick_columns import fleet_parts, gauges_of, pack_ids, reason_parts
from controlplane.store.tick_reader import LONGEST_CHAIN_S

DAY_S = 86_400.0
CHANGED = ("target", "cold_starts", "surroundings")
"""Inputs whose change is worth a full tick."""


@dataclass(slots=True)
class _Chain:
    """The chain that a target's next tick may go on."""

    number: int
    began_at_s: float
    newest: Body


class TickWriter:
    """Writes ticks. What it remembers of a transaction that failed must be forgotten: see `forget`."""

    def __init__(self) -> None:
        self._chains: dict[str, _Chain] = {}
        self._names: dict[tuple[str, bytes], int] = {}
        self._bases: dict[int, Body] = {}
        self._days: set[str] = set()

    def forget(self) -> None:
        """Begin anew: the next tick of every target is a full one."""
        self.__init__()  # type: ignore[misc]

    def write(self, connection: Connection, new: Sequence[Tick]) -> int:
        """Insert those that are not there; how many were."""
        self._partitions(connection, new)
        fresh = _not_there(connection, new)
        if not fresh:
            return 0
        numbers = select(func.nextval(tick_sequence.name)).select_from(func.generate_series(1, len(fresh)))
        sequences = sorted(connection.execute(numbers).scalars())
        rows = [self._row(connection, tick, number) for tick, number in zip(fresh, sequences, strict=True)]
        connection.execute(insert(tick_rows), rows)
        return len(rows)

    def _partitions(self, connection: Connection, new: Sequence[Tick]) -> None:
        for day in {timestamp(tick.at_s).strftime("%Y-%m-%d") for tick in new} - self._days:
            connection.execute(select(func.make_tick_partition(func.to_date(day, "YYYY-MM-DD"))))
            self._days.add(day)

    def _row(self, connection: Connection, tick: Tick, sequence: int) -> dict[str, Any]:
        words, numbers = reason_parts(tick.decision.reason)
        fleet_words, fleet = fleet_parts(tick)
        chain, base_id, body = self._encoded(connection, tick, sequence)
        return {
            "at": timestamp(tick.at_s),
            "sequence": sequence,
            "chain": chain,
            "target_id": self._id(connection, tick_targets, tick.inputs.target.key.encode()),
            "text_id": self._id(connection, tick_texts, words.encode()),
            "fleet_id": self._id(connection, tick_texts, fleet_words.encode()),
            "base_id": base_id,
            **gauges_of(tick),
            "verdict": VERDICTS.index(tick.decision.verdict.value),
            "applied": any(a.result == "applied" for a in tick.actuations),
            "ids": pack_ids(tick.group_tick_id, tick.id),
            "numbers": numbers,
            "fleet": fleet,
            "body": body,
        }

    def _encoded(self, connection: Connection, tick: Tick, sequence: int) -> tuple[int, int | None, bytes]:
        """The chain, the base of a full tick, and the bytes; proven by reading them."""
        body: Body = TICK.dump_python(tick, mode="json", exclude={"id", "group_tick_id"})
        key, peaks = tick.inputs.target.key, without_fan(body)
        chain = self._chains.get(key)
        if chain is not None and _goes_on(chain, tick, peaks):
            data = encode_brief(chain.newest, peaks)
            if decode_brief(chain.newest, data) == peaks:
                chain.newest = peaks
                return chain.number, None, data
        base_id = self._base(connection, body)
        self._chains[key] = _Chain(sequence, tick.at_s, peaks)
        return sequence, base_id, self._full(body, base_id)

    def _full(self, body: Body, base_id: int) -> bytes:
        base = self._bases[base_id]
        data = encode_brief(base, body)
        if decode_brief(base, data) != body:
            raise ValueError(f"a tick of {body['inputs']['target']['name']} does not come back as it is")
        return data

    def _base(self, connection: Connection, body: Body) -> int:
        """A whole tick of the same target, planner and kind: made where there is none."""
        inputs = body["inputs"]
        kind = [body["planner_version"], inputs["target"], _kind(body)]
        digest = hashlib.sha256(text(kind)).digest()
        name = ("tick_bases", digest)
        if name not in self._names:
            made = insert(tick_bases).values(digest=digest, body=zlib.compress(text(body), 9))
            connection.execute(made.on_conflict_do_nothing(index_elements=["digest"]))
            query = select(tick_bases.c.id, tick_bases.c.body).where(tick_bases.c.digest == digest)
            row = connection.execute(query).one()
            self._names[name] = row.id
            self._bases[row.id] = _json(row.body)
        return self._names[name]

    def _id(self, connection: Connection, table: Table, words: bytes) -> int:
        name = (table.name, words)
        if name not in self._names:
            known = table.c.key if table is tick_targets else table.c.digest
            value = words.decode() if table is tick_targets else hashlib.sha256(words).digest()
            there = connection.execute(select(table.c.id).where(known == value)).scalar()
            if there is None:
                row = {known.name: value} if table is tick_targets else {known.name: value, "text": words.decode()}
                connection.execute(insert(table).values(row).on_conflict_do_nothing(index_elements=[known.name]))
                there = connection.execute(select(table.c.id).where(known == value)).scalar_one()
            self._names[name] = there
        return self._names[name]


def _json(data: bytes) -> Body:
    found: Body = json.loads(zlib.decompress(data))
    return found


def _kind(body: Body) -> list[bool]:
    """What is there at all: a tick without a load says nothing of one with."""
    inputs = body["inputs"]
    return [inputs["forecast"] is None, inputs["observation"]["load"] is None, body["plan"]["demand"] is None]


def _goes_on(chain: _Chain, tick: Tick, new: Body) -> bool:
    """Whether a tick may be a brief one."""
    before = chain.newest
    return (
        tick.decision.verdict is Verdict.HOLD
        and not tick.actuations
        and tick.validation is None
        and not tick.inputs.observation.faults
        and chain.newest["at_s"] < tick.at_s < chain.began_at_s + LONGEST_CHAIN_S
        and tick.at_s // DAY_S == chain.began_at_s // DAY_S  # a chain goes with its day
        and all(before[name] == new[name] for name in ("planner_version", "inventory", "spool_writable"))
        and all(before["inputs"][name] == new["inputs"][name] for name in CHANGED)
        and before["decision"]["current"] == new["decision"]["current"]
        and _kind(before) == _kind(new)
    )


def _not_there(connection: Connection, new: Sequence[Tick]) -> list[Tick]:
    """Those that the ledger has not, each once."""
    packed = {pack_ids(tick.group_tick_id, tick.id): tick for tick in new}
    times = [timestamp(tick.at_s) for tick in new]
    known = select(tick_rows.c.ids).where(
        tick_rows.c.at >= min(times),
        tick_rows.c.at <= max(times) + timedelta(microseconds=1),
        tick_rows.c.ids.in_(list(packed)),
    )
    there = set(connection.execute(known).scalars())
    return [tick for ids, tick in packed.items() if ids not in there]
