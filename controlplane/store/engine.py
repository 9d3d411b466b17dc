"""Connections: made late, checked before use, and turned into `LedgerUnavailable` where the database is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from controlplane.domain.ports import LedgerUnavailable

CONNECT_TIMEOUT_S = 3
"""Real seconds: a tick does not wait longer for a database that is away."""
STATEMENT_TIMEOUT_MS = 10_000
"""A statement that needs longer is a mistake, and must not hold the loop or a page up."""


def make_engine(url: str) -> Engine:
    """An engine for that URL; connects at the first use. Its sessions are in UTC."""
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_timeout=CONNECT_TIMEOUT_S,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC",
        },
    )


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """An engine for the length of the block."""
    engine = make_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


NOT_MIGRATED = ("42P01", "42703")
"""PostgreSQL's undefined_table and undefined_column: the schema is missing, or older than this program."""


Unstorable = DataError
"""A value that PostgreSQL does not hold: text with a NUL, a number beyond its column."""


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction, committed at the end of the block.

    Raises:
        LedgerUnavailable: if the database does not answer, or has not this version's schema (yet).
        Unstorable: if it was given a value that it does not hold.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise LedgerUnavailable(first_words(error)) from error
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) in NOT_MIGRATED:
            raise LedgerUnavailable(f"{first_words(error)}; run `tidegate migrate`") from error
        if error.connection_invalidated:
            raise LedgerUnavailable(first_words(error)) from error
        raise


def first_words(error: Exception) -> str:
    """What the driver says, without the statement and its values."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
