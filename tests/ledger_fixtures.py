"""A ledger in a database of one test's own, and statements from beside it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from controlplane.embedded.postgres import EmbeddedPostgres
from controlplane.store.ledger import PostgresLedger


def admin(server: EmbeddedPostgres, *statements: str) -> None:
    """Run statements beside the databases under test."""
    dsn = server.url_of("postgres").replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]


@pytest.fixture
def recording(database_url: str) -> Iterator[PostgresLedger]:
    """A ledger in a fresh database."""
    made = PostgresLedger(database_url)
    yield made
    made.close()
