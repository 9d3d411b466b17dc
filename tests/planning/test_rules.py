"""Each rule by a table, and the decisions that they make together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.domain.decision import (
    Capacity,
    CapacityBound,
    ColdStart,
    Decision,
    Demand,
    Memory,
    Plan,
    Recommendation,
    RulingEffect,
    ScaleEvent,
    Verdict,
)
from controlplane.domain.target import (
    DEFAULT_SCALE_DOWN,
    HPA_SCALE_DOWN,
    Mode,
    Override,
    OverrideKind,
    Policy,
    Role,
    ScalingPolicy,
    ScalingPolicyType,
    ScalingRules,
    SelectPolicy,
    Slo,
)
from controlplane.planning import decide, sentences, validate
from controlplane.planning.demand import demand
from controlplane.planning.falls import falling
from controlplane.planning.rules import (
    AcquaintanceRule,
    BoundsRule,
    Case,
    FreshnessRule,
    OverrideRule,
    PendingRule,
    RateRule,
    SpoolRule,
    StabilizationRule,
)
from forecasters.regimes import CYCLE
from forecasters.types import DEFAULT_LEVELS, Regime
from tests.builders import (
    NOW_S,
    make_forecast,
    make_group,
    make_inputs,
    make_observation,
    make_target,
    make_tick,
    make_variant,
)

SLO = Slo(2.0, 0.1)


def case(
    policy: Policy | None = None,
    memory: Memory | None = None,
    current: int = 4,
    pending: int = 0,
    coverage: float | None = 1.0,
    rps: float | None = 5.0,
    spool_writable: bool = True,
    pending_age_s: float = 30.0,
) -> Case:
    target = make_target((make_variant(low=1, high=8),), policy)
    seen = make_observation(
        target, rps, {"h100": current - pending}, {"h100": pending}, coverage, pending_age_s=pending_age_s
    )
    inputs = make_inputs(target, seen, None, memory)
    return Case(inputs, NOW_S, {"h100": current}, demand(inputs), spool_writable)


@pytest.mark.parametrize(
    ("coverage", "rps", "proposed", "effect", "after"),
    [
        (1.0, 5.0, 2, RulingEffect.PASS, 2),
        (0.5, 5.0, 2, RulingEffect.HOLD, 4),
        (0.5, 5.0, 6, RulingEffect.PASS, 6),
        (None, None, 2, RulingEffect.ABSTAIN, 4),
        (1.0, None, 6, RulingEffect.ABSTAIN, 4),
    ],
)
def test_freshness(coverage: float | None, rps: float | None, proposed: int, effect: RulingEffect, after: int) -> None:
    ruling = FreshnessRule().judge(case(coverage=coverage, rps=rps), {"h100": proposed})
    assert (ruling.effect, ruling.after) == (effect, {"h100": after})


@pytest.mark.parametrize(
    ("pending", "age_s", "proposed", "after"),
    [
        (1, 30.0, 3, 4),
        (1, 30.0, 6, 6),
        (0, 0.0, 2, 2),
        (1, 2000.0, 3, 3),
        (2, 30.0, 2, 4),
        (2, 30.0, 1, 4),  # one idles, two are on their way
        (2, 30.0, 0, 0),  # as many would idle
        (1, 30.0, 2, 2),
    ],
)
def test_pending_replicas_hold_downs_until_their_deadline(
    pending: int, age_s: float, proposed: int, after: int
) -> None:
    ruling = PendingRule().judge(case(pending=pending, pending_age_s=age_s), {"h100": proposed})
    assert ruling.after == {"h100": after}


@pytest.mark.parametrize(
    ("horizon_s", "watched_s", "after"), [(60.0, 299.0, 4), (60.0, 301.0, 2), (435.0, 869.0, 4), (435.0, 871.0, 2)]
)
def test_nothing_goes_down_before_two_cold_starts_were_watched(horizon_s: float, watched_s: float, after: int) -> None:
    found = case(memory=Memory(first_seen_at_s=NOW_S - watched_s))
    forecast = replace(make_forecast(found.target, 5.0), horizon_s=horizon_s)
    starts = {"h100": ColdStart(horizon_s, horizon_s, 1)}
    known = replace(found, inputs=replace(found.inputs, forecast=forecast, cold_starts=starts))
    ruling = AcquaintanceRule().judge(known, {"h100": 2})
    assert ruling.after == {"h100": after}
    assert (f"after {max(300.0, 2 * horizon_s):.0f} s" in ruling.reason) is (after == 4)


@pytest.mark.parametrize(("samples", "watched_s", "after"), [(0, 599.0, 4), (0, 601.0, 2), (1, 301.0, 2)])
def test_where_no_start_was_seen_the_pending_deadline_is_watched(samples: int, watched_s: float, after: int) -> None:
    policy = Policy(Mode.LIVE, SLO, pending_deadline_s=600.0)
    found = case(policy, Memory(first_seen_at_s=NOW_S - watched_s))
    forecast = replace(make_forecast(found.target, 5.0), horizon_s=60.0)
    starts = {"h100": ColdStart(45.0, 45.0, samples)}
    known = replace(found, inputs=replace(found.inputs, forecast=forecast, cold_starts=starts))
    assert AcquaintanceRule().judge(known, {"h100": 2}).after == {"h100": after}


def test_without_a_forecast_acquaintance_takes_five_minutes() -> None:
    held, free = (case(memory=Memory(first_seen_at_s=NOW_S - seen_s)) for seen_s in (299.0, 301.0))
    assert AcquaintanceRule().judge(held, {"h100": 2}).after == {"h100": 4}
    assert AcquaintanceRule().judge(free, {"h100": 2}).after == {"h100": 2}


def test_a_replacement_is_ready_before_what_it_replaces_goes() -> None:
    target = make_target()
    inputs = make_inputs(target, make_observation(target, 5.0, {"h100": 2}))
    now = Case(inputs, NOW_S, {"h100": 2, "l40s": 0}, demand(inputs), True)
    ruling = PendingRule().judge(now, {"h100": 0, "l40s": 3})
    assert ruling.after == {"h100": 2, "l40s": 3}
    assert "l40s must be Ready first" in ruling.reason


@pytest.mark.parametrize(
    ("recommended", "proposed", "after"),
    [
        ([(-100, 3)], 2, 3),  # more was wanted within the window
        ([(-100, 9)], 2, 4),  # never above what there is
        ([(-400, 3)], 2, 2),  # too long ago
        ([(-100, 1)], 2, 2),
        ([], 2, 4),  # as HPA: the fleet as it was found is the first recommendation
        ([(-100, 3)], 7, 7),  # ups do not wait by default
    ],
)
def test_stabilization(recommended: list[tuple[int, int]], proposed: int, after: int) -> None:
    memory = Memory(recommendations=tuple(Recommendation(NOW_S + at, {"h100": n}) for at, n in recommended))
    five_minutes = Policy(Mode.LIVE, SLO, scale_down=HPA_SCALE_DOWN)
    assert StabilizationRule().judge(case(five_minutes, memory), {"h100": proposed}).after == {"h100": after}


def falling_case(probability: float, peak_rps: float, wait_out_falls: bool = False) -> Case:
    """Four replicas were recommended half a minute ago, at 5 requests/s; and what the load may be doing."""
    down = replace(DEFAULT_SCALE_DOWN, wait_out_falls=wait_out_falls)
    memory = Memory(recommendations=(Recommendation(NOW_S - 30.0, {"h100": 4}),))
    made = case(Policy(Mode.LIVE, SLO, scale_down=down), memory)
    wave = Regime(CYCLE, probability, 600.0, (peak_rps,) * len(DEFAULT_LEVELS))
    forecast = replace(make_forecast(made.target, 5.0), regimes=(wave,))
    return replace(made, inputs=replace(made.inputs, forecast=forecast))


def test_a_load_that_falls_for_certain_is_no_ripple() -> None:
    ruling = StabilizationRule().judge(falling_case(0.9, 4.0), {"h100": 2})
    assert (ruling.effect, ruling.after) == (RulingEffect.PASS, {"h100": 2})
    assert ruling.reason == (
        "the load goes round every 600 s and is on its way down (90%): the window is for ripples, and is not waited for"
    )


@pytest.mark.parametrize(
    "judged",
    [falling_case(0.4, 4.0), falling_case(0.9, 6.0), falling_case(0.9, 4.0, wait_out_falls=True)],
    ids=["it may as well wander", "it rises before it falls", "the policy says so"],
)
def test_else_the_window_is_waited_for(judged: Case) -> None:
    assert StabilizationRule().judge(judged, {"h100": 2}).after == {"h100": 4}


def test_what_comes_back_does_not_fall() -> None:
    made = falling_case(0.9, 4.0)
    load = made.inputs.observation.load
    assert load is not None
    observation = replace(made.inputs.observation, load=replace(load, newest_rps=9.0))
    assert falling(made.inputs)
    assert falling(replace(made.inputs, observation=observation)) == ()


def test_who_is_asked_nothing_by_the_window_is_told_nothing_of_the_fall() -> None:
    made = falling_case(0.9, 4.0)
    alone = replace(made, inputs=replace(made.inputs, memory=Memory((Recommendation(NOW_S - 30.0, {"h100": 2}),))))
    assert StabilizationRule().judge(alone, {"h100": 2}).reason == "the window's recommendations agree"


def test_roles_apart_fall_as_their_work_does() -> None:
    """Regimes are of the work that falls less, of prompts or of answers: fewer requests may be longer prompts."""
    wave = Regime(CYCLE, 1.0, 600.0, (1.0,) * len(DEFAULT_LEVELS))
    for variants in ((make_variant("p", role=Role.PREFILL), make_variant("d", role=Role.DECODE)), (make_variant("h"),)):
        target = make_target(variants)
        forecast = replace(make_forecast(target, 5.0), regimes=(wave,))
        assert falling(make_inputs(target, make_observation(target, 5.0), forecast)) == (wave,)


def test_stabilization_of_ups_takes_the_least_of_the_window() -> None:
    policy = Policy(Mode.LIVE, SLO, scale_up=ScalingRules(60.0, (ScalingPolicy(ScalingPolicyType.PODS, 9, 15.0),)))
    memory = Memory(recommendations=(Recommendation(NOW_S - 30, {"h100": 5}),))
    assert StabilizationRule().judge(case(policy, memory), {"h100": 7}).after == {"h100": 5}


PODS_2 = ScalingPolicy(ScalingPolicyType.PODS, 2, 60.0)
PERCENT_50 = ScalingPolicy(ScalingPolicyType.PERCENT, 50, 60.0)


@pytest.mark.parametrize(
    ("policies", "select", "events", "proposed", "after"),
    [
        ((PODS_2,), SelectPolicy.MAX, [], 8, 6),
        ((PODS_2,), SelectPolicy.MAX, [(-30, 1)], 8, 5),
        ((PODS_2,), SelectPolicy.MAX, [(-90, 1)], 8, 6),
        ((PERCENT_50,), SelectPolicy.MAX, [], 8, 6),
        ((PODS_2, PERCENT_50), SelectPolicy.MIN, [(-30, 1)], 8, 5),
        ((PODS_2,), SelectPolicy.DISABLED, [], 8, 4),
        ((PODS_2,), SelectPolicy.MAX, [], 1, 2),
        ((PERCENT_50,), SelectPolicy.MAX, [(-30, -1)], 1, 2),
        ((PODS_2,), SelectPolicy.DISABLED, [], 1, 4),
    ],
)
def test_rates_are_hpas(
    policies: tuple[ScalingPolicy, ...],
    select: SelectPolicy,
    events: list[tuple[int, int]],
    proposed: int,
    after: int,
) -> None:
    rules = ScalingRules(0.0, policies, select)
    memory = Memory(scale_events=tuple(ScaleEvent(NOW_S + at, "h100", delta) for at, delta in events))
    policy = Policy(Mode.LIVE, SLO, scale_up=rules, scale_down=rules)
    assert RateRule().judge(case(policy, memory), {"h100": proposed}).after == {"h100": after}


@pytest.mark.parametrize(("proposed", "after"), [(0, 1), (1, 1), (8, 8), (9, 8)])
def test_bounds(proposed: int, after: int) -> None:
    assert BoundsRule().judge(case(), {"h100": proposed}).after == {"h100": after}


@pytest.mark.parametrize(
    ("kind", "replicas", "expires_in_s", "proposed", "after"),
    [
        (OverrideKind.PIN, 5, None, 2, 5),
        (OverrideKind.FLOOR, 3, 60.0, 2, 3),
        (OverrideKind.FLOOR, 3, -1.0, 2, 2),
        (OverrideKind.CEILING, 3, None, 7, 3),
        (OverrideKind.PAUSE, None, None, 7, 4),
        (OverrideKind.PIN, 50, None, 2, 8),
    ],
)
def test_overrides(
    kind: OverrideKind, replicas: int | None, expires_in_s: float | None, proposed: int, after: int
) -> None:
    expires_at_s = None if expires_in_s is None else NOW_S + expires_in_s
    override = Override(kind, replicas, None, expires_at_s, "ana", "launch")
    ruling = OverrideRule().judge(case(Policy(Mode.LIVE, SLO, overrides=(override,))), {"h100": proposed})
    assert ruling.after == {"h100": after}
    if expires_in_s is None or expires_in_s > 0:
        assert "ana" in ruling.reason


@pytest.mark.parametrize(("writable", "proposed", "after"), [(False, 2, 4), (False, 6, 6), (True, 2, 2)])
def test_spool(writable: bool, proposed: int, after: int) -> None:
    assert SpoolRule().judge(case(spool_writable=writable), {"h100": proposed}).after == {"h100": after}


def test_a_queue_and_a_forecast_are_scaled_for() -> None:
    target = make_target()
    quiet = decide(make_group(make_inputs(target, make_observation(target, 5.0)))).plans[0]
    queued = decide(make_group(make_inputs(target, make_observation(target, 5.0, waiting=3000.0)))).plans[0]
    expected = decide(make_group(make_inputs(target, make_observation(target, 5.0), make_forecast(target, 40.0))))
    assert quiet.demand is not None
    assert queued.demand is not None
    assert queued.demand.backlog_rps == pytest.approx(25.0)
    assert queued.usd_per_hour > quiet.usd_per_hour
    assert expected.plans[0].usd_per_hour > quiet.usd_per_hour
    assert expected.decisions[0].verdict is Verdict.UP


def test_mode_off_is_not_judged() -> None:
    target = make_target(policy=Policy(Mode.OFF, SLO))
    decision = decide(make_group(make_inputs(target, make_observation(target, 50.0)))).decisions[0]
    assert (decision.verdict, decision.reason) == (Verdict.ABSTAIN, "abstain: mode is Off")


def test_what_is_not_enough_names_the_bound_that_held() -> None:
    target = make_target((make_variant(high=2),))
    plan = decide(make_group(make_inputs(target, make_observation(target, 500.0)))).plans[0]
    assert not plan.feasible
    assert "maxReplicas 2 of h100" in plan.binding
    scarce = make_target((make_variant(high=9),))
    plan = decide(make_group(make_inputs(scarce, make_observation(scarce, 500.0)), gpus={"H100": 3})).plans[0]
    assert plan.replicas == {"h100": 3}
    assert "3 H100 in all" in plan.binding


@pytest.mark.parametrize("over", [5e-4, 1e-3, 5e-3])  # numbers of a decision have four digits
def test_a_sliver_of_demand_is_carried_where_replicas_are_left(over: float) -> None:
    target = make_target((make_variant(high=9),))
    rate = 5.0
    for _ in range(3):  # what a replica carries depends a little on how many there are
        at_rate = make_inputs(target, make_observation(target, 2.0 * rate, {"h100": 2}))
        rate = decide(make_group(at_rate)).plans[0].capacities[0].requests_per_s
    seen = make_observation(target, 2.0 * rate * (1.0 + over), {"h100": 2})
    plan = decide(make_group(make_inputs(target, seen))).plans[0]
    assert (plan.replicas, plan.feasible, plan.binding) == ({"h100": 3}, True, "")


def test_a_variant_that_stays_pending_is_stocked_out_and_the_next_best_is_used() -> None:
    target = make_target()
    seen = make_observation(target, 30.0, {"h100": 1}, {"h100": 3}, pending_age_s=2000.0)
    plan = decide(make_group(make_inputs(target, seen))).plans[0]
    assert plan.replicas["h100"] == 1
    assert plan.replicas["l40s"] > 0


def test_targets_of_a_group_share_their_accelerators() -> None:
    one, two = make_target((make_variant(),), name="a"), make_target((make_variant(),), name="b")
    inputs = [make_inputs(t, make_observation(t, 30.0)) for t in (one, two)]
    plans = decide(make_group(*inputs, gpus={"H100": 5})).plans
    assert sum(plan.replicas["h100"] for plan in plans) <= 5


@pytest.mark.parametrize(
    ("newest", "allowed", "said"),
    [
        ({"rps": 5.0}, True, "stay carried"),
        ({"rps": 90.0}, False, "would be carried"),
        ({"rps": 5.0, "waiting": 40.0}, False, "the queue grew"),
        ({"rps": None}, False, "does not say the load"),
        ({"rps": 5.0, "coverage": 0.2}, False, "too few replicas report"),
    ],
)
def test_a_down_is_checked_against_the_newest_observation(
    newest: dict[str, float | None], allowed: bool, said: str
) -> None:
    target = make_target((make_variant(low=1),))
    memory = Memory((Recommendation(NOW_S - 400.0, {"h100": 1}),), first_seen_at_s=NOW_S - 400.0)
    inputs = make_inputs(target, make_observation(target, 5.0, {"h100": 4}), None, memory)
    outcome = decide(make_group(inputs))
    assert outcome.decisions[0].verdict is Verdict.DOWN
    again = make_observation(target, counts={"h100": 4}, **newest)  # type: ignore[arg-type]
    validation = validate(outcome.decisions[0], inputs, outcome.plans[0], again)
    assert (validation.allowed, said in validation.reason) == (allowed, True)


@pytest.mark.parametrize(("came", "newest", "allowed"), [(10.0, None, True), (20.0, None, False), (5.0, 7.0, False)])
def test_what_was_foreseen_to_fall_may_fall_and_what_comes_back_may_not(
    came: float, newest: float | None, allowed: bool
) -> None:
    """Of 10 requests/s 5 were planned for, and 2 replicas carry 6."""
    target = make_target((make_variant(low=1),))
    inputs = make_inputs(target, make_observation(target, 10.0, {"h100": 4}))
    wanted = Demand(5.0, 5.0, 0.0, 1000.0, 200.0, 250_000.0, 0.0, "forecast:flat")
    plan = Plan(target.key, wanted, (Capacity("h100", 3.0, CapacityBound.TPOT, 1.0),), {"h100": 2}, 8.0, True)
    down = Decision(target.key, Verdict.DOWN, {"h100": 4}, {"h100": 2}, (), "")
    again = make_observation(target, came, {"h100": 4})
    assert again.load is not None
    again = replace(again, load=replace(again.load, newest_rps=newest))
    assert validate(down, inputs, plan, again).allowed is allowed


def test_the_trail_tells_what_was_seen_expected_chosen_and_why() -> None:
    target = make_target()
    inputs = make_inputs(target, make_observation(target, 30.0), make_forecast(target, 40.0))
    tick = make_tick(inputs=make_group(inputs))
    lines = sentences(tick)
    assert len(lines) <= 10
    assert [line.split(":")[0] for line in lines][:4] == ["Seen", "Expected", "Possible", "Chosen"]
    assert "30.00 requests/s came" in lines[0]
    assert any(line.startswith("Verdict: up") for line in lines)


def test_what_is_learned_changes_the_capacity() -> None:
    target = make_target((make_variant(low=1),))
    seen = make_observation(target, 5.0)
    slow = replace(
        seen.variants[0],
        step_time_s=0.03,
        generation_tokens_per_s=20.0 / 0.03,
        prompt_tokens_per_s=3000.0,
        running=20.0,
        kv_usage_mean=0.1,
        kv_capacity_tokens=4e5,
    )
    inputs = make_inputs(target, replace(seen, variants=(slow,)))
    memory = Memory()
    for _ in range(40):
        outcome = decide(make_group(replace(inputs, memory=memory)))
        memory = outcome.memories[0]
    assert memory.calibrations["h100"].ratio > 1.3
    assert memory.calibrations["h100"].deviation < 0.1
    prior = decide(make_group(make_inputs(target, seen))).plans[0].capacities[0]
    assert outcome.plans[0].capacities[0].requests_per_s < prior.requests_per_s


def test_replicas_that_fail_carry_nothing_and_the_next_best_takes_over() -> None:
    target = make_target((make_variant(high=9), make_variant("l40s", "L40S", high=9)))
    seen = make_observation(target, 30.0, {"h100": 1})
    crashing = replace(seen.variants[0], desired=4, failed=3)
    plan = decide(make_group(make_inputs(target, replace(seen, variants=(crashing, seen.variants[1]))))).plans[0]
    assert plan.replicas["h100"] == 1
    assert plan.replicas["l40s"] > 0


def test_a_shadow_is_not_held_back_by_what_it_only_wished_for() -> None:
    for mode, remembered in ((Mode.SHADOW, False), (Mode.LIVE, True)):
        target = make_target(policy=Policy(mode, SLO))
        outcome = decide(make_group(make_inputs(target, make_observation(target, 60.0))))
        assert outcome.decisions[0].verdict is Verdict.UP
        assert bool(outcome.memories[0].scale_events) is remembered
