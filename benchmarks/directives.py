"""What reading everything in force costs a tick, however much is past: `python -m benchmarks.directives`.

Fills a PostgreSQL of its own with overrides, freezes and prices that are over, and a few that hold, and times the
controller's one statement.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from sqlalchemy import Engine, text

from controlplane.embedded.postgres import EmbeddedPostgres
from controlplane.store import migrate
from controlplane.store.directives import PostgresDirectives
from controlplane.store.engine import make_engine

NOW_S = 1_767_600_000.0
FILL = """
INSERT INTO overrides (id, namespace, target, kind, replicas, actor, reason, created_at, expires_at, ended_at)
SELECT gen_random_uuid(), 'ns-' || n % 50, 'chat-' || n % 500, 'Pin', 4, 'ada', 'load test',
  to_timestamp(:now) - n * interval '1 minute', to_timestamp(:now) + (:living - n) * interval '1 minute',
  CASE WHEN n >= :living THEN to_timestamp(:now) END
FROM generate_series(0, :past - 1) n
"""


def main() -> None:
    """Print the milliseconds of a read and the plan."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--past", type=int, default=200_000, help="overrides in all")
    options.add_argument("--living", type=int, default=100, help="of them, in force")
    options.add_argument("--reads", type=int, default=300)
    asked = options.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="tidegate-bench-"))
    directory.chmod(0o755)
    server = EmbeddedPostgres(directory / "postgres")
    try:
        server.start()
        migrate.upgrade(server.url)
        engine = make_engine(server.url)
        with engine.begin() as connection:
            connection.execute(text(FILL), {"now": NOW_S, "living": asked.living, "past": asked.past})
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE overrides"))
        _measure(engine, asked.reads)
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _measure(engine: Engine, reads: int) -> None:
    reader, taken_s = PostgresDirectives(engine), []
    for _ in range(reads):
        began_s = time.perf_counter()
        found = reader.current(NOW_S)
        taken_s.append(time.perf_counter() - began_s)
    held = sum(len(said) for said in found.overrides.values())
    taken_s.sort()
    median, p99 = statistics.median(taken_s) * 1e3, taken_s[int(0.99 * len(taken_s))] * 1e3
    print(f"{held} overrides in force: {median:.2f} ms median, {p99:.2f} ms p99 of {reads} reads")
    plan = (
        "EXPLAIN (ANALYZE, BUFFERS) SELECT to_jsonb(overrides) FROM overrides WHERE ended_at IS NULL AND expires_at > "
    )
    with engine.connect() as connection:
        for (line,) in connection.execute(text(f"{plan}to_timestamp(:now)"), {"now": NOW_S}):
            print(line)


if __name__ == "__main__":
    main()
