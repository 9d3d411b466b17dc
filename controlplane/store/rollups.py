"""Sums of ticks by hour: what reports, counters and the fleet page read, whatever becomes of the ticks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, FromClause, Row, func, select, text, union
from sqlalchemy.dialects.postgresql import insert

from controlplane.store.engine import plan_anew
from controlplane.store.tables import rollup_progress, rollups, tick_rows, tick_targets
from controlplane.store.tables.ticks import VERDICTS

HELD_S = 300.0
"""A tick speaks for the time until the next, but no longer: beyond it nobody was there to see."""
BATCH = 20_000
"""Ticks whose hours are brought up to date in one transaction."""
LAG = 1000
"""Sequences that the newest may be ahead of one that is still to be committed: they are looked at again."""
HOUR = timedelta(hours=1)
_NAME = "hours"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Ticks of one target in `[since, until)`."""

    target_id: int
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Sums:
    """An hour of a target (`variant` empty) or of one of its variants, or some part of it.

    `requests` is the rate summed over time, `met` of `known` ones met the SLO. Of a variant, requests, known, met and
    tokens are nought, since they are not told apart.
    """

    target: str
    variant: str
    at: datetime
    seconds: float
    requests: float
    known: float
    met: float
    tokens: float
    replica_seconds: float
    gpu_seconds: float
    usd: Decimal


# A stretch's rows lie together in the index, so that it is read as one range, however large the ledger is. Fleets that
# stay the same for a while are taken apart once.
_SUMS = """
WITH wanted AS (
  SELECT * FROM unnest(CAST(:targets AS int[]), CAST(:since AS timestamptz[]), CAST(:until AS timestamptz[]))
    AS w(target_id, since, until)
), held AS (
  SELECT r.*, w.target_id, date_trunc('hour', r.at, 'UTC') AS hour, greatest(0, least(:held,
    extract(epoch FROM least(coalesce(r.following, CAST(:known AS timestamptz)), CAST(:clip AS timestamptz)) - r.at)
    ))::float8 AS s
  FROM wanted w CROSS JOIN LATERAL (
    SELECT at, requests_per_s::float8 AS rate, attainment::float8 AS share, usd_per_hour::float8 AS usd, verdict,
      input_tokens::float8 + output_tokens::float8 AS tokens, fleet_id, fleet,
      lead(at) OVER (ORDER BY at, sequence) AS following
    FROM tick_rows
    WHERE target_id = w.target_id AND at >= w.since AND at < w.until + make_interval(secs => :held)
  ) r WHERE r.at < w.until
), whole AS (
  SELECT target_id, '' AS variant, hour, sum(s) AS seconds, coalesce(sum(rate * s), 0) AS requests,
    coalesce(sum(rate * s) FILTER (WHERE share IS NOT NULL), 0) AS known, coalesce(sum(rate * share * s), 0) AS met,
    coalesce(sum(rate * tokens * s), 0) AS tokens, 0::float8 AS replica_seconds, 0::float8 AS gpu_seconds,
    sum(usd * s / 3600)::numeric AS usd, count(*) FILTER (WHERE verdict = 0) AS holds,
    count(*) FILTER (WHERE verdict = 1) AS ups, count(*) FILTER (WHERE verdict = 2) AS downs,
    count(*) FILTER (WHERE verdict = 3) AS abstains
  FROM held GROUP BY target_id, hour
), fleets AS (
  SELECT target_id, hour, fleet_id, fleet, sum(s) AS s, count(*) AS n FROM held
  GROUP BY target_id, hour, fleet_id, fleet
), counts AS (
  SELECT f.target_id, f.hour, f.s, f.n, string_to_array(part, ' ') AS c
  FROM fleets f JOIN tick_texts w ON w.id = f.fleet_id
    CROSS JOIN LATERAL regexp_split_to_table(tick_text(w.text, f.fleet), ';') AS part
  WHERE part <> ''
), variants AS (
  SELECT target_id, array_to_string(c[10:], ' ') AS variant, hour, sum(s) AS seconds, 0::float8 AS requests,
    0::float8 AS known, 0::float8 AS met, 0::float8 AS tokens, sum(c[6]::int * s) AS replica_seconds,
    sum(c[6]::int * c[9]::int * s) AS gpu_seconds, sum(c[6]::int * s * c[8]::float8 / 3600)::numeric AS usd,
    coalesce(sum(n) FILTER (WHERE c[2]::int = c[1]::int), 0) AS holds,
    coalesce(sum(n) FILTER (WHERE c[2]::int > c[1]::int), 0) AS ups,
    coalesce(sum(n) FILTER (WHERE c[2]::int < c[1]::int), 0) AS downs, 0 AS abstains
  FROM counts GROUP BY target_id, variant, hour
)
"""
_AMOUNTS = ("seconds", "requests", "known", "met", "tokens", "replica_seconds", "gpu_seconds")
KEPT = (*_AMOUNTS, "usd", "holds", "ups", "downs", "abstains")
"""What an hour's row has beside its name."""
_COLUMNS = f"variant, hour, {', '.join(KEPT)}"
_ALL = f"""
SELECT t.key, {_COLUMNS} FROM (SELECT * FROM whole UNION ALL SELECT * FROM variants) s
JOIN tick_targets t ON t.id = s.target_id
"""
_SAVE = (
    f"{_SUMS} INSERT INTO rollups (target, {_COLUMNS.replace('hour', 'at')}) {_ALL} "
    f"ON CONFLICT (target, variant, at) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in KEPT)}"
)
_LATEST = datetime(9999, 12, 31, tzinfo=UTC)
"""No end at all."""


def rolled_up_to(connection: Connection) -> int:
    """The sequence up to which every tick is in the roll-ups."""
    done = select(rollup_progress.c.sequence).where(rollup_progress.c.name == _NAME)
    return int(connection.execute(done).scalar() or 0)


def sums(connection: Connection, stretches: Sequence[Stretch], end: datetime) -> list[Sums]:
    """What the ticks of those stretches come to by hour; the newest of each target speaks until `end`."""
    if not stretches:
        return []
    rows = connection.execute(text(_SUMS + _ALL), _values(stretches, end, end)).all()
    return [_sums(row) for row in rows]


def _sums(row: Row[Any]) -> Sums:
    amounts = {name: float(getattr(row, name)) for name in _AMOUNTS}
    return Sums(row.key, row.variant, row.hour, **amounts, usd=row.usd)


def save_hours(connection: Connection, hours: Sequence[Stretch], newest: datetime) -> None:
    """Sum whole hours anew; a tick that none follows speaks until `newest`."""
    plan_anew(connection)
    connection.execute(text(_SAVE), _values(hours, newest, _LATEST))


def _values(stretches: Sequence[Stretch], known: datetime, clip: datetime) -> dict[str, Any]:
    return {
        "targets": [one.target_id for one in stretches],
        "since": [one.since for one in stretches],
        "until": [one.until for one in stretches],
        "held": HELD_S,
        "known": known,
        "clip": clip,
    }


def roll_up(connection: Connection, batch: int = BATCH) -> int:
    """Bring the hours of the next ticks up to date; how many ticks were taken. Whole hours are summed anew, so that a
    tick that came late, or twice, counts once."""
    progress = select(rollup_progress.c.sequence).where(rollup_progress.c.name == _NAME).with_for_update()
    done = connection.execute(progress).scalar() or 0
    columns = tick_rows.c.sequence, tick_rows.c.at, tick_rows.c.target_id
    page = select(*columns).where(tick_rows.c.sequence > max(done - LAG, 0)).order_by(tick_rows.c.sequence)
    some = page.limit(batch + LAG).subquery()
    last, newest = connection.execute(select(func.max(some.c.sequence), func.max(some.c.at))).one()
    if last is None or last <= done:
        return 0
    save_hours(connection, touched_hours(connection, some), newest)
    note = insert(rollup_progress).values(name=_NAME, sequence=last)
    connection.execute(note.on_conflict_do_update(index_elements=["name"], set_={"sequence": last}))
    return int(last - done)


def touched_hours(connection: Connection, rows: FromClause) -> list[Stretch]:
    """The hours that rows (of `target_id` and `at`) change the sums of. The tick before one that comes early in an hour
    may be in the hour before, and speaks until this one."""
    hours = [func.date_trunc("hour", rows.c.at - timedelta(seconds=s), "UTC").label("hour") for s in (0.0, HELD_S)]
    found = connection.execute(union(*(select(rows.c.target_id, hour) for hour in hours)))
    return [Stretch(row.target_id, row.hour, row.hour + HOUR) for row in found]


def verdict_counts(connection: Connection) -> dict[tuple[str, str], int]:
    """Ticks by target and verdict: of the roll-ups, and of the ticks that they are behind."""
    names = {name: rollups.c[f"{name}s"] for name in VERDICTS}
    summed = select(rollups.c.target, *(func.sum(column).label(name) for name, column in names.items()))
    found: dict[tuple[str, str], int] = defaultdict(int)
    for row in connection.execute(summed.where(rollups.c.variant == "").group_by(rollups.c.target)):
        for name in VERDICTS:
            found[row.target, name] += int(getattr(row, name))
    newer = (
        select(tick_targets.c.key, tick_rows.c.verdict, func.count().label("ticks"))
        .join(tick_targets, tick_targets.c.id == tick_rows.c.target_id)
        .where(tick_rows.c.sequence > rolled_up_to(connection))
        .group_by(tick_targets.c.key, tick_rows.c.verdict)
    )
    for row in connection.execute(newer):
        found[row.key, VERDICTS[row.verdict]] += int(row.ticks)
    return {name: count for name, count in found.items() if count}
