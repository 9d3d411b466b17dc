"""Who grows on what another is planned to give back waits until the rules let that go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from controlplane.domain.decision import GroupOutcome, Memory, Recommendation, RulingEffect, TargetInputs
from controlplane.domain.target import Mode, Policy, Role, Slo
from controlplane.planning import decide
from tests.builders import NOW_S, make_forecast, make_group, make_inputs, make_observation, make_target, make_variant

KNOWN = Memory(first_seen_at_s=NOW_S - 9000.0)
GPUS = 16


def known(held: int | None = None) -> Memory:
    """A target that is known for long; so many of its variant were recommended a moment ago."""
    lately = () if held is None else (Recommendation(NOW_S - 30.0, {"h100": held}),)
    return replace(KNOWN, recommendations=lately)


def one(name: str, rps: float, ready: int, memory: Memory, mode: Mode = Mode.LIVE, priority: int = 0) -> TargetInputs:
    policy = Policy(mode, Slo(2.0, 0.1), priority=priority)
    target = make_target((make_variant(high=40),), policy, name)
    seen = make_observation(target, rps, {"h100": ready})
    return make_inputs(target, seen, make_forecast(target, rps), memory)


def desired(outcome: GroupOutcome) -> list[int]:
    return [decision.desired["h100"] for decision in outcome.decisions]


def needs(rps: float) -> int:
    """Replicas that carry so many requests/s, where nothing is scarce."""
    return decide(make_group(one("alone", rps, 1, known()))).plans[0].replicas["h100"]


def group(busy: TargetInputs, calm: TargetInputs, gpus: int = GPUS) -> GroupOutcome:
    return decide(make_group(busy, calm, gpus={"H100": gpus}))


def test_who_grows_waits_for_what_a_rule_holds_of_another() -> None:
    free = group(one("busy", 120.0, 6, known()), one("calm", 40.0, 10, known(held=4)))
    assert desired(free) == [needs(120.0), free.plans[1].replicas["h100"]]
    assert needs(120.0) > 6
    held = group(one("busy", 120.0, 6, known()), one("calm", 40.0, 10, known(held=10)))
    assert desired(held) == [6, 10]
    busy, calm = held.plans
    # What is held is still recommended to go, or it would be held for ever.
    assert calm.replicas == free.plans[1].replicas
    assert held.memories[1].recommendations[-1].replicas == calm.replicas
    assert any(r.rule == "stabilization" and r.effect is RulingEffect.HOLD for r in held.decisions[1].trail)
    assert not busy.feasible
    kept = 10 - calm.replicas["h100"]
    assert f"{GPUS} H100 in all, {kept} H100 that are not given back yet" in busy.binding


def test_what_is_free_is_had_at_once() -> None:
    held = group(one("busy", 120.0, 6, known()), one("calm", 40.0, 10, known(held=10)), gpus=18)
    assert desired(held) == [8, 10]


def test_where_nothing_is_short_the_outcome_is_that_of_the_first_plans() -> None:
    inputs = one("busy", 120.0, 6, known()), one("calm", 40.0, 10, known(held=10))
    plenty, unlimited = group(*inputs, gpus=80), decide(make_group(*inputs))
    assert plenty.plans == unlimited.plans
    assert plenty.decisions == unlimited.decisions
    assert desired(plenty) == [needs(120.0), 10]


def test_what_nobody_patches_gives_nothing_back() -> None:
    shadow = group(one("busy", 120.0, 6, known()), one("calm", 40.0, 10, known(held=4), Mode.SHADOW))
    assert shadow.decisions[1].desired["h100"] < 10
    assert shadow.decisions[0].desired["h100"] == 6
    # Nor does it take anything: its wish is only looked at.
    wish = group(one("busy", 120.0, 6, known(), Mode.SHADOW), one("calm", 40.0, 10, known(held=10)))
    assert wish.decisions[0].desired["h100"] == needs(120.0)


def test_the_higher_priority_has_what_is_left() -> None:
    first, second = one("first", 120.0, 4, known(), priority=5), one("second", 120.0, 4, known())
    calm = one("calm", 40.0, 8, known(held=8))
    outcome = decide(make_group(first, second, calm, gpus={"H100": 18}))
    assert desired(outcome) == [6, 4, 8]


def test_one_role_grows_when_the_other_gives_back() -> None:
    roles = (make_variant("p", role=Role.PREFILL, high=40), make_variant("d", role=Role.DECODE, high=40))
    target = make_target(roles)

    def at(replicas: Mapping[str, int], lately: Mapping[str, int], gpus: int) -> GroupOutcome:
        memory = replace(KNOWN, recommendations=(Recommendation(NOW_S - 30.0, dict(lately)),))
        seen = make_observation(target, 80.0, replicas)
        inputs = make_inputs(target, seen, make_forecast(target, 80.0), memory)
        return decide(make_group(inputs, gpus={"H100": gpus}))

    start = {"p": 8, "d": 2}
    free = at(start, {"p": 1, "d": 1}, 10)
    assert free.decisions[0].desired["p"] < 8
    assert free.decisions[0].desired["d"] > 2
    held = at(start, start, 10)
    assert held.decisions[0].desired == start
    assert held.plans[0].replicas["p"] == at(start, start, 80).plans[0].replicas["p"]
    assert sum(held.decisions[0].desired.values()) <= 10


def test_what_does_the_work_of_what_cannot_come_yet_stays_in_the_plan() -> None:
    """All GPUs serve on demand, and cheaper Spot of the same machine would need them first."""
    target = make_target((make_variant("od", high=40), replace(make_variant("spot", high=40, usd=1.5))))
    replicas = {"od": 8, "spot": 0}
    memory = replace(KNOWN, recommendations=(Recommendation(NOW_S - 30.0, replicas),))
    seen = make_observation(target, 80.0, replicas)
    outcome = decide(make_group(make_inputs(target, seen, make_forecast(target, 80.0), memory), gpus={"H100": 8}))
    (plan,), (decision,) = outcome.plans, outcome.decisions
    rates = {c.variant: c.requests_per_s for c in plan.capacities}
    assert sum(rates[name] * n for name, n in plan.replicas.items()) >= 80.0
    assert decision.desired["od"] * rates["od"] >= 80.0
    assert sum(decision.desired.values()) <= 8
