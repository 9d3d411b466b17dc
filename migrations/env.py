"""Alembic's entry: online against the configured URL, or offline as SQL."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import create_engine, func, pool, select

from controlplane.store.migrate import is_compared
from controlplane.store.tables import metadata

config = context.config
UPGRADE_LOCK = 0x7469_6465_6761_7465
"""Key of the advisory lock, "tidegate" in ASCII: two upgrades at once would both see the old schema."""
url = config.get_main_option("sqlalchemy.url") or os.environ.get("TIDEGATE_DATABASE_URL", "")

if context.is_offline_mode():
    context.configure(url=url, target_metadata=metadata, literal_binds=True, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(url, poolclass=pool.NullPool).connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, compare_type=True, include_name=is_compared)
        with context.begin_transaction():
            # Of the transaction, not of the session: it is given up with it, behind a connection pooler too.
            connection.execute(select(func.pg_advisory_xact_lock(UPGRADE_LOCK)))
            context.run_migrations()
