"""Bytes per tick in the ledger: `python -m benchmarks.ledger_bytes [--hours 24] [--scenario demo]`.

A scenario's generated day under the production brain is written to a real PostgreSQL, read back, compared tick by tick
and replayed. Bodies are what replays read; rows are everything, with the columns of lists and charts and the indexes.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection, text

from controlplane.domain.decision import Tick
from controlplane.embedded.postgres import EmbeddedPostgres
from controlplane.planning import replay_group
from controlplane.planning.load_history import QUANTITIES
from controlplane.simulation.recording import recorded
from controlplane.simulation.scenario import load_scenario
from controlplane.store import migrate
from controlplane.store.codec import TICK
from controlplane.store.engine import transaction
from controlplane.store.ledger import PostgresLedger

BATCH = 40
"""Group ticks of one transaction."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--scenario", default="demo")
    asked = parser.parse_args()
    groups = list(recorded(load_scenario(asked.scenario), asked.hours * 3600.0))
    with tempfile.TemporaryDirectory(prefix="tidegate-ledger-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres(Path(folder) / "postgres")
        server.start()
        try:
            _measure(server.url, groups)
        finally:
            server.stop()


def _measure(url: str, groups: Sequence[Sequence[Tick]]) -> None:
    migrate.upgrade(url)
    ledger = PostgresLedger(url)
    for start in range(0, len(groups), BATCH):
        ledger.append([tick for group in groups[start : start + BATCH] for tick in group])
    ticks = [tick for group in groups for tick in group]
    whole = statistics.fmean(len(TICK.dump_json(tick)) for tick in ticks)
    print(f"{len(ticks)} ticks of {len({t.inputs.target.key for t in ticks})} targets; as JSON {whole:.0f} bytes each")
    with transaction(ledger.engine) as connection:
        connection.execute(text("ANALYZE tick_rows"))
        _print_sizes(connection, ticks)
    _compare(ledger, ticks)
    ledger.close()


def _print_sizes(connection: Connection, ticks: Sequence[Tick]) -> None:
    replicas: dict[str, list[int]] = {}
    for tick in ticks:
        seen = sum(v.ready + v.pending for v in tick.inputs.observation.variants)
        replicas.setdefault(tick.inputs.target.key, []).append(seen)
    for row in connection.execute(text(_SIZES)):
        mean = statistics.fmean(replicas[row.key])
        print(
            f"{row.key}: {mean:.1f} replicas; body {row.body:.0f} bytes (full {row.full:.0f}, in {row.share:.1%}; "
            f"brief {row.brief:.0f}), row {row.row:.0f}; allowed {300 + 30 * mean:.0f}"
        )
    sizes = connection.execute(text(_TOTALS)).one()
    print(f"on disk: {sizes.rows / len(ticks):.0f} bytes a tick, indexes {sizes.indexes / len(ticks):.0f} more")
    print(f"dictionaries: {sizes.words} bytes in all, whatever the time")


_SIZES = """
SELECT t.key, avg(length(body)) AS body, avg(length(body)) FILTER (WHERE base_id IS NOT NULL) AS full,
  avg(length(body)) FILTER (WHERE base_id IS NULL) AS brief, avg((base_id IS NOT NULL)::int) AS share,
  avg(pg_column_size(r.*)) AS row
FROM tick_rows r JOIN tick_targets t ON t.id = r.target_id GROUP BY t.key ORDER BY t.key
"""
_TOTALS = """
SELECT sum(pg_table_size(c.oid)) AS rows, sum(pg_indexes_size(c.oid)) AS indexes,
  pg_total_relation_size('tick_bases') + pg_total_relation_size('tick_texts') AS words
FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid WHERE i.inhparent = 'tick_rows'::regclass
"""


def _compare(ledger: PostgresLedger, ticks: Sequence[Tick]) -> None:
    written = {tick.id: tick for tick in ticks}
    read = same = reproduced = 0
    for group in ledger.group_ticks():
        read += len(group)
        same += sum(_without_fan(tick) == _without_fan(written[tick.id]) for tick in group)
        reproduced += sum(result.reproduced for result in replay_group(group))
    print(f"read back {read}: {same} the same to the last digit, {reproduced} replayed to the same decision and plan")


def _without_fan(tick: Tick) -> Tick:
    """Brief ticks leave the forecast's bins out, on which nothing is decided."""
    forecast = tick.inputs.forecast
    if forecast is None:
        return tick
    bare = {name: replace(getattr(forecast, name), values=()) for name in QUANTITIES}
    sides = tuple(replace(side, work_s_per_s=replace(side.work_s_per_s, values=())) for side in forecast.sides)
    return replace(tick, inputs=replace(tick.inputs, forecast=replace(forecast, **bare, sides=sides)))


if __name__ == "__main__":
    main()
