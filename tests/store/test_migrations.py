"""Every version of the schema to the newest and back, with ticks in it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, column, create_engine, insert, inspect, table, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import OperationalError

from controlplane.domain.decision import Tick
from controlplane.store import migrate
from controlplane.store.carry_over import carry_over
from controlplane.store.codec import tick_row
from controlplane.store.ledger import PostgresLedger
from controlplane.store.tables import metadata
from tests.store.test_ledger import peaks_only, tick_at

VERSIONS = [script.revision for script in ScriptDirectory.from_config(migrate.configuration("")).walk_revisions()][::-1]
COMPACT = VERSIONS.index("0009")
TICKS = [tick_at(n, 4.0 + n / 3.0) for n in range(6)]


@pytest.fixture
def engine(empty_database_url: str) -> Iterator[Engine]:
    made = create_engine(empty_database_url)
    yield made
    made.dispose()


def write_whole(engine: Engine, ticks: list[Tick]) -> None:
    """As versions before 0009 wrote them."""
    rows = [tick_row(tick) for tick in ticks]
    old = table("ticks", *(column(name, JSONB() if name == "body" else None) for name in rows[0]))
    with engine.begin() as connection:
        connection.execute(insert(old), rows)


def read(ledger: PostgresLedger) -> list[Tick]:
    return [peaks_only(tick) for group in ledger.group_ticks() for tick in group]


@pytest.mark.parametrize("version", VERSIONS)
def test_up_from_and_down_to_every_version_keeps_every_tick(
    empty_database_url: str, engine: Engine, version: str
) -> None:
    config, old = migrate.configuration(empty_database_url), VERSIONS.index(version) < COMPACT
    command.upgrade(config, version)
    ledger = PostgresLedger(empty_database_url)
    if old:
        write_whole(engine, TICKS)
    else:
        ledger.append(TICKS)
    command.upgrade(config, "head")
    assert carry_over(engine) == (len(TICKS) if old else 0)
    assert read(ledger) == [peaks_only(tick) for tick in TICKS]
    late = tick_at(9)
    ledger.append([late])

    command.downgrade(config, version)
    assert MigrationContext.configure(engine.connect()).get_current_revision() == version
    engine.dispose()
    if old:
        with engine.connect() as connection:
            kept = connection.execute(text("SELECT id FROM ticks ORDER BY sequence")).scalars().all()
        assert kept == [tick.id for tick in (*TICKS, late)]
        with pytest.raises(psycopg.errors.RestrictViolation), psycopg.connect(_plain(empty_database_url)) as raw:
            raw.execute("DELETE FROM ticks")
    command.upgrade(config, "head")
    carry_over(engine)
    assert read(ledger) == [peaks_only(tick) for tick in (*TICKS, late)]
    ledger.close()


def test_down_to_nothing_leaves_nothing(empty_database_url: str, engine: Engine) -> None:
    migrate.upgrade(empty_database_url)
    command.downgrade(migrate.configuration(empty_database_url), "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    with engine.connect() as connection:
        left = "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        assert connection.execute(text(left)).scalars().all() == []


def test_the_newest_version_is_what_the_tables_say(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        options = {"compare_type": True, "include_name": migrate.is_compared}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
    engine.dispose()
    command.check(migrate.configuration(database_url))


def test_an_upgrade_gives_up_rather_than_hold_everybody_up(empty_database_url: str, engine: Engine) -> None:
    config = migrate.configuration(empty_database_url)
    command.upgrade(config, "0008")
    write_whole(engine, TICKS)
    with psycopg.connect(_plain(empty_database_url)) as reader:
        reader.execute("SELECT count(*) FROM ticks")  # a long report
        with pytest.raises(OperationalError, match="lock timeout"):
            command.upgrade(config, "head")
    command.upgrade(config, "head")
    assert carry_over(engine) == len(TICKS)


def test_carrying_over_goes_on_where_it_stopped(empty_database_url: str, engine: Engine) -> None:
    command.upgrade(migrate.configuration(empty_database_url), "0008")
    write_whole(engine, TICKS)
    migrate.upgrade(empty_database_url)
    counts = [carry_over(engine, at_once=1) for _ in range(3)]
    assert (sum(counts), counts[-1]) == (len(TICKS), 0)


def _plain(url: str) -> str:
    return url.replace("+psycopg", "")
