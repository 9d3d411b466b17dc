"""A real PostgreSQL and a real Valkey, started once for all tests that ask for them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from controlplane.embedded.postgres import EmbeddedPostgres
from controlplane.embedded.valkey import EmbeddedValkey
from controlplane.store import migrate


@pytest.fixture(scope="session")
def run_dir() -> Iterator[Path]:
    """A directory that `nobody` can reach, for servers' data."""
    path = Path(tempfile.mkdtemp(prefix="tidegate-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(run_dir: Path) -> Iterator[EmbeddedPostgres]:
    """The server, with an empty migrated database to copy."""
    server = EmbeddedPostgres(run_dir / "postgres")
    server.start()
    _execute(server, "CREATE DATABASE template_migrated")
    migrate.upgrade(server.url_of("template_migrated"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def valkey(run_dir: Path) -> Iterator[EmbeddedValkey]:
    """The broker."""
    server = EmbeddedValkey(run_dir / "valkey")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database of one test's own, migrated."""
    name = f"test_{uuid4().hex}"
    _execute(postgres, f"CREATE DATABASE {name} TEMPLATE template_migrated")
    yield postgres.url_of(name)
    _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database of one test's own, without a schema."""
    name = f"test_{uuid4().hex}"
    _execute(postgres, f"CREATE DATABASE {name}")
    yield postgres.url_of(name)
    _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(server: EmbeddedPostgres, statement: str) -> None:
    url = server.url_of("postgres").replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]
