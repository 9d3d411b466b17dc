"""Alembic, from wherever Tidegate is installed."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

import migrations
from controlplane.store.engine import make_engine, transaction


def configuration(url: str) -> Config:
    """Alembic's configuration for that database and the packaged migrations."""
    config = Config()
    config.set_main_option("script_location", str(Path(next(iter(migrations.__path__)))))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(url: str) -> None:
    """Bring the database to the newest schema; does nothing where it is there already."""
    command.upgrade(configuration(url), "head")


def is_current(engine: Engine) -> bool:
    """Whether the database has the newest schema, or one that only a newer program knows.

    During an upgrade, and after a rollback, programs run on the schema of the version after them: a migration leaves
    what that version needs. They go on, where "not mine" would take every replica out of service at once.

    Raises:
        LedgerUnavailable: if it does not answer.
    """
    with transaction(engine) as connection:
        current = revision_of(connection)
    return current == newest_revision() or (current is not None and not is_known(current))


def revision_of(connection: Connection) -> str | None:
    """The schema's revision; None: there is none yet."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str:
    """The newest revision that this program knows."""
    head = _scripts().get_current_head()
    assert head is not None, "the migrations are packaged with the program"
    return head


def is_known(revision: str) -> bool:
    """Whether this program knows that revision."""
    return revision in {script.revision for script in _scripts().walk_revisions()}


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(configuration(""))


def is_current_at(url: str) -> bool:
    """`is_current` of the database at `url`.

    Raises:
        LedgerUnavailable: if it does not answer.
    """
    engine = make_engine(url)
    try:
        return is_current(engine)
    finally:
        engine.dispose()


def bring_up(url: str) -> bool:
    """`upgrade` where it is needed; whether it was. Several at once wait for one another (see migrations/env.py).

    Raises:
        LedgerUnavailable: if the database does not answer.
    """
    if is_current_at(url):
        return False
    upgrade(url)
    return True
