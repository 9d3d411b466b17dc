"""A ledger as large as asked for, of real rows: a few simulated hours, repeated for many targets and days.

The hours go through the ledger's own writer; PostgreSQL then copies their rows, with other times, ids and targets, a
day at a time into a partition that gets its indexes when it is attached. Ticks decode, under their targets' names; the
times within their bodies are those of the hours that were simulated.
"""

from __future__ import annotations

import json
import math
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, text

from controlplane.simulation.backtest import START_S
from controlplane.simulation.recording import INTERVAL_S, recorded
from controlplane.simulation.scenario import load_scenario
from controlplane.store.codec import TARGET, timestamp
from controlplane.store.ledger import PostgresLedger
from controlplane.store.rollups import HOUR, KEPT, Stretch, save_hours

DAY_S, POOL_S = 86_400.0, 3 * 3600.0
POOL_STEPS, DAY_STEPS = int(POOL_S / INTERVAL_S), int(DAY_S / INTERVAL_S)
BEGIN_S = START_S // DAY_S * DAY_S + 9 * 3600.0
"""The simulated hours: 09:00 to 12:00, with a morning's rise and a launch."""
BATCH = 40
AT_ONCE = 2
"""Days that are loaded at a time: one a core."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was made: `end_s` is the time after the newest tick."""

    targets: int
    ticks: int
    end_s: float
    took_s: float


def load(engine: Engine, ticks: int, targets: int, end_s: float) -> Loaded:
    """Fill a migrated, empty ledger; it ends at `end_s` (unix seconds)."""
    began = time.perf_counter()
    _targets(engine, targets)
    _pool(engine)
    steps = math.ceil(ticks / targets)
    last = int(end_s // INTERVAL_S)
    days = range((last - steps) // DAY_STEPS, last // DAY_STEPS + 1)
    cuts = [(max(day * DAY_STEPS, last - steps), min((day + 1) * DAY_STEPS, last)) for day in days]

    def one(cut: tuple[int, int]) -> None:
        first, after = cut
        if first < after:
            _day(engine, targets, first, after)
            day = f"{timestamp(first * INTERVAL_S):%Y-%m-%d}"
            print(f"{day}: {(after - first) * targets} ticks, {_since(began)}", flush=True)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, cuts))
    _roll_up(engine, last - steps, last)
    progress = "INSERT INTO rollup_progress VALUES ('hours', :last)"
    _run(engine, progress, last=last * targets + targets)
    _run(engine, "SELECT setval('tick_sequence', :last)", last=last * targets + targets)
    for table in ("tick_bases", "tick_texts", "tick_targets", "targets", "rollups"):
        _run(engine, f"ANALYZE {table}")
    return Loaded(targets, steps * targets, last * INTERVAL_S, time.perf_counter() - began)


def add_step(engine: Engine, targets: int, at_s: float) -> None:
    """One tick more of every target."""
    step = int(at_s // INTERVAL_S)
    _run(engine, f"INSERT INTO tick_rows ({_NAMES}) {_COPY}", targets=targets, first=step, after=step + 1)


def _since(began: float) -> str:
    return f"{time.perf_counter() - began:.0f} s"


def _targets(engine: Engine, count: int) -> None:
    """Mirrored targets: by turns the scenario's first and second, under other names."""
    shipped = load_scenario("demo").targets
    found = []
    for number in range(count):
        body = TARGET.dump_python(shipped[number % 2], mode="json")
        body |= {"namespace": f"team-{number % 20:02}", "name": f"model-{number:04}"}
        found.append(TARGET.validate_python(body))
    ledger = PostgresLedger(engine.url.render_as_string(hide_password=False))
    ledger.save_targets(found, BEGIN_S)
    ledger.close()


def _pool(engine: Engine) -> None:
    """The simulated hours as rows in `pool`, and the bases of their targets under every name."""
    ledger = PostgresLedger(engine.url.render_as_string(hide_password=False))
    batch = []
    for group in recorded(load_scenario("demo"), POOL_S, BEGIN_S):
        batch += group
        if len(batch) >= BATCH:
            ledger.append(batch)
            batch = []
    ledger.append(batch)
    ledger.close()
    for statement in _POOL:
        _run(engine, statement, begin=BEGIN_S, interval=INTERVAL_S)
    _bases(engine)


_POOL = (
    "CREATE TABLE pool AS SELECT *, round((extract(epoch FROM at) - :begin) / :interval)::int AS step, "
    "row_number() OVER (PARTITION BY at ORDER BY (SELECT key FROM tick_targets t WHERE t.id = target_id) DESC)::int "
    "- 1 AS kind FROM tick_rows",
    "ALTER TABLE pool ADD COLUMN chain_step int",
    "UPDATE pool p SET chain_step = f.step FROM pool f WHERE f.sequence = p.chain",
    "CREATE UNIQUE INDEX ON pool (step, kind)",
    "ANALYZE pool",
    "ALTER TABLE tick_rows DETACH PARTITION tick_rows_" + f"{timestamp(BEGIN_S):%Y%m%d}",
    "DROP TABLE tick_rows_" + f"{timestamp(BEGIN_S):%Y%m%d}",
    "DELETE FROM tick_targets",
    "INSERT INTO tick_targets (id, key) SELECT row_number() OVER (ORDER BY name), key FROM targets",
    "CREATE TABLE pool_bases (target_id int, kind int, was int, base_id int, PRIMARY KEY (target_id, was))",
)


def _bases(engine: Engine) -> None:
    with engine.begin() as connection:
        keys = connection.execute(text("SELECT id, key FROM tick_targets ORDER BY id")).all()
        whole = text("SELECT DISTINCT b.id, p.kind, b.body FROM pool p JOIN tick_bases b ON b.id = p.base_id")
        for base in connection.execute(whole).all():
            body = json.loads(zlib.decompress(base.body))
            rows = [{"t": row.id, **_renamed(body, row.key)} for row in keys if (row.id - 1) % 2 == base.kind]
            one = text("INSERT INTO tick_bases (digest, body) VALUES (:digest, :body) RETURNING id")
            for row in rows:
                row["id"] = connection.execute(one, row).scalar()
            named = text("INSERT INTO pool_bases VALUES (:t, :kind, :was, :id)")
            connection.execute(named, [{**row, "kind": base.kind, "was": base.id} for row in rows])


def _renamed(body: dict[str, Any], key: str) -> dict[str, Any]:
    target = body["inputs"]["target"]
    was = f"{target['namespace']}/{target['name']}"
    namespace, _, name = key.partition("/")
    target |= {"namespace": namespace, "name": name}
    words = json.dumps(body, separators=(",", ":")).replace(json.dumps(was), json.dumps(key))
    target |= {"namespace": was.partition("/")[0], "name": was.partition("/")[2]}
    return {
        "digest": zlib.crc32(words.encode()).to_bytes(4, "big") + key.encode(),
        "body": zlib.compress(words.encode()),
    }


_SAME = (
    "text_id, fleet_id, requests_per_s, planned_requests_per_s, input_tokens, output_tokens, attainment, usd_per_hour, "
    "waiting, running, kv_usage, ttft_p50_s, ttft_p99_s, tpot_p50_s, tpot_p99_s, forecast_ahead_s, forecast_p10, "
    "forecast_p50, forecast_p90, verdict, applied, numbers, fleet, body"
)
_NAMES = f"at, sequence, chain, target_id, base_id, ids, {_SAME}"
_COPY = f"""
SELECT to_timestamp(s * {INTERVAL_S}), s::bigint * :targets + t.id,
  (s - p.step + p.chain_step)::bigint * :targets + t.id, t.id, b.base_id,
  decode(lpad(to_hex((s * {INTERVAL_S:.0f} * 1000)::bigint), 12, '0') || substr(md5(s::text), 1, 20)
    || lpad(to_hex(t.id), 4, '0'), 'hex'), {", ".join(f"p.{name.strip()}" for name in _SAME.split(","))}
FROM generate_series(CAST(:first AS bigint), CAST(:after AS bigint) - 1) AS s
  CROSS JOIN (SELECT id FROM tick_targets ORDER BY id) t
  JOIN pool p ON p.step = s % {POOL_STEPS} AND p.kind = (t.id - 1) % 2
  LEFT JOIN pool_bases b ON b.target_id = t.id AND b.was = p.base_id
"""


def _day(engine: Engine, targets: int, first: int, after: int) -> None:
    begin = timestamp(first // DAY_STEPS * DAY_S)
    name = f"tick_rows_{begin:%Y%m%d}"
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
        connection.execute(text(f"DROP TABLE IF EXISTS {name}"))
        connection.execute(text(f"CREATE TABLE {name} (LIKE tick_rows INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"))
        copy = text(f"INSERT INTO {name} ({_NAMES}) {_COPY}")
        connection.execute(copy, {"targets": targets, "first": first, "after": after})
        end = begin + timedelta(days=1)
        connection.execute(
            text(f"ALTER TABLE tick_rows ATTACH PARTITION {name} FOR VALUES FROM ('{begin}') TO ('{end}')")
        )
    _run(engine, f"VACUUM (ANALYZE) {name}")


def _roll_up(engine: Engine, first: int, last: int) -> None:
    """The newest hours of two targets are summed; days and targets are alike, so that the others are copies."""
    end = timestamp(last * INTERVAL_S)
    pool = [end.replace(minute=0, second=0, microsecond=0) - hour * HOUR for hour in range(int(POOL_S // 3600.0))]
    with engine.begin() as connection:
        save_hours(connection, [Stretch(number, hour, hour + HOUR) for number in (1, 2) for hour in pool[1:]], end)
        save_hours(connection, [Stretch(number, pool[0] - 3 * HOUR, pool[0] - 2 * HOUR) for number in (1, 2)], end)
    _run(engine, _ROLLUPS, first=timestamp(first * INTERVAL_S), last=end)


_ROLLUPS = f"""
INSERT INTO rollups (target, variant, at, {", ".join(KEPT)})
SELECT t.key, r.variant, hour, {", ".join(f"r.{name}" for name in KEPT)}
FROM generate_series(date_trunc('hour', CAST(:first AS timestamptz)), CAST(:last AS timestamptz), '1 hour') AS hour
  CROSS JOIN tick_targets t JOIN tick_targets k ON k.id = (t.id - 1) % 2 + 1
  JOIN rollups r ON r.target = k.key AND extract(hour FROM r.at)::int % 3 = extract(hour FROM hour)::int % 3
ON CONFLICT DO NOTHING
"""


def _run(engine: Engine, statement: str, **values: object) -> None:
    """One statement, however long it takes."""
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("SET statement_timeout = 0"))
        used = {name: value for name, value in values.items() if f":{name}" in statement}
        connection.execute(text(statement), used)
