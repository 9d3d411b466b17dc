"""The `metrics` of a manifest -> `MetricsSource`: pages over HTTP or HTTPS, or a Prometheus that has them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from controlplane.domain.manifest_base import Name, Part
from controlplane.domain.target import MetricsSource, PoolSource, PrometheusSource, SecretKey, Tls

LABEL_NAME = r"^[a-zA-Z_][a-zA-Z0-9_]*$"
"""A Prometheus label's name."""


class SecretKeyPart(Part):
    """One key of a Secret in the resource's namespace."""

    name: Name
    key: Name

    def to_domain(self) -> SecretKey:
        """As the scraper has it."""
        return SecretKey(self.name, self.key)


class TlsPart(Part):
    """How a page is fetched over HTTPS."""

    ca_secret_ref: SecretKeyPart | None = None
    server_name: Name | None = None
    insecure_skip_verify: bool = False

    def to_domain(self) -> Tls:
        """As the scraper has it."""
        ca = self.ca_secret_ref.to_domain() if self.ca_secret_ref else None
        return Tls(ca, self.server_name, self.insecure_skip_verify)


class PrometheusPart(Part):
    """A Prometheus to be asked instead of the replicas."""

    url: str = Field(max_length=2048, pattern=r"^https?://[^\s/]+")
    labels: dict[str, Annotated[str, Field(max_length=1024)]] = Field(default={}, max_length=32)
    pod_label: str = Field(default="pod", max_length=253, pattern=LABEL_NAME)

    @field_validator("labels")
    @classmethod
    def _are_label_names(cls, labels: dict[str, str]) -> dict[str, str]:
        for name in labels:
            if not (name.isascii() and name.isidentifier()):
                raise ValueError(f"{name!r} is no label's name; allowed: letters, digits and _, no digit first")
        return labels

    def to_domain(self) -> PrometheusSource:
        """As the observer has it."""
        return PrometheusSource(self.url, self.labels, self.pod_label)


class PoolPart(Part):
    """The router in front of the replicas."""

    pod_selector: str = Field(min_length=1, max_length=1024)
    port: int = Field(default=9090, ge=1, le=65535)
    path: str = Field(default="/metrics", max_length=1024, pattern=r"^/")
    bearer_secret_ref: SecretKeyPart | None = None

    def to_domain(self) -> PoolSource:
        """As the collector has it."""
        bearer = self.bearer_secret_ref.to_domain() if self.bearer_secret_ref else None
        return PoolSource(self.pod_selector, self.port, self.path, bearer)


class MetricsPart(Part):
    """Where the replicas' metrics are."""

    port: int | None = Field(default=None, ge=1, le=65535)
    path: str = Field(default="/metrics", max_length=1024, pattern=r"^/")
    tls: TlsPart | None = None
    bearer_secret_ref: SecretKeyPart | None = None
    prometheus: PrometheusPart | None = None
    pool: PoolPart | None = None

    def to_domain(self) -> MetricsSource:
        """As the scraper has it."""
        return MetricsSource(
            port=self.port,
            path=self.path,
            tls=self.tls.to_domain() if self.tls else None,
            bearer=self.bearer_secret_ref.to_domain() if self.bearer_secret_ref else None,
            prometheus=self.prometheus.to_domain() if self.prometheus else None,
            pool=self.pool.to_domain() if self.pool else None,
        )
