"""Scale to zero after a time without requests, and waking at the right size."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.domain.decision import Decision, GroupOutcome, Memory, Verdict
from controlplane.domain.observation import Load, Observation, Surroundings
from controlplane.domain.target import Mode, Policy, Role, ScalingRules, Slo, Target
from controlplane.planning import decide, validate
from tests.builders import NOW_S, make_group, make_inputs, make_observation, make_target, make_variant

MIX = Load(2.0, 1000.0, 200.0, 250_000.0)
SLOW_UP = ScalingRules(300.0, ())
POLICY = Policy(Mode.LIVE, Slo(2.0, 0.1), idle_s=300.0)
SPLIT = (
    make_variant("p", "H100", Role.PREFILL, gpus=4),
    make_variant("d", "H200", Role.DECODE, gpus=2),
)


def quiet(target: Target, **changes: object) -> Observation:
    """One replica of each variant, with nothing to do."""
    seen = make_observation(target, None, {v.name: 1 for v in target.variants})
    fields = {"running": 0.0, "waiting": 0.0, "arrival_rps": 0.0} | changes
    return replace(seen, variants=tuple(replace(v, **fields) for v in seen.variants))  # type: ignore[arg-type]


def after_idle(seconds: float, target: Target, seen: Observation, waiting: float | None = None) -> Decision:
    inputs = make_inputs(target, seen, None, Memory(busy_at_s=NOW_S - seconds, first_seen_at_s=0.0))
    inputs = replace(inputs, surroundings=Surroundings(waiting_requests=waiting))
    return decide(make_group(inputs)).decisions[0]


@pytest.mark.parametrize(
    ("seconds", "changes", "waiting", "sleeps"),
    [
        (300.0, {}, None, True),
        (299.0, {}, None, False),
        (9000.0, {"running": 1.0}, None, False),
        (9000.0, {"waiting": 1.0}, None, False),
        (9000.0, {"arrival_rps": 0.1}, None, False),
        (9000.0, {"running": None}, None, False),  # what is not known is not idle
        (9000.0, {"waiting": None}, None, False),
        (9000.0, {"arrival_rps": None}, None, False),
        (9000.0, {"reporting": 0}, None, False),
        (9000.0, {"pending": 1}, None, False),
        (9000.0, {}, 3.0, False),
        (9000.0, {}, 0.0, True),
    ],
)
def test_the_last_replica_goes_when_it_is_known_that_nothing_came(
    seconds: float, changes: dict[str, object], waiting: float | None, sleeps: bool
) -> None:
    target = make_target((make_variant(),), POLICY)
    decision = after_idle(seconds, target, quiet(target, **changes), waiting)
    assert (decision.desired == {"h100": 0}) is sleeps


def test_roles_sleep_together_and_only_where_all_may() -> None:
    target = make_target(SPLIT, POLICY, model="llama-3.1-70b")
    assert after_idle(300.0, target, quiet(target)).desired == {"p": 0, "d": 0}
    kept = make_target((replace(SPLIT[0], min_replicas=1), SPLIT[1]), POLICY, model="llama-3.1-70b")
    assert after_idle(9000.0, kept, quiet(kept)).desired == {"p": 1, "d": 1}


def test_sleep_passes_the_last_check_only_while_nothing_comes() -> None:
    target = make_target((make_variant(),), POLICY)
    inputs = make_inputs(target, quiet(target), None, Memory(busy_at_s=0.0))
    outcome = decide(make_group(inputs))
    assert outcome.decisions[0].verdict is Verdict.DOWN
    assert validate(outcome.decisions[0], inputs, outcome.plans[0], quiet(target)).allowed
    busy = quiet(target, running=1.0)
    assert not validate(outcome.decisions[0], inputs, outcome.plans[0], busy).allowed


def asleep(policy: Policy, waiting: float | None, mix: Load | None, low: int = 0) -> GroupOutcome:
    target = make_target((make_variant(low=low),), policy)
    inputs = make_inputs(target, make_observation(target, None, {}, coverage=None), None, Memory(mix=mix))
    return decide(make_group(replace(inputs, surroundings=Surroundings(waiting_requests=waiting))))


@pytest.mark.parametrize(
    ("waiting", "mix", "replicas"), [(None, MIX, 0), (0.0, MIX, 0), (1.0, None, 1), (1.0, MIX, 1), (3600.0, MIX, 3)]
)
def test_a_queue_outside_wakes_it_at_the_right_size_whatever_the_windows(
    waiting: float | None, mix: Load | None, replicas: int
) -> None:
    outcome = asleep(replace(POLICY, scale_up=SLOW_UP), waiting, mix)
    # 3,600 in two minutes are 30 requests/s, of which a replica carries about twelve.
    assert outcome.decisions[0].desired == {"h100": replicas}
    if replicas:
        assert "requests wait outside" in outcome.decisions[0].reason


def test_at_nothing_a_floor_is_applied_though_no_load_is_known() -> None:
    decision = asleep(replace(POLICY, idle_s=None), None, None, low=1).decisions[0]
    assert (decision.desired, decision.verdict) == ({"h100": 1}, Verdict.UP)
    assert "no idle time is set" in decision.reason
    slept = asleep(POLICY, None, None, low=2).decisions[0]
    assert (slept.desired, slept.reason) == ({"h100": 2}, "up h100 0 -> 2: bounds, minReplicas 2 of h100")


def test_the_mix_and_the_last_busy_moment_are_remembered() -> None:
    target = make_target((make_variant(),), POLICY)
    memory = decide(make_group(make_inputs(target, make_observation(target, 5.0)))).memories[0]
    assert memory.mix is not None
    assert (memory.mix.input_tokens, memory.busy_at_s) == (1000.0, NOW_S)
    kept = decide(make_group(make_inputs(target, quiet(target), None, memory))).memories[0]
    assert (kept.mix, kept.busy_at_s) == (memory.mix, NOW_S)
