"""The application's role of a real PostgreSQL: all that the application does it may do, and nothing to history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from typer.testing import CliRunner

from controlplane.cli import app
from controlplane.domain.access import AccessRole
from controlplane.embedded.postgres import EmbeddedPostgres
from controlplane.settings import SettingsError, settings_from
from controlplane.store.ledger import PostgresLedger
from controlplane.store.roles import RoleError, grant_application, make_role
from tests.api.policies import NOW_S as MORNING_S
from tests.api.policies import Desk
from tests.api.test_overrides import NOW_S, PATH, PIN, Office
from tests.ledger_builders import make_target, make_tick
from tests.ledger_fixtures import admin

APPEND_ONLY = ("audit", "policy_versions", "policy_stages", "tick_rows")


@pytest.fixture
def role(postgres: EmbeddedPostgres, database_url: str) -> Iterator[str]:
    name = f"app_{uuid4().hex[:8]}"
    make_role(database_url, name, "first")
    yield name
    admin(postgres, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{name}'")
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"DROP OWNED BY {name}")
    admin(postgres, f"DROP ROLE {name}")


@pytest.fixture
def app_url(database_url: str, role: str) -> str:
    """The same database, as the application."""
    make_role(database_url, role, "p@ss word'")
    grant_application(database_url, role)
    grant_application(database_url, role)
    parts = urlsplit(database_url)
    return f"{parts.scheme}://{role}:p%40ss%20word%27@127.0.0.1:{parts.port}{parts.path}"


@pytest.fixture
def rows(app_url: str) -> str:
    """Something in every append-only table, written by the application as itself."""
    ledger = PostgresLedger(app_url)
    ledger.save_targets([make_target()], NOW_S)
    ledger.append([make_tick("t1", NOW_S)])
    ledger.close()
    office = Office(app_url, AccessRole.OPERATOR, "default")
    made = office.client.post(PATH, json=PIN, headers={"Idempotency-Key": "k"})
    assert made.status_code == 201, made.text
    assert office.client.delete(made.headers["location"], headers={"If-Match": '"1"'}).status_code == 200
    desk = Desk(app_url, "ann")
    policy = desk.create()["id"]
    assert desk.go(policy, 1, "shadow").status_code == 200
    assert desk.go(policy, 1, "promote").status_code == 200
    assert desk.go(policy, desk.version(policy), "shadow").status_code == 200
    assert MORNING_S == NOW_S
    return app_url


def execute(url: str, statement: str) -> list[Any]:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        found = connection.execute(statement)
        return found.fetchall() if found.description else []


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_history_is_read_and_added_to_and_never_changed(rows: str, table: str) -> None:
    before = execute(rows, f"SELECT count(*) FROM {table}")
    assert before[0][0] > 0
    column = execute(
        rows, f"SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 ORDER BY attnum"
    )[0][0]
    for statement in (
        f'UPDATE {table} SET "{column}" = "{column}"',
        f"DELETE FROM {table}",
        f"TRUNCATE {table}",
        f"ALTER TABLE {table} DISABLE TRIGGER ALL",
        f"DROP TABLE {table} CASCADE",
    ):
        with pytest.raises(InsufficientPrivilege):
            execute(rows, statement)
    # To grant what one may not grant is a warning only: it must have given nothing.
    execute(rows, f"GRANT ALL ON {table} TO PUBLIC")
    assert execute(rows, f"SELECT has_table_privilege(current_user, '{table}', 'DELETE')") == [(False,)]
    assert execute(rows, f"SELECT count(*) FROM {table}") == before


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (a int)",
        "ALTER TABLE jobs ADD COLUMN mine int",
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "SET session_replication_role = replica",
        "UPDATE alembic_version SET version_num = '0001'",
        "CREATE ROLE other",
    ],
)
def test_the_schema_is_not_the_applications(app_url: str, statement: str) -> None:
    with pytest.raises(InsufficientPrivilege):
        execute(app_url, statement)


def test_a_role_that_will_not_do_is_named(postgres: EmbeddedPostgres, database_url: str, role: str) -> None:
    with pytest.raises(RoleError, match="there is no role 'nobody_made_it'; make it: CREATE ROLE"):
        grant_application(database_url, "nobody_made_it")
    with pytest.raises(RoleError, match="has its owner's rights already"):
        grant_application(database_url, "tidegate")
    admin(postgres, f"GRANT tidegate TO {role}")
    with pytest.raises(RoleError, match="has its owner's rights already"):
        grant_application(database_url, role)


def test_what_an_older_version_gave_is_taken_back(database_url: str, role: str) -> None:
    execute(database_url, f"GRANT ALL ON audit, jobs TO {role}; GRANT DELETE ON audit TO PUBLIC")
    grant_application(database_url, role)
    rights = [
        execute(database_url, f"SELECT has_table_privilege('{role}', '{table}', '{right}')")[0][0]
        for table, right in (("audit", "DELETE"), ("audit", "INSERT"), ("jobs", "TRUNCATE"), ("jobs", "DELETE"))
    ]
    assert rights == [False, True, False, True]


def test_a_migration_gives_the_role_its_rights(
    empty_database_url: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_OWNER_DATABASE_URL", empty_database_url)
    monkeypatch.setenv("TIDEGATE_APP_ROLE", role)
    monkeypatch.delenv("TIDEGATE_DATABASE_URL", raising=False)
    done = CliRunner().invoke(app, ["migrate", "--wait", "0"])
    assert (done.exit_code, f"{role} may do what the application does" in done.stdout) == (0, True), done.output
    found = execute(empty_database_url, f"SELECT has_table_privilege('{role}', 'audit', 'INSERT')")
    assert found == [(True,)]
    execute(empty_database_url, f"DROP OWNED BY {role}")


def test_the_owners_url_is_told_apart_from_the_applications() -> None:
    mine = {"TIDEGATE_DATABASE_URL": "postgresql://app:a@h/d"}
    assert settings_from(mine).owner_database_url == "postgresql+psycopg://app:a@h/d"
    both = settings_from({**mine, "TIDEGATE_OWNER_DATABASE_URL": "postgresql://own:b@h/d"})
    assert (both.database_url[21:24], both.owner_database_url[21:24]) == ("app", "own")
    with pytest.raises(SettingsError, match=r"TIDEGATE_OWNER_DATABASE_URL is 'mysql://own:\*\*\*@h/d'"):
        settings_from({**mine, "TIDEGATE_OWNER_DATABASE_URL": "mysql://own:b@h/d"})


def test_a_function_that_makes_tables_makes_them_as_the_owner(database_url: str, app_url: str, role: str) -> None:
    body = "BEGIN CREATE TABLE made_for_a_day (a int); END"
    execute(
        database_url,
        f"CREATE OR REPLACE FUNCTION make_tick_partition(day date) RETURNS void LANGUAGE plpgsql AS '{body}'",
    )
    with pytest.raises(InsufficientPrivilege):
        execute(app_url, "SELECT make_tick_partition(current_date)")
    grant_application(database_url, role)
    execute(app_url, "SELECT make_tick_partition(current_date)")
    with pytest.raises(InsufficientPrivilege):
        execute(app_url, "DROP TABLE made_for_a_day")
