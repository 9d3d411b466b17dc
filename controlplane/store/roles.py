"""Two roles of the database: one owns the schema and migrates it, the other is the application's and may not.

The application's may read and write rows. What is append-only (audit, ticks, versions of policies) it may add to and
never change, by right and not by trigger alone; it may neither make, change nor drop a table, nor switch a trigger off.
Which tables are append-only is asked of the database: those with the trigger that refuses changes, so that a migration
cannot forget one.
"""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql
from sqlalchemy import Connection, text

from controlplane.store.engine import make_engine, transaction

APPEND_ONLY = "%\\_append\\_only"
"""Names of the triggers that refuse changes."""
READ_ONLY = ("alembic_version",)
"""Which schema there is, is the migrations' to say."""
MAKERS = ("make_tick_partition",)
"""Functions that make tables for the application, with their owner's rights and nothing else."""

_TABLES = text(
    "SELECT c.relname AS name, c.relkind IN ('v', 'm') AS is_view, EXISTS ("
    " SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname LIKE :named"
    ") AS append_only FROM pg_class c "
    "WHERE c.relnamespace = to_regnamespace(current_schema()) AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY c.relname"
)
_FUNCTIONS = text(
    "SELECT p.oid::regprocedure::text AS signature FROM pg_proc p "
    "WHERE p.pronamespace = to_regnamespace(current_schema()) AND p.proname = ANY(:names)"
)


class RoleError(ValueError):
    """A role that cannot be the application's; the message says what to do."""


def make_role(url: str, role: str, password: str) -> None:
    """Make the role, or set its password, where we own the server; `url` is an administrator's.

    Raises:
        LedgerUnavailable: if the database does not answer.
    """
    engine = make_engine(url)
    try:
        with transaction(engine) as connection:
            verb = "ALTER" if _exists(connection, role) else "CREATE"
            statement = sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
                sql.SQL(verb), sql.Identifier(role), sql.Literal(password)
            )
            _execute(connection, statement)
    finally:
        engine.dispose()


def grant_application(url: str, role: str) -> None:
    """Give the role what the application needs of the schema as it is now, and take from it what it does not; may run
    again and again, and must after every migration. `url` is the owner's.

    Raises:
        RoleError: if there is no such role, or it is the owner, a superuser, or a member of the owner.
        LedgerUnavailable: if the database does not answer.
    """
    engine = make_engine(url)
    try:
        with transaction(engine) as connection:
            _check(connection, role)
            for statement in _statements(connection, sql.Identifier(role)):
                _execute(connection, statement)
    finally:
        engine.dispose()


def _exists(connection: Connection, role: str) -> bool:
    found = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role})
    return found.first() is not None


def _check(connection: Connection, role: str) -> None:
    if not _exists(connection, role):
        raise RoleError(f"there is no role {role!r}; make it: CREATE ROLE \"{role}\" LOGIN PASSWORD '...'")
    powers = text("SELECT rolsuper OR pg_has_role(rolname, current_user, 'MEMBER') FROM pg_roles WHERE rolname = :role")
    if connection.execute(powers, {"role": role}).scalar():
        raise RoleError(f"role {role!r} has its owner's rights already; allowed: one of the application's own")


def _statements(connection: Connection, role: sql.Identifier) -> Iterator[sql.Composed]:
    schema = sql.Identifier(str(connection.execute(text("SELECT current_schema()")).scalar()))
    yield sql.SQL("REVOKE CREATE ON SCHEMA {} FROM PUBLIC, {}").format(schema, role)
    yield sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role)
    for row in connection.execute(_TABLES, {"named": APPEND_ONLY}).all():
        rights = "SELECT, INSERT, UPDATE, DELETE"
        if row.append_only:
            rights = "SELECT, INSERT"
        if row.is_view or row.name in READ_ONLY:
            rights = "SELECT"
        table = sql.Identifier(row.name)
        yield sql.SQL("REVOKE ALL ON TABLE {} FROM PUBLIC, {}").format(table, role)
        yield sql.SQL("GRANT {} ON TABLE {} TO {}").format(sql.SQL(rights), table, role)
    yield sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA {} TO {}").format(schema, role)
    for row in connection.execute(_FUNCTIONS, {"names": list(MAKERS)}).all():
        words = "ALTER FUNCTION {} SECURITY DEFINER SET search_path FROM CURRENT"
        yield sql.SQL(words).format(sql.SQL(row.signature))


def _execute(connection: Connection, statement: sql.Composed) -> None:
    """In the driver's own words: names of roles and tables cannot be parameters."""
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute(statement)
