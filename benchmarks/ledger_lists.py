"""How fast the API's lists answer over a large ledger: `python -m benchmarks.ledger_lists --ticks 50_000_000`.

Makes the ledger (see `ledger_load`) in a real PostgreSQL with its settings as they come, asks what the API asks through
the store's queries, with targets and times drawn at random, and prints the median and the 99th percentile of each,
then what PostgreSQL says of how it found the rows.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fastapi.testclient import TestClient
from sqlalchemy import Engine, create_engine, event, text

from benchmarks.ledger_load import Loaded, add_step, load
from controlplane.adapters.clock import ManualClock
from controlplane.api.app import create_app
from controlplane.api.doors import Doors
from controlplane.api.principals import Everybody
from controlplane.domain.access import AccessRole, Grant, Principal, PrincipalKind
from controlplane.domain.decision import Verdict
from controlplane.embedded.postgres import EmbeddedPostgres
from controlplane.simulation.recording import INTERVAL_S
from controlplane.store import migrate
from controlplane.store.engine import make_engine
from controlplane.store.queries import Queries, TickFilter
from controlplane.store.reports import Reports

CHANGES = (Verdict.UP, Verdict.DOWN)
ROUNDS = 300
WARM_UP = 10
"""Not counted: statements are prepared after five, and what every process reads once is read."""
HOUR_S, MONTH_S = 3600.0, 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Question:
    """Something that is asked over and over. `before` is not timed."""

    name: str
    ask: Callable[[], object]
    rounds: int = ROUNDS
    before: Callable[[], object] | None = None


def main() -> None:
    """Make the ledger where it is not kept, ask, print; without `--keep` the data go when it is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=1_000_000)
    parser.add_argument("--targets", type=int, default=500)
    parser.add_argument("--keep", type=Path, default=None, help="a directory where the data stay for the next time")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="times that each is asked at most; 0: plans alone")
    parser.add_argument("--only", default="", help="questions with this in their name")
    asked = parser.parse_args()
    folder = asked.keep or Path(tempfile.mkdtemp(prefix="tidegate-ledger-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "postgres")
    try:
        server.start()
        made = _made(server, folder / "made.json", asked.ticks, asked.targets)
        loader = create_engine(server.url)
        print(f"{made.ticks} ticks of {made.targets} targets, made in {made.took_s:.0f} s")
        print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        _print_sizes(loader, made.ticks)
        _ask(server.url, loader, made, asked.rounds, asked.only)
    finally:
        server.stop()
        if asked.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _made(server: EmbeddedPostgres, note: Path, ticks: int, targets: int) -> Loaded:
    """What is kept there, or a new one."""
    if note.is_file():
        return Loaded(**json.loads(note.read_text()))
    _quick_to_load(server)
    migrate.upgrade(server.url)
    made = load(create_engine(server.url), ticks, targets, time.time())
    note.write_text(json.dumps(asdict(made)))
    return made


def _quick_to_load(server: EmbeddedPostgres) -> None:
    """No journal of what is loaded: the server is thrown away. Nothing that reading depends on."""
    engine = create_engine(server.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for setting in (
            "wal_level = minimal",
            "max_wal_senders = 0",
            "max_wal_size = '4GB'",
            "synchronous_commit = off",
        ):
            connection.execute(text(f"ALTER SYSTEM SET {setting}"))
    engine.dispose()
    server.stop()
    server.start()


def _print_sizes(engine: Engine, ticks: int) -> None:
    sizes = text(
        "SELECT sum(pg_table_size(c.oid)) AS rows, sum(pg_indexes_size(c.oid)) AS indexes, count(*) AS days, "
        "pg_total_relation_size('rollups') AS rollups FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid "
        "WHERE i.inhparent = 'tick_rows'::regclass"
    )
    with engine.connect() as connection:
        row = connection.execute(sizes).one()
        body = connection.execute(text("SELECT avg(length(body)) FROM pool")).scalar_one()
    print(
        f"{row.days} partitions; a tick: body {body:.0f} bytes, row {row.rows / ticks:.0f}, indexes "
        f"{row.indexes / ticks:.0f}; roll-ups {row.rollups / 1e6:.0f} MB"
    )


def _ask(url: str, loader: Engine, made: Loaded, rounds: int, only: str) -> None:
    engine = make_engine(url)
    app = create_app(url, ManualClock(made.end_s), doors=Doors(Everybody(_viewer()), limited=False))
    asked = _questions(Queries(engine), Reports(engine), TestClient(app), loader, made)
    questions = [question for question in asked if only in question.name]
    for question in questions:
        count = min(rounds, question.rounds)
        took_ms = [_time(question) for _ in range(count + WARM_UP)][WARM_UP:] if count else [math.nan]
        low, high = np.percentile(took_ms, [50, 99])
        print(f"{question.name:44} p50 {low:8.1f} ms   p99 {high:8.1f} ms   of {count}", flush=True)
    heard: list[tuple[str, Any]] = []
    event.listen(engine, "before_cursor_execute", lambda *a: heard.append((a[2], a[3])))
    for question in questions:
        if question.before is None and not question.name.startswith("GET"):
            heard.clear()
            question.ask()
            print(f"\n== {question.name}")
            _explain(engine, list(heard))


def _explain(engine: Engine, heard: Sequence[tuple[str, Any]]) -> None:
    for statement, values in heard:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")) and "tick_targets.key IN" not in statement:
            with engine.connect() as connection:
                plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {statement}", values)
                lines = [row[0] for row in plan]
            print("\n".join(line[:150] for line in _told(lines)), flush=True)


def _told(lines: Sequence[str]) -> list[str]:
    """A plan without the parts that were not executed, and without what says little of them."""
    kept, skipped = [], math.inf
    for line in lines:
        depth = len(line) - len(line.lstrip())
        if "never executed" in line:
            skipped = depth
        elif depth <= skipped or "->" in line[: depth + 2]:
            skipped = math.inf
        if skipped == math.inf and "Index Searches" not in line:
            kept.append(line)
    return [*kept[:40], *(line for line in kept[40:] if line.startswith(("Planning Time", "Execution Time")))]


def _time(question: Question) -> float:
    if question.before is not None:
        question.before()
    began = time.perf_counter()
    question.ask()
    return (time.perf_counter() - began) * 1e3


def _viewer() -> Principal:
    return Principal("user:v", "v", PrincipalKind.USER, (Grant(AccessRole.VIEWER, None),))


def _questions(queries: Queries, reports: Reports, client: TestClient, loader: Engine, made: Loaded) -> list[Question]:
    drawn = random.Random(1)
    keys = [target.key for target in queries.targets()]
    start_s = made.end_s - made.ticks / len(keys) * INTERVAL_S
    end = [made.end_s]

    def key() -> str:
        return drawn.choice(keys)

    def moment() -> float:
        return drawn.uniform(start_s + HOUR_S, made.end_s)

    def page(*verdicts: Verdict, cursor: str | None = None) -> str | None:
        return queries.line_page(TickFilter(key(), verdicts, until_s=moment()), cursor, 50)[1]

    def next_page() -> None:
        wanted = TickFilter(key(), until_s=moment())
        queries.line_page(wanted, queries.line_page(wanted, None, 50)[1], 50)

    def heard() -> None:
        queries.heard_page(TickFilter(key()), "overrides", "x", None, 50)

    def tick() -> None:
        found = queries.tick_at(key(), moment())
        assert found is not None
        assert queries.tick_at(found.inputs.target.key, None) is not None

    def more() -> None:
        add_step(loader, len(keys), end[0])
        end[0] += INTERVAL_S

    def charted(length_s: float) -> Callable[[], object]:
        return lambda: queries.chart(TickFilter(key(), (), made.end_s - length_s, made.end_s), 1000)

    def got(path: str) -> None:
        found = client.get(f"/api/v1/{path}")
        assert found.status_code == 200, found.text

    return [
        Question("newest 50 ticks of a target", lambda: queries.line_page(TickFilter(key()), None, 50)),
        Question("50 ticks up to some time", page),
        Question("50 of them that changed something", lambda: page(*CHANGES)),
        Question("50 of them that abstained", lambda: page(Verdict.ABSTAIN)),
        Question("a page and the next one", next_page),
        Question(
            "50 ticks that heard an override", lambda: queries.heard_page(TickFilter(key()), "overrides", "x", None, 50)
        ),
        Question("ticks since the last look", lambda: queries.since_sequence(queries.newest_sequence() - 500)),
        Question("two ticks whole", tick),
        Question("chart of six hours, 1000 points", charted(6 * HOUR_S)),
        Question("chart of all days, 1000 points", charted(MONTH_S), 100),
        Question("one target's summary", lambda: queries.target_rows(end[0], key())),
        Question("the fleet, looked at again", lambda: queries.target_rows(end[0]), 50),
        Question("the fleet, all have ticked since", lambda: queries.target_rows(end[0]), 20, more),
        Question("a month's report of a target", lambda: reports.cells([key()], made.end_s - MONTH_S, made.end_s)),
        Question("a month's report of the fleet", lambda: reports.cells(keys, made.end_s - MONTH_S, made.end_s), 20),
        Question("counters of verdicts", queries.verdict_counts, 20),
        Question("GET .../ticks", lambda: got(f"targets/{key()}/ticks?limit=50")),
        Question(
            "GET .../ticks?verdict=up&verdict=down", lambda: got(f"targets/{key()}/ticks?verdict=up&verdict=down")
        ),
        Question("GET .../series", lambda: got(f"targets/{key()}/series"), 100),
        Question("GET /fleet", lambda: got("fleet"), 30),
    ]


if __name__ == "__main__":
    main()
