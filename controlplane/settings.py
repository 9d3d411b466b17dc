"""Where the outside is, read from the environment once, at an entry point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs


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
    allow_loopback: bool = False
    """Whether a pod's page may be on this host: so by default outside a cluster, where KUBECONFIG says the way in."""


def settings_from(environment: Mapping[str, str]) -> Settings:
    """The settings that the variables `TIDEGATE_*` and `KUBECONFIG` give.

    Raises:
        SettingsError: if `TIDEGATE_DATABASE_URL` is missing or is not a PostgreSQL URL, or a switch is not one.
    """
    database_url = environment.get("TIDEGATE_DATABASE_URL", "")
    if not database_url.startswith(("postgresql://", "postgresql+psycopg://")):
        raise SettingsError(
            f"TIDEGATE_DATABASE_URL is {database_url!r}; allowed: postgresql+psycopg://user:password@host:port/database"
        )
    return Settings(
        database_url=database_url.replace("postgresql://", "postgresql+psycopg://", 1),
        broker_url=environment.get("TIDEGATE_BROKER_URL") or None,
        clock_path=_path(environment, "TIDEGATE_CLOCK"),
        kubeconfig=_path(environment, "KUBECONFIG"),
        spool_dir=_path(environment, "TIDEGATE_SPOOL_DIR") or Path(platformdirs.user_state_dir("tidegate")) / "spool",
        web_dir=_path(environment, "TIDEGATE_WEB_DIR"),
        allow_loopback=_switch(environment, "TIDEGATE_ALLOW_LOOPBACK", default=bool(environment.get("KUBECONFIG"))),
    )


def _switch(environment: Mapping[str, str], name: str, default: bool) -> bool:
    text = environment.get(name, "").strip().lower()
    if text not in ("", "0", "1", "false", "true"):
        raise SettingsError(f"{name} is {text!r}; allowed: 1, 0, true or false")
    return text in ("1", "true") if text else default


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    value = environment.get(name)
    return Path(value).expanduser() if value else None
