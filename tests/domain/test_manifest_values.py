"""What the fields of a custom resource come to: SLOs, discovered workloads, one variant alone, behaviour, sources."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.discovered import Discovered
from controlplane.domain.manifest import ManifestError, scale_target_refs, target_from_manifest
from controlplane.domain.manifest_base import quantity
from controlplane.domain.target import (
    CapacityType,
    Headroom,
    MetricsSource,
    Preference,
    PrometheusSource,
    Role,
    ScaleTargetRef,
    ScalingPolicy,
    ScalingPolicyType,
    Schedule,
    SecretKey,
    SelectPolicy,
    Slo,
    Target,
    Tls,
)
from tests.domain.resources import ALONE, H100, L40S, NIGHT, SEVERAL, resource


def target(base: dict[str, Any], **changes: Any) -> Target:
    return target_from_manifest(resource({**base, **changes}))


def slo(**fields: Any) -> Slo:
    return target(ALONE, slo=fields).policy.slo


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"preset": "Chat"}, Slo(0.2, 0.05, 0.99)),
        ({"preset": "RAG"}, Slo(0.3, 0.1, 0.99, 3.0)),
        ({"preset": "CodeCompletion"}, Slo(2.0, 2.0, 0.99, 2.0)),
        ({"preset": "Batch"}, Slo(3600.0, 3600.0, 0.99, 3600.0)),
        ({"ttftSeconds": 2, "tpotSeconds": 0.1}, Slo(2.0, 0.1, 0.99)),
        ({"e2eSeconds": 5}, Slo(5.0, 5.0, 0.99, 5.0)),
        ({"ttftSeconds": 1, "e2eSeconds": 5}, Slo(1.0, 5.0, 0.99, 5.0)),
        ({"tpot": {"seconds": 0.05, "percentile": 95}}, Slo(3600.0, 0.05, 0.95)),
        ({"preset": "Chat", "ttftSeconds": 1}, Slo(1.0, 0.05, 0.99)),
        ({"preset": "RAG", "e2e": {"seconds": 10}, "attainment": 0.9}, Slo(0.3, 0.1, 0.9, 10.0)),
    ],
)
def test_a_latency_is_ones_own_before_the_presets_and_else_never_binds(fields: dict[str, Any], expected: Slo) -> None:
    assert slo(**fields) == expected


@pytest.mark.parametrize(
    ("fields", "attainment"),
    [
        ({"ttft": {"seconds": 1, "percentile": 95}, "tpot": {"seconds": 0.1, "percentile": 90}}, 0.95),
        ({"ttft": {"seconds": 1, "percentile": 95}, "tpotSeconds": 0.1, "attainment": 0.98}, 0.98),
        ({"ttft": {"seconds": 1, "percentile": 99.9}, "attainment": 0.98}, 0.999),
        # Chat's P99 of the token latency still holds beside an own P90 of the first token's.
        ({"preset": "Chat", "ttft": {"seconds": 1, "percentile": 90}}, 0.99),
        ({"preset": "CodeCompletion", "e2e": {"seconds": 1, "percentile": 90}}, 0.90),
        ({"preset": "Chat", "attainment": 0.95}, 0.95),
    ],
)
def test_the_strictest_percentile_given_is_the_attainment(fields: dict[str, Any], attainment: float) -> None:
    assert slo(**fields).attainment == pytest.approx(attainment, abs=1e-12)


def test_one_variant_is_called_default_and_is_as_one_in_a_list() -> None:
    alone = target(ALONE, drainSeconds=30, capacityType="Spot", role="Both", pricePerReplicaHour=1.5)
    fields = ("scaleTargetRef", "accelerator", "minReplicas", "maxReplicas")
    listed = {name: ALONE[name] for name in fields} | {"name": "default", "drainSeconds": 30, "capacityType": "Spot"}
    spec = {"model": ALONE["model"], "slo": ALONE["slo"], "variants": [{**listed, "pricePerReplicaHour": 1.5}]}
    assert alone == target_from_manifest(resource(spec))
    assert alone.variants[0].name == "default"


def test_the_resources_word_is_before_what_is_discovered_and_that_before_the_defaults() -> None:
    found = Discovered("H200", 4, CapacityType.SPOT, Role.BOTH)
    bare = {name: value for name, value in ALONE.items() if name != "accelerator"}
    variant = target_from_manifest(resource(bare), {"default": found}).variants[0]
    assert (variant.accelerator, variant.gpus_per_replica, variant.capacity_type) == ("H200", 4, CapacityType.SPOT)
    assert variant.usd_per_replica_hour == 4 * 2.40
    said = {**ALONE, "acceleratorsPerReplica": 2, "capacityType": "OnDemand"}
    variant = target_from_manifest(resource(said), {"default": found}).variants[0]
    assert (variant.accelerator, variant.gpus_per_replica, variant.capacity_type) == ("H100", 2, CapacityType.ON_DEMAND)
    variant = target_from_manifest(resource(bare), {"default": Discovered("L4")}).variants[0]
    assert (variant.gpus_per_replica, variant.capacity_type, variant.role) == (1, CapacityType.ON_DEMAND, Role.BOTH)


def test_what_is_discovered_is_judged_too() -> None:
    bare = [{name: value for name, value in one.items() if name != "accelerator"} for one in (H100, L40S)]
    both = {"h100": Discovered("H100", role=Role.PREFILL), "l40s": Discovered("L40S", role=Role.DECODE)}
    spec = {**SEVERAL, "variants": bare}
    assert [v.role for v in target_from_manifest(resource(spec), both).variants] == [Role.PREFILL, Role.DECODE]
    with pytest.raises(ManifestError, match=r"spec.variants: every variant has role Prefill"):
        target_from_manifest(resource(spec), {**both, "l40s": Discovered("L40S", role=Role.PREFILL)})
    with pytest.raises(ManifestError, match=r"spec.variants\[1\].accelerator: .*Deployment chat-l40s names no GPU"):
        target_from_manifest(resource(spec), {"h100": Discovered("H100")})
    with pytest.raises(ManifestError, match=r"spec.variants\[0\].accelerator: .*asks for 'TPU-v6'.*allowed: L4"):
        target_from_manifest(resource(spec), {"h100": Discovered("TPU-v6")})


def test_refs_are_known_before_anything_is_discovered() -> None:
    spec = {**SEVERAL, "variants": [{**H100, "accelerator": None}, {**L40S, "scaleTargetRef": LWS}]}
    assert scale_target_refs(resource(spec)) == {
        "h100": ScaleTargetRef("apps/v1", "Deployment", "chat-h100"),
        "l40s": ScaleTargetRef("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "chat"),
    }
    assert list(scale_target_refs(resource(ALONE))) == ["default"]


LWS = {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet", "name": "chat"}


def test_behaviour_is_hpas() -> None:
    policies = [{"type": "Percent", "value": 10, "periodSeconds": 60}]
    down = {"stabilizationWindowSeconds": 300, "selectPolicy": "Min", "policies": policies, "tolerance": "50m"}
    rules = target(ALONE, behavior={"scaleDown": down}).policy.scale_down
    assert rules.stabilization_window_s == 300
    assert rules.policies == (ScalingPolicy(ScalingPolicyType.PERCENT, 10, 60.0),)
    assert (rules.select_policy, rules.tolerance) == (SelectPolicy.MIN, 0.05)


@pytest.mark.parametrize(
    ("written", "share"), [(0.05, 0.05), ("0.05", 0.05), ("50m", 0.05), (0, 0.0), (1, 1.0), ("5e-2", 0.05), (".5", 0.5)]
)
def test_tolerance_is_a_number_or_a_quantity(written: object, share: float) -> None:
    rules = target(ALONE, behavior={"scaleUp": {"tolerance": written}}).policy.scale_up
    assert rules.tolerance == pytest.approx(share)


@given(st.integers(min_value=0, max_value=10_000))
def test_a_quantity_in_thousandths_is_a_thousandth_of_it(thousandths: int) -> None:
    assert quantity(f"{thousandths}m") == pytest.approx(thousandths / 1000)


def test_what_the_planner_is_told_of_times_and_people() -> None:
    policy = target(
        SEVERAL,
        schedules=[{**NIGHT, "variant": "l40s"}],
        headroom={"replicas": 1, "percent": 20},
        scaleToZero={"idleSeconds": 900},
        coupling={"maxSkewPercent": 25},
        takeover=True,
        manualHoldSeconds=60,
    ).policy
    assert policy.schedules == (Schedule("night", "0 22 * * *", "0 6 * * *", "Europe/Berlin", "l40s", None, 2),)
    assert policy.headroom == Headroom(1, 0.2)
    assert (policy.idle_s, policy.max_role_skew, policy.takeover, policy.manual_hold_s) == (900.0, 0.25, True, 60.0)
    plain = target(SEVERAL).policy
    assert (plain.idle_s, plain.max_role_skew, plain.takeover, plain.manual_hold_s) == (None, None, False, 600.0)
    assert (plain.schedules, plain.headroom) == ((), Headroom())


def test_scale_to_zero_without_a_time_waits_as_long_as_keda() -> None:
    assert target(ALONE, scaleToZero={}).policy.idle_s == 300.0


def test_a_variants_preference_and_drain() -> None:
    variants = target(SEVERAL, variants=[{**H100, "drainSeconds": 120}, L40S]).variants
    assert [(v.preference, v.drain_s) for v in variants] == [(Preference.NEUTRAL, 120.0), (Preference.AVOID, None)]


def test_where_the_metrics_are() -> None:
    assert target(ALONE).metrics == MetricsSource()
    tls = {"caSecretRef": {"name": "ca", "key": "ca.crt"}, "serverName": "engine"}
    prometheus = {"url": "http://prometheus:9090", "labels": {"job": "vllm"}}
    found = target(
        ALONE,
        metrics={"port": 9000, "tls": tls, "bearerSecretRef": {"name": "t", "key": "k"}, "prometheus": prometheus},
    ).metrics
    assert found == MetricsSource(
        9000,
        "/metrics",
        Tls(SecretKey("ca", "ca.crt"), "engine", False),
        SecretKey("t", "k"),
        PrometheusSource("http://prometheus:9090", {"job": "vllm"}, "pod"),
    )


def test_a_null_counts_as_absent() -> None:
    assert target(ALONE, mode=None, behavior=None, schedules=None, role=None) == target(ALONE)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(SEVERAL)), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    st.sampled_from(["slo", "variants", "behavior", "schedules", "metrics", "overrides", "scaleTargetRef", "model"]),
)
def test_any_value_anywhere_is_read_or_refused_with_its_field(value: object, field: str) -> None:
    assert problem({**SEVERAL, field: value}).startswith(("spec", "none"))


def problem(spec: dict[str, Any]) -> str:
    """The field at fault."""
    try:
        target_from_manifest(resource(spec))
    except ManifestError as error:
        return error.field
    return "none"
