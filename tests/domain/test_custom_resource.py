"""Right and wrong custom resources: what the schema's rules refuse, and what the reader refuses, each naming the field."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from controlplane.crds import inference_autoscaler
from controlplane.domain.manifest import ManifestError, target_from_manifest
from tests.domain.resources import ALONE, H100, L40S, NIGHT, SEVERAL, refusals, resource

PREFILL = {**H100, "name": "p", "scaleTargetRef": {"name": "p"}, "role": "Prefill"}
DECODE = {**H100, "name": "d", "scaleTargetRef": {"name": "d"}, "role": "Decode"}
IN_TWO_ZONES = [{**H100, "failureDomain": "eu-west-1a"}, {**L40S, "failureDomain": "eu-west-1b"}]
CA = {"name": "engine-tls", "key": "ca.crt"}


def alone(**changes: Any) -> dict[str, Any]:
    """One variant, some fields changed; None takes one out."""
    spec = {**copy.deepcopy(ALONE), **changes}
    return {name: value for name, value in spec.items() if value is not None}


def several(**changes: Any) -> dict[str, Any]:
    spec = {**copy.deepcopy(SEVERAL), **changes}
    return {name: value for name, value in spec.items() if value is not None}


def pin(**changes: Any) -> dict[str, Any]:
    return {"kind": "Pin", "replicas": 2, **changes}


RULES = [
    # The rule's field as the API server names it, its words, a resource that keeps it, one that breaks it.
    ("spec.scaleTargetRef", "exactly one of", alone(), {**alone(), "variants": [H100]}),
    ("spec.scaleTargetRef", "exactly one of", several(), several(variants=None)),
    ("spec.maxReplicas", "must be given beside", alone(), alone(maxReplicas=None)),
    ("spec.variants", "belong to each variant", several(), several(maxReplicas=3)),
    ("spec.variants", "belong to each variant", several(), several(drainSeconds=3)),
    ("spec.minReplicas", "must not be above", alone(minReplicas=10), alone(minReplicas=11)),
    ("spec.role", "serves both roles", alone(role="Both"), alone(role="Decode")),
    (
        "spec.variants",
        "every variant has role Prefill",
        several(variants=[PREFILL, DECODE]),
        several(variants=[PREFILL]),
    ),
    ("spec.variants", "every variant has role Decode", several(variants=[PREFILL, DECODE]), several(variants=[DECODE])),
    (
        "spec.variants",
        "the same scaleTargetRef",
        several(),
        several(variants=[H100, {**L40S, "scaleTargetRef": {"name": "chat-h100", "kind": "Deployment"}}]),
    ),
    ("spec.variants", "belong to each variant", several(), several(failureDomain="zone-a")),
    (
        "spec.capacity.maxDomainShare",
        "all of the capacity",
        several(capacity={"maxDomainShare": 0.5}, variants=IN_TWO_ZONES),
        several(capacity={"maxDomainShare": 0.5}, variants=[{**one, "failureDomain": "a"} for one in IN_TWO_ZONES]),
    ),
    ("spec.scaleToZero", "needs a minReplicas", alone(scaleToZero={}), alone(scaleToZero={}, minReplicas=1)),
    ("spec.scaleToZero", "needs a minReplicas", several(scaleToZero={}), several(scaleToZero={}, variants=[H100])),
    (
        "spec.scaleToZero",
        "needs a minReplicas",
        several(scaleToZero={}, variants=[H100], schedules=[{**NIGHT, "minReplicas": 0}]),
        several(scaleToZero={}, variants=[H100], schedules=[NIGHT]),
    ),
    (
        "spec.schedules",
        "names a variant",
        several(schedules=[{**NIGHT, "variant": "l40s"}]),
        several(schedules=[{**NIGHT, "variant": "b200"}]),
    ),
    (
        "spec.schedules",
        "names a variant",
        alone(schedules=[{**NIGHT, "variant": "default"}]),
        alone(schedules=[{**NIGHT, "variant": "chat"}]),
    ),
    (
        "spec.overrides",
        "names a variant",
        several(overrides=[pin(variant="h100")]),
        several(overrides=[pin(variant="b200")]),
    ),
    ("spec.slo", "at least one of ttft", alone(slo={"preset": "RAG"}), alone(slo={"attainment": 0.9})),
    (
        "spec.slo.ttftSeconds",
        "short form of ttft",
        alone(slo={"ttft": {"seconds": 1}, "tpotSeconds": 1}),
        alone(slo={"ttft": {"seconds": 1}, "ttftSeconds": 1}),
    ),
    (
        "spec.slo.tpotSeconds",
        "short form of tpot",
        alone(slo={"tpot": {"seconds": 1}}),
        alone(slo={"tpot": {"seconds": 1}, "tpotSeconds": 1}),
    ),
    (
        "spec.slo.e2eSeconds",
        "short form of e2e",
        alone(slo={"e2e": {"seconds": 1}}),
        alone(slo={"e2e": {"seconds": 1}, "e2eSeconds": 1}),
    ),
    ("spec.variants[0].minReplicas", "must not be above", several(), several(variants=[{**H100, "minReplicas": 11}])),
    (
        "spec.schedules[0]",
        "at least one of minReplicas",
        alone(schedules=[NIGHT]),
        alone(schedules=[{**NIGHT, "maxReplicas": None}]),
    ),
    (
        "spec.schedules[0].minReplicas",
        "must not be above",
        alone(schedules=[{**NIGHT, "minReplicas": 2}]),
        alone(schedules=[{**NIGHT, "minReplicas": 3}]),
    ),
    (
        "spec.schedules[0].end",
        "same as start",
        alone(schedules=[NIGHT]),
        alone(schedules=[{**NIGHT, "end": NIGHT["start"]}]),
    ),
    (
        "spec.metrics.tls.insecureSkipVerify",
        "beside caSecretRef",
        alone(metrics={"tls": {"caSecretRef": CA}}),
        alone(metrics={"tls": {"caSecretRef": CA, "insecureSkipVerify": True}}),
    ),
    (
        "spec.overrides[0].replicas",
        "Pause takes no",
        alone(overrides=[{"kind": "Pause"}]),
        alone(overrides=[{"kind": "Pin"}]),
    ),
    ("spec.overrides[0].replicas", "Pause takes no", alone(overrides=[pin()]), alone(overrides=[pin(kind="Pause")])),
]


@pytest.mark.parametrize(("field", "words", "right", "wrong"), RULES)
def test_a_rule_lets_one_resource_pass_and_refuses_another(
    field: str, words: str, right: dict[str, Any], wrong: dict[str, Any]
) -> None:
    assert refusals(right) == []
    target_from_manifest(resource(right))
    found = refusals(wrong)
    assert [f for f, _ in found] == [field]
    assert words in found[0][1]
    with pytest.raises(ManifestError):
        target_from_manifest(resource(wrong))


def test_every_rule_of_the_schema_has_a_case() -> None:
    def messages(schema: Any) -> set[str]:
        found = {rule["message"] for rule in schema.get("x-kubernetes-validations", ())}
        inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
        return found.union(*(messages(one) for one in inner))

    cases = {words for _, words, _, _ in RULES}
    schema = inference_autoscaler()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert [m for m in messages(schema) if not any(words in m for words in cases)] == []


def test_rules_are_not_reached_past_a_wrong_type_and_the_answer_says_so() -> None:
    found = refusals(alone(maxReplicas="many", scaleToZero={}, minReplicas=1))
    assert [field for field, _ in found] == ["spec.maxReplicas", "<nil>"]
    assert "some validation rules were not checked" in found[1][1]


SLO = {"ttftSeconds": 2, "tpotSeconds": 0.1}
UP = {"type": "Pods", "value": 4, "periodSeconds": 15}
REFUSED_BY_BOTH = [
    (alone(model=None), "spec.model"),
    (alone(model=""), "spec.model"),
    (alone(slo=None), "spec.slo"),
    (alone(slo={"preset": "Chess"}), "spec.slo.preset"),
    (alone(slo={"ttft": {"percentile": 99}}), "spec.slo.ttft.seconds"),
    (alone(slo={"ttft": {"seconds": 1, "percentile": 100}}), "spec.slo.ttft.percentile"),
    (alone(slo={"ttftSeconds": 0}), "spec.slo.ttftSeconds"),
    (alone(slo={"e2eSeconds": 100_000}), "spec.slo.e2eSeconds"),
    (alone(slo={**SLO, "attainment": 0}), "spec.slo.attainment"),
    (alone(slo={**SLO, "attainment": 99}), "spec.slo.attainment"),
    (alone(mode="live"), "spec.mode"),
    (alone(mode=False), "spec.mode"),
    (alone(maxReplicas=0), "spec.maxReplicas"),
    (alone(maxReplicas="5"), "spec.maxReplicas"),
    (alone(maxReplicas=2.5), "spec.maxReplicas"),
    (alone(minReplicas=-1), "spec.minReplicas"),
    (alone(scaleTargetRef={}), "spec.scaleTargetRef.name"),
    (alone(scaleTargetRef={"name": ""}), "spec.scaleTargetRef.name"),
    (alone(scaleTargetRef={"name": "a", "kind": ""}), "spec.scaleTargetRef.kind"),
    (alone(acceleratorsPerReplica=0), "spec.acceleratorsPerReplica"),
    (alone(capacityType="Reserved"), "spec.capacityType"),
    (alone(pricePerReplicaHour=-1), "spec.pricePerReplicaHour"),
    (alone(drainSeconds=-1), "spec.drainSeconds"),
    (several(variants=[]), "spec.variants"),
    (several(variants=[{**H100, "name": "H100"}]), "spec.variants[0].name"),
    (several(variants=[{**H100, "name": "a" * 64}]), "spec.variants[0].name"),
    (several(variants=[H100, {**L40S, "preference": "Never"}]), "spec.variants[1].preference"),
    (several(variants=[{**H100, "role": "both"}]), "spec.variants[0].role"),
    (
        alone(behavior={"scaleUp": {"stabilizationWindowSeconds": 3601}}),
        "spec.behavior.scaleUp.stabilizationWindowSeconds",
    ),
    (alone(behavior={"scaleUp": {"policies": []}}), "spec.behavior.scaleUp.policies"),
    (alone(behavior={"scaleUp": {"policies": [{**UP, "type": "Nodes"}]}}), "spec.behavior.scaleUp.policies[0].type"),
    (alone(behavior={"scaleUp": {"policies": [{**UP, "value": 0}]}}), "spec.behavior.scaleUp.policies[0].value"),
    (alone(behavior={"scaleDown": {"selectPolicy": "Most"}}), "spec.behavior.scaleDown.selectPolicy"),
    (alone(behavior={"scaleDown": {"tolerance": -0.1}}), "spec.behavior.scaleDown.tolerance"),
    (alone(behavior={"scaleDown": {"tolerance": "5%"}}), "spec.behavior.scaleDown.tolerance"),
    (alone(intervalSeconds=0), "spec.intervalSeconds"),
    (alone(forecast={"quantile": 1}), "spec.forecast.quantile"),
    (alone(coupling={}), "spec.coupling.maxSkewPercent"),
    (alone(coupling={"maxSkewPercent": 0}), "spec.coupling.maxSkewPercent"),
    (alone(scaleToZero={"idleSeconds": 0}), "spec.scaleToZero.idleSeconds"),
    (alone(schedules=[{**NIGHT, "start": "22:00"}]), "spec.schedules[0].start"),
    (alone(schedules=[{**NIGHT, "timeZone": ""}]), "spec.schedules[0].timeZone"),
    (alone(headroom={"replicas": -1}), "spec.headroom.replicas"),
    (alone(headroom={"percent": "10%"}), "spec.headroom.percent"),
    (alone(takeover="yes"), "spec.takeover"),
    (alone(manualHoldSeconds=-1), "spec.manualHoldSeconds"),
    (alone(metrics={"port": 65536}), "spec.metrics.port"),
    (alone(metrics={"path": "metrics"}), "spec.metrics.path"),
    (alone(metrics={"bearerSecretRef": {"name": "token"}}), "spec.metrics.bearerSecretRef.key"),
    (alone(metrics={"prometheus": {"url": "prometheus:9090"}}), "spec.metrics.prometheus.url"),
    (alone(metrics={"prometheus": {"url": "http://p", "labels": {"a": 1}}}), "spec.metrics.prometheus.labels.a"),
    (alone(metrics={"prometheus": {"url": "http://p", "podLabel": "k8s.pod"}}), "spec.metrics.prometheus.podLabel"),
    (alone(limits={"quorum": 60}), "spec.limits.quorum"),
    (alone(overrides=[{"kind": "Freeze"}]), "spec.overrides[0].kind"),
    (alone(overrides=[{"kind": "Pause", "expiresAt": "tomorrow"}]), "spec.overrides[0].expiresAt"),
    (alone(overrides=[{"kind": "Pause", "expiresAt": "2026-01-01T00:00:00"}]), "spec.overrides[0].expiresAt"),
]


@pytest.mark.parametrize(("wrong", "field"), REFUSED_BY_BOTH)
def test_a_wrong_field_is_named_by_the_schema_and_by_the_reader(wrong: dict[str, Any], field: str) -> None:
    assert refusals(wrong)[0][0] == field
    with pytest.raises(ManifestError) as refusal:
        target_from_manifest(resource(wrong))
    assert refusal.value.field == field


def test_a_name_that_is_taken_is_refused_by_both() -> None:
    assert refusals(several(variants=[H100, H100]))[0] == ("spec.variants[1]", 'Duplicate value: {"name":"h100"}')
    with pytest.raises(ManifestError, match=r"spec.variants\[1\].name: 'h100' is taken"):
        target_from_manifest(resource(several(variants=[H100, H100])))
    with pytest.raises(ManifestError, match=r"spec.schedules\[1\].name: 'night' is taken"):
        target_from_manifest(resource(alone(schedules=[NIGHT, NIGHT])))


@pytest.mark.parametrize(
    "spec", [alone(replicas=3), alone(slo={**SLO, "p99": 1}), several(variants=[{**H100, "gpu": 1}])]
)
def test_an_unknown_field_is_named_by_both(spec: dict[str, Any]) -> None:
    (_, message), *_ = refusals(spec)
    with pytest.raises(ManifestError, match="not permitted") as refusal:
        target_from_manifest(resource(spec))
    assert f'unknown field "{refusal.value.field}"' in message


REFUSED_BY_THE_READER = [
    (alone(model="gpt-9"), "spec.model", "llama-3.1-8b"),
    (alone(accelerator="H900"), "spec.accelerator", "H100"),
    (several(variants=[H100, {**L40S, "accelerator": "L40"}]), "spec.variants[1].accelerator", "L40S"),
    (alone(accelerator=None), "spec.accelerator", "names no GPU"),
    (alone(schedules=[{**NIGHT, "start": "0 25 * * *"}]), "spec.schedules[0].start", "Bad hour"),
    (alone(schedules=[{**NIGHT, "end": "0 0 30 2 *"}]), "spec.schedules[0].end", "Bad day-of-month"),
    (alone(schedules=[{**NIGHT, "timeZone": "Europe/Bonn"}]), "spec.schedules[0].timeZone", "Europe/Berlin"),
    (alone(schedules=[{**NIGHT, "timeZone": "/etc/passwd"}]), "spec.schedules[0].timeZone", "no time zone"),
    (
        several(variants=[H100], schedules=[{**NIGHT, "maxReplicas": None, "minReplicas": 11}]),
        "spec.schedules[0].minReplicas",
        "above maxReplicas 10 of variant h100",
    ),
    (
        alone(metrics={"prometheus": {"url": "http://p", "labels": {"a-b": "c"}}}),
        "spec.metrics.prometheus.labels",
        "a-b",
    ),
]


@pytest.mark.parametrize(("wrong", "field", "words"), REFUSED_BY_THE_READER)
def test_what_a_schema_cannot_know_the_reader_refuses(wrong: dict[str, Any], field: str, words: str) -> None:
    assert refusals(wrong) == []
    with pytest.raises(ManifestError) as refusal:
        target_from_manifest(resource(wrong))
    assert refusal.value.field == field
    assert words in refusal.value.message
