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


OFF = "off"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens; port 0 is one that is free."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ServingSettings:
    """What the controller serves beside its work. An address that is None is not listened at.

    A directory of TLS is a mounted Secret of type `kubernetes.io/tls`: `tls.crt` and `tls.key`.
    """

    pages: Address | None = Address("127.0.0.1", 0)
    """`/healthz`, `/readyz` and `/metrics`."""
    external_metrics: Address | None = None
    external_metrics_tls_dir: Path | None = None
    front_proxy: bool = True
    """Whether the caller of external metrics must show the certificate of the API server's front proxy."""
    front_proxy_ca: Path | None = None
    """Who signs that certificate; None: the cluster is asked, as extension API servers do."""
    front_proxy_names: tuple[str, ...] = ()
    """Common names that it may have; empty: those that the cluster says."""
    keda: Address | None = None
    keda_tls_dir: Path | None = None
    """None: plain gRPC."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an entry point needs to find the database, the broker, the cluster, the clock and its own files."""

    database_url: str
    broker_url: str | None
    clock_path: Path | None
    kubeconfig: Path | None
    spool_dir: Path
    web_dir: Path | None
    serving: ServingSettings = ServingSettings()
    allow_loopback: bool = False
    """Whether a pod's page may be on this host: so by default outside a cluster, where KUBECONFIG says the way in."""
    owner_database_url: str = ""
    """As the schema's owner: for migrations and for dropping what is past its time, alone. Without: `database_url`."""
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
        SettingsError: if `TIDEGATE_DATABASE_URL` is missing, if it or the owner's is not a PostgreSQL URL, if what is
            to be served is not told in full, or if a switch or a number is none.
    """
    database_url = _database_url(environment, "TIDEGATE_DATABASE_URL")
    owner = "TIDEGATE_OWNER_DATABASE_URL"
    return Settings(
        database_url=database_url,
        owner_database_url=_database_url(environment, owner) if environment.get(owner) else database_url,
        broker_url=environment.get("TIDEGATE_BROKER_URL") or None,
        clock_path=_path(environment, "TIDEGATE_CLOCK"),
        kubeconfig=_path(environment, "KUBECONFIG"),
        spool_dir=_path(environment, "TIDEGATE_SPOOL_DIR") or Path(platformdirs.user_state_dir("tidegate")) / "spool",
        web_dir=_path(environment, "TIDEGATE_WEB_DIR"),
        serving=_serving(environment),
        allow_loopback=_switch(environment, "TIDEGATE_ALLOW_LOOPBACK", default=bool(environment.get("KUBECONFIG"))),
        namespaces=tuple(n.strip() for n in environment.get("TIDEGATE_NAMESPACES", "").split(",") if n.strip()),
        namespace=environment.get("TIDEGATE_NAMESPACE") or None,
        kube_qps=_number(environment, "TIDEGATE_KUBE_QPS", 20.0),
        kube_burst=max(1, int(_number(environment, "TIDEGATE_KUBE_BURST", 30.0))),
    )


def _database_url(environment: Mapping[str, str], name: str) -> str:
    url = environment.get(name, "")
    if not url.startswith(("postgresql://", "postgresql+psycopg://")):
        raise SettingsError(
            f"{name} is {without_password(url)!r}; allowed: postgresql+psycopg://user:password@host:port/database"
        )
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def _serving(environment: Mapping[str, str]) -> ServingSettings:
    external = _address(environment, "TIDEGATE_EXTERNAL_METRICS_LISTEN", None)
    tls_dir = _path(environment, "TIDEGATE_EXTERNAL_METRICS_TLS_DIR")
    if external is not None and tls_dir is None:
        raise SettingsError(
            "TIDEGATE_EXTERNAL_METRICS_TLS_DIR is missing; allowed: a directory with tls.crt and tls.key, since API "
            "servers speak to their extensions over TLS alone"
        )
    names = environment.get("TIDEGATE_FRONT_PROXY_NAMES", "").split(",")
    asks = environment.get("TIDEGATE_FRONT_PROXY_CA") != OFF
    return ServingSettings(
        pages=_address(environment, "TIDEGATE_CONTROLLER_LISTEN", ServingSettings().pages),
        external_metrics=external,
        external_metrics_tls_dir=tls_dir,
        front_proxy=asks,
        front_proxy_ca=_path(environment, "TIDEGATE_FRONT_PROXY_CA") if asks else None,
        front_proxy_names=tuple(name.strip() for name in names if name.strip()),
        keda=_address(environment, "TIDEGATE_KEDA_LISTEN", None),
        keda_tls_dir=_path(environment, "TIDEGATE_KEDA_TLS_DIR"),
    )


def _address(environment: Mapping[str, str], name: str, default: Address | None) -> Address | None:
    value = environment.get(name)
    if not value:
        return default
    if value == OFF:
        return None
    return Address(*listen_address(name, value))


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
    """Host and port of `0.0.0.0:8080`, `[::]:8080` or `:8080` (every address); port 0 is any that is free.

    `name` is the setting's, for the error.

    Raises:
        SettingsError: if it is not such an address.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535 or (":" in host and host[0] != "["):
        raise SettingsError(f"{name} is {text!r}; allowed: HOST:PORT, as in 0.0.0.0:8080 or [::]:8080")
    return host.strip("[]") or "0.0.0.0", int(port)


def without_password(url: str) -> str:
    """The URL with its password masked, for messages."""
    return re.sub(r"(?<=://)([^:/@]*):[^@]*@", r"\1:***@", url)


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    value = environment.get(name)
    return Path(value).expanduser() if value else None


def _switch(environment: Mapping[str, str], name: str, default: bool) -> bool:
    text = environment.get(name, "").strip().lower()
    if text not in ("", "0", "1", "false", "true"):
        raise SettingsError(f"{name} is {text!r}; allowed: 1, 0, true or false")
    return text in ("1", "true") if text else default


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
