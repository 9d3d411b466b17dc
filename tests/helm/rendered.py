"""The chart, rendered as Helm 4 does it, without a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml

CHART = Path(__file__).resolve().parents[2] / "helm" / "tidegate"
RELEASE, NAMESPACE = "tidegate", "serving"
EXTERNAL: dict[str, Any] = {
    "postgres": {"existingSecret": "pg"},
    "broker": {"existingSecret": "mq"},
}
"""The least that has to be chosen: where database and broker are."""
TRIAL: dict[str, Any] = {
    "postgres": {"bundled": {"enabled": True, "password": "p0stgres"}},
    "broker": {"bundled": {"enabled": True, "password": "valk3y"}},
}
"""With the bundled servers. The passwords are given, as `lookup` finds nothing here."""
EVERYTHING: dict[str, Any] = {
    **TRIAL,
    "controller": {"spool": {"persistent": True}},
    "api": {
        "ingress": {"enabled": True, "host": "tidegate.example.org", "tlsSecret": "tls", "className": "nginx"},
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}], "hostnames": ["tidegate.example.org"]},
    },
    "rbac": {"secretNames": ["scrape-token"], "extraScaleTargets": [{"apiGroup": "x.io", "resource": "fleets"}]},
    "interop": {"externalMetrics": {"enabled": True}, "keda": {"enabled": True}},
    "networkPolicy": {"enabled": True},
    "monitoring": {
        "labels": {"release": "prometheus"},
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "dashboard": {"enabled": True},
    },
}
"""Every switch on."""


@dataclass(frozen=True)
class Rendered:
    """What the chart makes of values: text by template, and the objects."""

    texts: dict[str, str]

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """Every Kubernetes object."""
        loaded = (yaml.safe_load_all(text) for name, text in self.texts.items() if not name.endswith("NOTES.txt"))
        return [found for documents in loaded for found in documents if found]

    @property
    def notes(self) -> str:
        """What `helm install` prints."""
        return self.texts["tidegate/templates/NOTES.txt"]

    def of_kind(self, *kinds: str) -> list[dict[str, Any]]:
        """The objects of some kinds."""
        return [found for found in self.objects if found["kind"] in kinds]

    def one(self, kind: str, name: str) -> dict[str, Any]:
        """The object of that kind and name; there must be one."""
        (found,) = [found for found in self.of_kind(kind) if found["metadata"]["name"] == name]
        return found

    def pod_specs(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every pod's spec, with the name of what makes it."""
        for found in self.of_kind("Deployment", "StatefulSet", "Job"):
            yield found["metadata"]["name"], found["spec"]["template"]["spec"]
        for found in self.of_kind("Pod"):
            yield found["metadata"]["name"], found["spec"]


def merged(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """`more` over `base`, objects key by key."""
    both = dict(base)
    for name, value in more.items():
        old = both.get(name)
        both[name] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return both


def render(values: dict[str, Any] | None = None, base: dict[str, Any] | None = None, upgrade: bool = False) -> Rendered:
    """The chart with `values` over `base` (EXTERNAL where not given).

    Raises:
        HelmError: if the schema or a check of the chart refuses the values.
    """
    chosen = merged(EXTERNAL if base is None else base, values or {})
    with helm.Chart.load(CHART) as chart:
        chart.validate_schema(chosen)
        return Rendered(
            chart.render(chosen, name=RELEASE, namespace=NAMESPACE, is_upgrade=upgrade, is_install=not upgrade)
        )
