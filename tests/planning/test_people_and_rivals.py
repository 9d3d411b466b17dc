"""Other writers of the replica count: rivals hold everything, people are left their way for a while."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.domain.decision import Decision, Memory, Recommendation, Verdict
from controlplane.domain.observation import Conflict, ConflictKind, ManualScale, Surroundings
from controlplane.domain.target import Mode, Override, OverrideKind, Policy, Slo
from controlplane.planning import decide
from tests.builders import NOW_S, make_group, make_inputs, make_observation, make_target, make_variant

SLO = Slo(2.0, 0.1)
HPA = Conflict(ConflictKind.HPA, "h100", "chat-hpa")


def decided(
    around: Surroundings, policy: Policy | None = None, rps: float = 60.0, ready: int = 1, low: int = 1, high: int = 10
) -> Decision:
    target = make_target((make_variant(low=low, high=high), make_variant("l40s", "L40S")), policy)
    memory = Memory((Recommendation(NOW_S - 400.0, {"h100": 1, "l40s": 0}),), first_seen_at_s=NOW_S - 4000.0)
    inputs = make_inputs(target, make_observation(target, rps, {"h100": ready}), None, memory)
    return decide(make_group(replace(inputs, surroundings=around))).decisions[0]


@pytest.mark.parametrize(
    ("kind", "cure"),
    [
        (ConflictKind.HPA, "kubectl delete hpa rival"),
        (ConflictKind.SCALED_OBJECT, "kubectl delete scaledobject rival"),
        (ConflictKind.AUTOSCALER, "take the variant out of one of the two"),
        (ConflictKind.GITOPS, "leave spec.replicas out of what it applies"),
        (ConflictKind.FIELD_MANAGER, "stop it from writing spec.replicas"),
    ],
)
def test_a_rival_holds_the_whole_target_and_the_cure_is_said(kind: ConflictKind, cure: str) -> None:
    decision = decided(Surroundings((Conflict(kind, "h100", "rival"),)))
    assert (decision.verdict, decision.desired) == (Verdict.HOLD, {"h100": 1, "l40s": 0})
    assert f"{kind} rival scales h100 too: " in decision.reason
    assert cure in decision.reason
    assert "takeover: true" in decision.reason
    assert decision.trail[-1].rule == "conflict"


def test_not_even_a_floor_or_an_override_moves_what_a_rival_scales() -> None:
    pin = Override(OverrideKind.PIN, 5, None, None, "ana", "launch")
    held = decided(Surroundings((HPA,)), Policy(Mode.LIVE, SLO, overrides=(pin,)), low=3)
    assert held.desired == {"h100": 1, "l40s": 0}


def test_with_takeover_it_goes_on_and_the_trail_says_so() -> None:
    decision = decided(Surroundings((HPA,)), Policy(Mode.LIVE, SLO, takeover=True))
    assert decision.verdict is Verdict.UP
    said = next(r.reason for r in decision.trail if r.rule == "conflict")
    assert said == "HorizontalPodAutoscaler chat-hpa scales h100 too; overridden, since takeover is true"


def manual(replicas: int, ago_s: float = 60.0) -> Surroundings:
    return Surroundings(manual=(ManualScale("h100", replicas, "kubectl-scale", NOW_S - ago_s),))


@pytest.mark.parametrize(("ago_s", "kept"), [(0.0, True), (599.0, True), (600.0, False)])
def test_a_persons_scale_is_left_for_its_time(ago_s: float, kept: bool) -> None:
    decision = decided(manual(7, ago_s), rps=2.0, ready=7)
    assert (decision.desired["h100"] == 7) is kept
    if kept:
        assert "kubectl-scale scaled h100 to 7; left as it is until" in str(decision.trail)


def test_during_the_hold_bounds_do_not_bind_and_after_it_they_do() -> None:
    assert decided(manual(12), ready=12).desired["h100"] == 12
    assert decided(manual(12, 700.0), ready=12).desired["h100"] <= 10
    assert decided(manual(0), ready=0, rps=60.0).desired["h100"] == 0


def test_the_rest_of_the_plan_does_not_count_on_what_is_held() -> None:
    free, held = decided(Surroundings()), decided(manual(1))
    assert free.desired["l40s"] < held.desired["l40s"]


def test_an_override_beats_a_persons_scale() -> None:
    pin = Override(OverrideKind.PIN, 4, "h100", None, "ana", "launch")
    assert decided(manual(7), Policy(Mode.LIVE, SLO, overrides=(pin,)), ready=7).desired["h100"] == 4


def test_a_plan_keeps_to_what_people_said() -> None:
    ceiling = Override(OverrideKind.CEILING, 2, "h100", None, "ana", "quota talks")
    target = make_target((make_variant(high=10),), Policy(Mode.LIVE, SLO, overrides=(ceiling,)))
    plan = decide(make_group(make_inputs(target, make_observation(target, 500.0)))).plans[0]
    assert (plan.replicas, plan.binding) == ({"h100": 2}, "Ceiling of h100 by ana")
