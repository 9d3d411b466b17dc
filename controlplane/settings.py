"""Where the outside is, read from the environment once, at an entry point."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

BROKER_SCHEMES = ("redis://", "rediss://", "amqp://", "amqps://", "sentinel://")
"""What Celery's brokers Valkey, Redis and RabbitMQ are reached by."""


class SettingsError(ValueError):
    """A setting that is missing or cannot be used; the message names it, its value and what is allowed."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an entry point needs to find the database, the broker, the cluster, the clock and its own files."""

    database_url: str
    broker_url: str | None
    clock_path: Path | None
    kubeconfig: Path | None
    spool_dir: Path
    web_dir: Path | None


def settings_from(environment: Mapping[str, str]) -> Settings:
    """The settings that the variables `TIDEGATE_*` and `KUBECONFIG` give.

    Raises:
        SettingsError: if `TIDEGATE_DATABASE_URL` is missing or is not a PostgreSQL URL.
    """
    database_url = environment.get("TIDEGATE_DATABASE_URL", "")
    if not database_url.startswith(("postgresql://", "postgresql+psycopg://")):
        raise SettingsError(
            f"TIDEGATE_DATABASE_URL is {without_password(database_url)!r}; "
            "allowed: postgresql+psycopg://user:password@host:port/database"
        )
    return Settings(
        database_url=database_url.replace("postgresql://", "postgresql+psycopg://", 1),
        broker_url=environment.get("TIDEGATE_BROKER_URL") or None,
        clock_path=_path(environment, "TIDEGATE_CLOCK"),
        kubeconfig=_path(environment, "KUBECONFIG"),
        spool_dir=_path(environment, "TIDEGATE_SPOOL_DIR") or Path(platformdirs.user_state_dir("tidegate")) / "spool",
        web_dir=_path(environment, "TIDEGATE_WEB_DIR"),
    )


def broker_url_from(environment: Mapping[str, str]) -> str:
    """`TIDEGATE_BROKER_URL`, which workers and beat cannot do without.

    Raises:
        SettingsError: if it is missing, or not one of a broker that Celery knows.
    """
    url = environment.get("TIDEGATE_BROKER_URL", "")
    if not url.startswith(BROKER_SCHEMES):
        raise SettingsError(
            f"TIDEGATE_BROKER_URL is {without_password(url)!r}; allowed: a URL that begins with "
            + ", ".join(BROKER_SCHEMES)
        )
    return url


def listen_address(name: str, text: str) -> tuple[str, int]:
    """Host and port of `0.0.0.0:8080`, `[::]:8080` or `:8080` (every address). `name` is the setting's, for the error.

    Raises:
        SettingsError: if it is not such an address.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 1 <= int(port) <= 65535 or (":" in host and host[0] != "["):
        raise SettingsError(f"{name} is {text!r}; allowed: HOST:PORT, as in 0.0.0.0:8080 or [::]:8080")
    return host.strip("[]") or "0.0.0.0", int(port)


def without_password(url: str) -> str:
    """The URL with its password masked, for messages."""
    return re.sub(r"(?<=://)([^:/@]*):[^@]*@", r"\1:***@", url)


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    value = environment.get(name)
    return Path(value).expanduser() if value else None
