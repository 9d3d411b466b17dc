"""What the questions of the CLI print: tables, sentences, JSON lines."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from controlplane.adapters.clock import WallClock
from controlplane.api.present import fleet
from controlplane.api.views import Fleet
from controlplane.planning import replay_group, sentences
from controlplane.store.codec import TICK
from controlplane.store.engine import make_engine
from controlplane.store.ledger import PostgresLedger
from controlplane.store.queries import Queries, TickFilter

SHOWN_DIFFERENCES = 10
"""Differences that a replay prints in full; the rest are counted."""


def _time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _number(value: float | None, pattern: str) -> str:
    """A number, or a dash for what is not known: missing is never zero."""
    return "-" if value is None else format(value, pattern)


def show_status(database_url: str, as_json: bool) -> None:
    """The fleet page, in a terminal."""
    queries = Queries(make_engine(database_url))
    # The newest tick's time is the controller's: this process does not know how fast that clock runs.
    rows = queries.target_rows(WallClock().now_s())
    newest = max((row.tick.at_s for row in rows if row.tick), default=None)
    if newest is not None:
        rows = queries.target_rows(newest)
    shown = fleet(rows, WallClock())
    if as_json:
        print(TypeAdapter(Fleet).dump_json(shown, indent=2).decode())
        return
    if not shown.targets:
        print("no target yet: kubectl apply an InferenceAutoscaler, and start the controller")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("TARGET", "MODE", "LOAD", "READY", "VERDICT", "ATTAINMENT", "$/H", "AT (UTC)", "REASON"):
        table.add_column(column, no_wrap=column != "REASON")
    for target in shown.targets:
        ready, desired = sum(v.ready or 0 for v in target.variants), sum(v.desired or 0 for v in target.variants)
        table.add_row(
            f"{target.namespace}/{target.name}",
            target.mode,
            _number(target.requests_per_s, ".2f"),
            f"{ready}/{desired}" if target.at_s is not None else "-",
            target.verdict or "-",
            _number(target.attainment, ".1%"),
            _number(target.usd_per_hour, ".2f"),
            _time(target.at_s) if target.at_s is not None else "-",
            target.reason or "waiting for the first decision",
        )
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def show_explanation(database_url: str, target: str, at_s: float | None) -> bool:
    """The trail of one decision in words; False where there is none."""
    tick = Queries(make_engine(database_url)).tick_at(target, at_s)
    if tick is None:
        return False
    print(f"{target} at {_time(tick.at_s)} UTC (tick {tick.id}, planner {tick.planner_version})")
    for line in sentences(tick)[:9]:
        print(line)
    return True


def show_ticks(database_url: str, target: str, limit: int, as_json: bool) -> bool:
    """The newest decisions, a line each; False where there is none."""
    found, _ = Queries(make_engine(database_url)).tick_page(TickFilter(target), None, limit)
    for tick in found:
        if as_json:
            print(TICK.dump_json(tick).decode())
        else:
            print(f"{_time(tick.at_s)}  {tick.decision.verdict:<7}  {tick.decision.reason}")
    return bool(found)


def why_nothing(database_url: str, target: str, until: str | None) -> str:
    """Why there is no decision to show: none was made `until` then, or there is no such target, and which there are."""
    known = [one.key for one in Queries(make_engine(database_url)).targets()]
    if target in known:
        return f"there is no decision of target {target} " + (f"at or before {until}" if until else "yet")
    return f"there is no target {target}; there are: {', '.join(known) or 'none yet'}"


def replay_ticks(database_url: str, since_s: float | None) -> bool:
    """Replay every recorded tick and print the sum; whether all were reproduced."""
    ledger = PostgresLedger(database_url)
    replayed = reproduced = other_version = 0
    for group in ledger.group_ticks(since_s):
        for result in replay_group(group):
            replayed += 1
            reproduced += result.reproduced
            other_version += not result.same_version
            if not result.reproduced and replayed - reproduced <= SHOWN_DIFFERENCES:
                print(f"{_time(result.at_s)} {result.target} (tick {result.tick_id}): {result.difference}")
    if other_version:
        print(f"{other_version} ticks were decided by another version of the planner")
    if not replayed:
        print("there are no ticks to replay")
        return False
    print(f"{reproduced} of {replayed} decisions reproduced")
    return reproduced == replayed
