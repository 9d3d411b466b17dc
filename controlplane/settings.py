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
    namespaces: tuple[str, ...] = ()
    """Namespaces that the controller looks after; empty: the whole cluster."""
    namespace: str | None = None
    """The controller's own, where its Lease is; None: as its service account says."""
    kube_qps: float = 20.0
    kube_burst: int = 30
    """Requests to the API server per second, and at once."""


def settings_from(environment: Mapping[str, str]) -> Settings:
    """The settings that the variables `TIDEGATE_*` and `KUBECONFIG` give.

    Raises:
        SettingsError: if `TIDEGATE_DATABASE_URL` is missing or is not a PostgreSQL URL, or a number is none.
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
        namespaces=tuple(n.strip() for n in environment.get("TIDEGATE_NAMESPACES", "").split(",") if n.strip()),
        namespace=environment.get("TIDEGATE_NAMESPACE") or None,
        kube_qps=_number(environment, "TIDEGATE_KUBE_QPS", 20.0),
        kube_burst=max(1, int(_number(environment, "TIDEGATE_KUBE_BURST", 30.0))),
    )


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    value = environment.get(name)
    return Path(value).expanduser() if value else None


def _number(environment: Mapping[str, str], name: str, default: float) -> float:
    """Raises SettingsError unless it is a positive number."""
    text = environment.get(name) or str(default)
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise SettingsError(f"{name} is {text!r}; allowed: a positive number")
    return number
