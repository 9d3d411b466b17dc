"""Which version decides where."""

from __future__ import annotations

from dataclasses import replace

from controlplane.domain.governed import Governed, manifests, pinned, trial_of
from controlplane.domain.manifest import POLICY_VERSION
from controlplane.domain.policy_life import Canary, Stage
from controlplane.domain.policy_spec import targets
from controlplane.domain.target import Override, OverrideKind, Policy
from tests.builders import NOW_S, make_target
from tests.domain.test_policy_spec import SPEC

LIVE = Governed("v-1", "p", "chat", 1, Stage.LIVE, ("a", "b"), SPEC)
SHADOW = Governed("v-2", "p", "chat", 2, Stage.SHADOW, ("a", "b"), SPEC)


def deciders(*known: Governed, now_s: float = NOW_S) -> dict[str, str]:
    made = manifests(known, now_s).deciding
    return {m["metadata"]["namespace"]: m["metadata"]["annotations"][POLICY_VERSION] for m in made}


def test_the_live_version_decides_and_the_others_run_beside() -> None:
    assert deciders(LIVE, SHADOW) == {"a": "v-1", "b": "v-1"}
    beside = manifests((LIVE, SHADOW), NOW_S).beside
    assert [m["metadata"]["annotations"][POLICY_VERSION] for m in beside] == ["v-2", "v-2"]


def test_a_first_version_in_shadow_is_the_target_and_touches_nothing() -> None:
    made = manifests((SHADOW,), NOW_S)
    assert [m["spec"]["mode"] for m in made.deciding] == ["Shadow", "Shadow"]
    assert made.beside == ()


def test_a_canary_of_a_namespace_decides_there_for_its_time() -> None:
    canary = replace(SHADOW, stage=Stage.CANARY, canary=Canary(NOW_S + 60.0, namespaces=("b",)))
    assert deciders(LIVE, canary) == {"a": "v-1", "b": "v-2"}
    assert deciders(LIVE, canary, now_s=NOW_S + 60.0) == {"a": "v-1", "b": "v-1"}


def test_a_canary_of_variants_is_tried_on_its_own_policy_alone() -> None:
    canary = replace(SHADOW, stage=Stage.CANARY, canary=Canary(NOW_S + 60.0, variants=("h100",)))
    (mine, _) = targets("chat", ["a", "b"], SPEC, "v-1")
    assert deciders(LIVE, canary) == {"a": "v-1", "b": "v-1"}
    assert trial_of((LIVE, canary), mine, NOW_S) is canary
    assert trial_of((LIVE, canary), mine, NOW_S + 60.0) is None
    assert trial_of((LIVE, canary), replace(mine, policy_version=None), NOW_S) is None
    assert trial_of((LIVE, SHADOW), mine, NOW_S) is None


def test_what_is_not_tried_is_held_and_people_are_heard() -> None:
    live = make_target()
    pin = Override(OverrideKind.PIN, 3, None, None, "ann", "load test")
    live = replace(live, policy=replace(live.policy, overrides=(pin,)))
    candidate = make_target(policy=Policy(live.policy.mode, live.policy.slo, priority=3))
    held = pinned(candidate, live, ("h100",), {"h100": 2, "l40s": 5})
    assert [(v.name, v.min_replicas, v.max_replicas) for v in held.variants] == [("h100", 0, 10), ("l40s", 5, 5)]
    assert (held.policy.overrides, held.policy.priority) == ((pin,), 3)
