"""The one reader of the custom resource: what it accepts, what it fills in, and how it refuses."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from controlplane.crds import inference_autoscaler
from controlplane.domain.manifest import ManifestError, target_from_manifest
from controlplane.domain.target import DEFAULT_SCALE_DOWN, Mode, OverrideKind, Role, Routing

MINIMAL: dict[str, Any] = {
    "apiVersion": "tidegate.io/v1alpha1",
    "kind": "InferenceAutoscaler",
    "metadata": {"name": "chat", "namespace": "prod"},
    "spec": {
        "model": "llama-3.1-8b",
        "slo": {"ttftSeconds": 2, "tpotSeconds": 0.1},
        "variants": [
            {"name": "h100", "scaleTargetRef": {"name": "chat-h100"}, "accelerator": "H100", "maxReplicas": 10},
        ],
    },
}


def edited(**changes: Any) -> dict[str, Any]:
    manifest = copy.deepcopy(MINIMAL)
    manifest["spec"].update(changes)
    return manifest


def variant(**changes: Any) -> dict[str, Any]:
    return {**MINIMAL["spec"]["variants"][0], **changes}


def test_defaults_are_shadow_and_the_catalogs_price() -> None:
    target = target_from_manifest(MINIMAL)
    assert target.key == "prod/chat"
    assert target.policy.mode is Mode.SHADOW
    assert target.policy.scale_down == DEFAULT_SCALE_DOWN
    assert target.variants[0].role is Role.BOTH
    assert target.variants[0].usd_per_replica_hour == 4.0


def test_a_free_replica_costs_nothing_and_not_the_list_price() -> None:
    target = target_from_manifest(edited(variants=[variant(pricePerReplicaHour=0)]))
    assert target.variants[0].usd_per_replica_hour == 0.0


def test_price_is_of_the_whole_replica() -> None:
    target = target_from_manifest(edited(variants=[variant(acceleratorsPerReplica=4)]))
    assert target.variants[0].usd_per_replica_hour == 16.0


def test_override_expires_at_that_moment_in_utc() -> None:
    override = {"kind": "Floor", "replicas": 3, "variant": "h100", "expiresAt": "2026-01-01T01:00:00+01:00"}
    found = target_from_manifest(edited(overrides=[override])).policy.overrides[0]
    assert found.kind is OverrideKind.FLOOR
    assert found.expires_at_s == 1767225600.0


def test_what_the_allocation_is_told() -> None:
    capacity = {"maxSpotShare": 0.5, "maxPoolShare": 0.25, "maxSurge": 4}
    policy = target_from_manifest(edited(priority=2, weight=1.5, routing="Even", capacity=capacity)).policy
    assert (policy.priority, policy.weight, policy.routing) == (2, 1.5, Routing.EVEN)
    assert (policy.max_spot_share, policy.max_pool_share, policy.max_surge) == (0.5, 0.25, 4)
    default = target_from_manifest(MINIMAL).policy
    assert (default.priority, default.weight, default.routing) == (0, 1.0, Routing.WEIGHTED)
    assert (default.max_spot_share, default.max_pool_share, default.max_surge) == (1.0, 1.0, None)


def in_zones(*zones: str | None, share: float = 0.5, **fields: Any) -> dict[str, Any]:
    """One variant in each of these failure domains."""
    made = [
        variant(name=f"v{n}", scaleTargetRef={"name": f"v{n}"}, **({"failureDomain": zone} if zone else {}), **fields)
        for n, zone in enumerate(zones)
    ]
    return edited(variants=made, capacity={"maxDomainShare": share})


def test_where_replicas_fail_together_and_how_much_may() -> None:
    target = target_from_manifest(in_zones("eu-west-1a", "eu-west-1b", None))
    assert [v.failure_domain for v in target.variants] == ["eu-west-1a", "eu-west-1b", None]
    assert target.policy.max_domain_share == 0.5
    default = target_from_manifest(MINIMAL)
    assert (default.variants[0].failure_domain, default.policy.max_domain_share) == (None, None)
    # 0.33 is meant for a third; a role with a variant in no domain can always have the rest there; 1 limits nothing.
    for right in (in_zones("a", "b", "c", share=0.33), in_zones("a", None, share=0.1), in_zones("a", share=1.0)):
        target_from_manifest(right)


@pytest.mark.parametrize(
    ("manifest", "field", "words"),
    [
        (
            in_zones("a", "b", share=0.4),
            "capacity.maxDomainShare",
            "is 0.4, .*Both is in a, b alone; allowed: from 0.5",
        ),
        (in_zones("a", "a", "b", share=0.4), "capacity.maxDomainShare", "allowed: from 0.5, or variants in more"),
        (in_zones("a", "b", "c", share=0.3), "capacity.maxDomainShare", "allowed: from 0.334"),
        (in_zones(None), "capacity.maxDomainShare", "no variant has a failureDomain"),
        (in_zones("a", "b", share=0.0), "capacity.maxDomainShare", "greater than 0 .is 0.0"),
        (in_zones("a", "b", share=1.1), "capacity.maxDomainShare", "less than or equal to 1 .is 1.1"),
        (in_zones("a", "b c"), "variants[1].failureDomain", "match pattern .*'b c'"),
        (in_zones("a", "-b"), "variants[1].failureDomain", "match pattern"),
        (in_zones("a", "b" * 64), "variants[1].failureDomain", "at most 63"),
    ],
)
def test_domains_that_cannot_be_kept_to_are_refused(manifest: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(ManifestError, match=words) as refusal:
        target_from_manifest(manifest)
    assert refusal.value.field == f"spec.{field}"


def test_each_role_needs_domains_enough_for_itself() -> None:
    wrong = in_zones("a", "b", "a", "a")
    for place, one in enumerate(wrong["spec"]["variants"]):
        one["role"] = "Prefill" if place < 2 else "Decode"
    with pytest.raises(ManifestError, match="role Decode is in a alone"):
        target_from_manifest(wrong)


@pytest.mark.parametrize("name", ["priority", "weight", "routing"])
def test_the_resources_schema_has_the_readers_defaults(name: str) -> None:
    version = inference_autoscaler()["spec"]["versions"][0]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert spec[name]["default"] == getattr(target_from_manifest(MINIMAL).policy, name)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        (
            {"slo": {"ttftSeconds": 2, "tpotSeconds": 0.1, "missPricePerRequest": 0}},
            "spec.slo.missPricePerRequest",
            "greater than 0",
        ),
        ({"weight": 0}, "spec.weight", "greater than 0"),
        ({"routing": "Random"}, "spec.routing", "'Even' or 'Weighted'"),
        ({"capacity": {"maxSpotShare": 1.5}}, "spec.capacity.maxSpotShare", "1.5"),
        ({"capacity": {"maxSurge": 0}}, "spec.capacity.maxSurge", "greater than or equal to 1"),
        ({"model": "gpt-9"}, "spec.model", "llama-3.1-8b"),
        ({"variants": [variant(accelerator="H900")]}, "spec.variants[0].accelerator", "H100"),
        ({"variants": []}, "spec.variants", "at least 1"),
        (
            {"variants": [variant(minReplicas=11)]},
            "spec.variants[0].minReplicas",
            "minReplicas 11 is above maxReplicas 10",
        ),
        ({"variants": [variant(), variant()]}, "spec.variants[1].name", "each name once"),
        ({"variants": [variant(role="Prefill")]}, "spec.variants[0].role", "Prefill and Decode together"),
        ({"variants": [variant(maxReplicas="many")]}, "spec.variants[0].maxReplicas", "'many'"),
        ({"variants": [variant(replicaz=1)]}, "spec.variants[0].replicaz", "not permitted"),
        ({"slo": {"ttftSeconds": -1, "tpotSeconds": 0.1}}, "spec.slo.ttftSeconds", "-1"),
        ({"overrides": [{"kind": "Pin"}]}, "spec.overrides[0].replicas", "need one"),
        ({"overrides": [{"kind": "Pause", "variant": "x"}]}, "spec.overrides[0].variant", "h100"),
        (
            {"overrides": [{"kind": "Pause", "expiresAt": "2026-01-01T00:00:00"}]},
            "spec.overrides[0].expiresAt",
            "time zone",
        ),
    ],
)
def test_refusals_name_the_field_the_value_and_what_is_allowed(changes: Any, field: str, words: str) -> None:
    with pytest.raises(ManifestError) as refusal:
        target_from_manifest(edited(**changes))
    assert refusal.value.field == field
    assert words in refusal.value.message


def test_another_kind_is_refused() -> None:
    with pytest.raises(ManifestError, match="InferenceAutoscaler"):
        target_from_manifest({**MINIMAL, "kind": "HorizontalPodAutoscaler"})
