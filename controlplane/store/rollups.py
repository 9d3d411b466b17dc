"""Sums of ticks by hour: what reports and counters read, whatever becomes of the ticks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, func, select, text

from controlplane.store.codec import timestamp
from controlplane.store.engine import transaction
from controlplane.store.tables import rollup_progress, rollups, tick_rows, tick_targets
from controlplane.store.tables.ticks import VERDICTS

HELD_S = 300.0
"""A tick speaks for the time until the next, but no longer: beyond it nobody was there to see."""
BATCH = 20_000
"""Ticks whose hours are brought up to date in one transaction."""
_NAME = "hours"
LAG = 1000
"""Sequences that the newest may be ahead of one that is still to be committed: they are looked at again."""


@dataclass(frozen=True, slots=True)
class Rollup:
    """One hour of a target (`variant` empty) or of one of its variants. `at_s` is its start, unix seconds.

    `requests` is the rate summed over time, `met` of `known` ones met the SLO; `ups` and `downs` are decisions.
    Of a variant: requests, known and met are nought, since they are not told apart.
    """

    target: str
    variant: str
    at_s: float
    seconds: float
    requests: float
    known: float
    met: float
    replica_seconds: float
    usd: Decimal
    ups: int
    downs: int
    ticks: int
    verdicts: Mapping[str, int]


class Rollups:
    """Reads them. Every method may raise `LedgerUnavailable`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def hours(
        self, namespaces: Sequence[str] | None, target: str | None, since_s: float, until_s: float
    ) -> list[Rollup]:
        """Hours that begin in `[since_s, until_s)`, by target, variant and time; None: of every one."""
        wanted = select(rollups).where(rollups.c.at >= timestamp(since_s), rollups.c.at < timestamp(until_s))
        if namespaces is not None:
            wanted = wanted.where(func.split_part(rollups.c.target, "/", 1).in_(list(namespaces)))
        if target is not None:
            wanted = wanted.where(rollups.c.target == target)
        with transaction(self._engine) as connection:
            rows = connection.execute(wanted.order_by(rollups.c.target, rollups.c.variant, rollups.c.at)).all()
        return [_rollup(row) for row in rows]


def _rollup(row: Any) -> Rollup:
    values = {name: getattr(row, name) for name in Rollup.__slots__ if name != "at_s"}
    return Rollup(**values, at_s=row.at.timestamp())


def roll_up(connection: Connection, batch: int = BATCH) -> int:
    """Bring the hours of the next ticks up to date; how many ticks were taken. Whole hours are summed anew, so that a
    tick that came late, or twice, counts once."""
    done = connection.execute(
        select(rollup_progress.c.sequence).where(rollup_progress.c.name == _NAME).with_for_update()
    ).scalar()
    after = max((done or 0) - LAG, 0)
    page = (
        select(tick_rows.c.sequence, tick_rows.c.at, tick_rows.c.target_id)
        .where(tick_rows.c.sequence > after)
        .order_by(tick_rows.c.sequence)
        .limit(batch + LAG)
    ).subquery()
    hour, newest = func.date_trunc("hour", page.c.at, "UTC").label("hour"), func.max(page.c.sequence).label("last")
    hours = select(page.c.target_id, hour, newest).group_by(page.c.target_id, text("2"))
    found = connection.execute(hours).all()
    last = max((row.last for row in found), default=0)
    if last <= (done or 0):
        return 0
    for row in found:
        connection.execute(text(_HOUR), {"target": row.target_id, "hour": row.hour, "held": HELD_S})
        connection.execute(text(_VARIANTS), {"target": row.target_id, "hour": row.hour, "held": HELD_S})
    connection.execute(
        text(
            "INSERT INTO rollup_progress (name, sequence) VALUES (:name, :last) "
            "ON CONFLICT (name) DO UPDATE SET sequence = excluded.sequence"
        ),
        {"name": _NAME, "last": last},
    )
    return last - (done or 0)


_TICKS = """
WITH seen AS (
  SELECT r.at, r.requests_per_s, r.attainment, r.usd_per_hour, r.verdict, r.sequence, r.text_id, r.numbers,
    lead(r.at) OVER (ORDER BY r.at, r.sequence) AS following
  FROM tick_rows r
  WHERE r.target_id = :target AND r.at >= :hour AND r.at < CAST(:hour AS timestamptz) + interval '1 hour 5 minutes'
), held AS (
  SELECT *, least(extract(epoch FROM coalesce(following, at) - at)::float8, :held) AS s
  FROM seen WHERE at < CAST(:hour AS timestamptz) + interval '1 hour'
)
"""
_MERGE = """
ON CONFLICT (target, variant, at) DO UPDATE SET seconds = excluded.seconds, requests = excluded.requests,
  known = excluded.known, met = excluded.met, replica_seconds = excluded.replica_seconds, usd = excluded.usd,
  ups = excluded.ups, downs = excluded.downs, ticks = excluded.ticks, verdicts = excluded.verdicts
"""
_INTO = """
INSERT INTO rollups
  (target, variant, at, seconds, requests, known, met, replica_seconds, usd, ups, downs, ticks, verdicts)
"""
_HOUR = (
    _TICKS
    + _INTO
    + """
SELECT t.key, '', :hour, sum(s), coalesce(sum(requests_per_s * s), 0),
  coalesce(sum(requests_per_s * s) FILTER (WHERE attainment IS NOT NULL), 0),
  coalesce(sum(requests_per_s * attainment * s), 0), 0,
  sum(usd_per_hour::numeric * s::numeric / 3600), count(*) FILTER (WHERE verdict = 1),
  count(*) FILTER (WHERE verdict = 2), count(*),
  jsonb_build_object('hold', count(*) FILTER (WHERE verdict = 0), 'up', count(*) FILTER (WHERE verdict = 1),
    'down', count(*) FILTER (WHERE verdict = 2), 'abstain', count(*) FILTER (WHERE verdict = 3))
FROM held, tick_targets t WHERE t.id = :target GROUP BY t.key
"""
    + _MERGE
)
_VARIANTS = (
    _TICKS
    + _INTO
    + """
SELECT t.key, split_part(part, ': ', 1), :hour, sum(s), 0, 0, 0, sum(counts[6]::int * s),
  coalesce(sum(counts[6]::int * s::numeric / 3600 * price.usd), 0),
  count(*) FILTER (WHERE counts[2]::int > counts[1]::int), count(*) FILTER (WHERE counts[2]::int < counts[1]::int),
  count(*), '{}'::jsonb
FROM held JOIN tick_targets t ON t.id = :target JOIN tick_texts w ON w.id = held.text_id
  CROSS JOIN LATERAL regexp_split_to_table(split_part(tick_text(w.text, held.numbers), E'\\x1e', 1), ';') AS part
  CROSS JOIN LATERAL (SELECT string_to_array(split_part(part, ': ', 2), ' ') AS counts) AS c
  LEFT JOIN LATERAL (
    SELECT (v->>'usd_per_replica_hour')::numeric AS usd
    FROM targets m, jsonb_array_elements(m.body->'variants') AS v
    WHERE m.key = t.key AND v->>'name' = split_part(part, ': ', 1)
  ) AS price ON true
WHERE part <> '' GROUP BY t.key, split_part(part, ': ', 1)
"""
    + _MERGE
)


def verdict_counts(connection: Connection) -> dict[tuple[str, str], int]:
    """Ticks by target and verdict: of the roll-ups, and beside them of the hours that they are behind."""
    summed = (
        "SELECT target, v.key AS verdict, sum(v.value::bigint) AS ticks "
        "FROM rollups, jsonb_each_text(verdicts) AS v WHERE variant = '' GROUP BY target, v.key"
    )
    found = {(row.target, row.verdict): int(row.ticks) for row in connection.execute(text(summed)) if row.ticks}
    done = connection.execute(select(rollup_progress.c.sequence).where(rollup_progress.c.name == _NAME)).scalar() or 0
    newer = (
        select(tick_targets.c.key, tick_rows.c.verdict, func.count().label("ticks"))
        .join(tick_targets, tick_targets.c.id == tick_rows.c.target_id)
        .where(tick_rows.c.sequence > done)
        .group_by(tick_targets.c.key, tick_rows.c.verdict)
    )
    for row in connection.execute(newer):
        name = (row.key, VERDICTS[row.verdict])
        found[name] = found.get(name, 0) + int(row.ticks)
    return found
