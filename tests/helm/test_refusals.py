"""Values that must fail, with words that say what to do."""

from __future__ import annotations

from typing import Any

import helm_python as helm
import pytest

from tests.helm.rendered import CHART, EXTERNAL, merged, render

BOTH = {"existingSecret": "pg", "bundled": {"enabled": True}}
METRICS = {"enabled": True, "tls": "existingSecret"}

BY_A_CHECK: dict[str, tuple[dict[str, Any], str]] = {
    "no database": ({"postgres": {"existingSecret": ""}}, "no PostgreSQL: set one of postgres.existingSecret"),
    "two owners": (
        {"postgres": {"owner": {"url": "postgresql://a:b@c/d", "existingSecret": "o"}}},
        "postgres.owner.url and postgres.owner.existingSecret",
    ),
    "an owner of the bundled one": (
        {"postgres": {"existingSecret": "", "bundled": {"enabled": True}, "owner": {"existingSecret": "o"}}},
        "has one role",
    ),
    "no broker": ({"broker": {"existingSecret": ""}}, "no broker: set one of broker.existingSecret"),
    "two databases": ({"postgres": BOTH}, "2 of postgres.existingSecret, postgres.url"),
    "url and secret": ({"postgres": {"url": "postgresql://a:b@c/d"}}, "allowed: exactly one"),
    "two brokers": ({"broker": {"url": "redis://a", "bundled": {"enabled": True}}}, "3 of broker.existingSecret"),
    "no namespaces": ({"rbac": {"scope": "namespaced"}}, "rbac.namespaces is empty"),
    "idle namespaces": ({"rbac": {"namespaces": ["a"]}}, "rbac.scope is cluster, which is every namespace"),
    "no certificate": ({"interop": {"externalMetrics": METRICS}}, "set interop.externalMetrics.existingSecret"),
    "no host": ({"api": {"ingress": {"enabled": True}}}, "api.ingress.enabled needs api.ingress.host"),
    "no gateway": ({"api": {"httpRoute": {"enabled": True}}}, "needs api.httpRoute.parentRefs"),
}
BY_THE_SCHEMA: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": ({"replicaCount": 2}, "replicaCount"),
    "unknown key below": ({"controller": {"replica": 2}}, "replica"),
    "unknown key of pod": ({"controller": {"pod": {"tolerance": []}}}, "tolerance"),
    "scope": ({"rbac": {"scope": "Cluster"}}, "scope"),
    "mode": ({"rbac": {"mode": "off"}}, "mode"),
    "no controller": ({"controller": {"replicas": 0}}, "replicas"),
    "words for a number": ({"api": {"replicas": "two"}}, "replicas"),
    "another database": ({"postgres": {"existingSecret": "", "url": "mysql://a"}}, "url"),
    "a role to be quoted": ({"postgres": {"owner": {"applicationRole": "a b"}}}, "applicationRole"),
    "a password to be quoted": ({"postgres": {"bundled": {"password": "a/b"}}}, "password"),
    "half a digest": ({"image": {"digest": "sha256:abc"}}, "digest"),
    "root": ({"pod": {"runAsUser": 0}}, "runAsUser"),
    "twice the same namespace": ({"rbac": {"namespaces": ["a", "a"]}}, "namespaces"),
}


@pytest.mark.parametrize("case", BY_A_CHECK)
def test_values_that_contradict_one_another(case: str) -> None:
    values, words = BY_A_CHECK[case]
    with pytest.raises(helm.HelmRenderError, match=words):
        render(values)


@pytest.mark.parametrize("case", BY_THE_SCHEMA)
def test_values_that_the_schema_refuses(case: str) -> None:
    values, words = BY_THE_SCHEMA[case]
    with helm.Chart.load(CHART) as chart, pytest.raises(helm.HelmValuesError, match=words):
        chart.validate_schema(merged(EXTERNAL, values))
