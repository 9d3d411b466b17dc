"""Where the outside is, read from the environment once, at an entry point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs


class SettingsError(ValueError):
    """A setting that is missing or cannot be used; the message names it, its value and what is allowed."""


OFF = "off"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens; port 0 is one that is free."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A server's certificate, its issuers after it, and its key: PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class ServingSettings:
    """What the controller serves beside its work. None: it does not."""

    pages: Address | None = Address("127.0.0.1", 0)
    """`/healthz`, `/readyz` and `/metrics`."""
    external_metrics: Address | None = None
    external_metrics_tls: KeyPair | None = None
    front_proxy_ca: Path | None = None
    """Who signs the API server's client certificate (`requestheader-client-ca-file`); None: it is not asked for."""
    front_proxy_names: tuple[str, ...] = ()
    """Common names that such a certificate may have; empty: any."""
    keda: Address | None = None
    keda_tls: KeyPair | None = None
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


def settings_from(environment: Mapping[str, str]) -> Settings:
    """The settings that the variables `TIDEGATE_*` and `KUBECONFIG` give.

    Raises:
        SettingsError: if `TIDEGATE_DATABASE_URL` is missing or is not a PostgreSQL URL, or if what is to be served
            is not told in full.
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
        serving=_serving(environment),
    )


def _serving(environment: Mapping[str, str]) -> ServingSettings:
    external = _address(environment, "TIDEGATE_EXTERNAL_METRICS_LISTEN", None)
    tls = _key_pair(environment, "TIDEGATE_EXTERNAL_METRICS_CERT", "TIDEGATE_EXTERNAL_METRICS_KEY")
    if external is not None and tls is None:
        raise SettingsError(
            "TIDEGATE_EXTERNAL_METRICS_CERT is missing; allowed: the PEM file of a certificate, since API servers "
            "speak to extensions over TLS alone"
        )
    names = environment.get("TIDEGATE_FRONT_PROXY_NAMES", "").split(",")
    return ServingSettings(
        pages=_address(environment, "TIDEGATE_CONTROLLER_LISTEN", ServingSettings().pages),
        external_metrics=external,
        external_metrics_tls=tls,
        front_proxy_ca=_path(environment, "TIDEGATE_FRONT_PROXY_CA"),
        front_proxy_names=tuple(name.strip() for name in names if name.strip()),
        keda=_address(environment, "TIDEGATE_KEDA_LISTEN", None),
        keda_tls=_key_pair(environment, "TIDEGATE_KEDA_CERT", "TIDEGATE_KEDA_KEY"),
    )


def _address(environment: Mapping[str, str], name: str, default: Address | None) -> Address | None:
    value = environment.get(name)
    if not value:
        return default
    if value == OFF:
        return None
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise SettingsError(f"{name} is {value!r}; allowed: host:port, e.g. 0.0.0.0:8081 or [::]:8081, or {OFF}")
    return Address(host.strip("[]"), int(port))


def _key_pair(environment: Mapping[str, str], certificate: str, key: str) -> KeyPair | None:
    paths = _path(environment, certificate), _path(environment, key)
    if paths[0] is not None and paths[1] is not None:
        return KeyPair(paths[0], paths[1])
    if any(paths):
        raise SettingsError(f"of {certificate} and {key} only one is set; allowed: both, or neither")
    return None


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    value = environment.get(name)
    return Path(value).expanduser() if value else None
