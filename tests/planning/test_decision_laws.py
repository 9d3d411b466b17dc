"""Laws of the whole decision, whatever surrounds a target: bounds, people, rivals, replay."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.domain.decision import Decision, GroupInputs, Memory, Outage, OutageKind, ScaleEvent, Verdict
from controlplane.domain.observation import Conflict, ConflictKind, ManualScale, Surroundings
from controlplane.domain.target import Headroom, Mode, Override, OverrideKind, Policy, Preference, Schedule, Slo
from controlplane.planning import decide, replay_group
from controlplane.planning.bounds import scheduled_bounds
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

NAMES = ("h100", "l40s")
COUNTS = st.fixed_dictionaries({n: st.integers(0, 9) for n in NAMES})
OVERRIDES = st.builds(
    Override,
    st.sampled_from([OverrideKind.PIN, OverrideKind.FLOOR, OverrideKind.CEILING]),
    st.integers(0, 12),
    st.sampled_from([None, *NAMES]),
    st.sampled_from([None, NOW_S - 1.0, NOW_S + 60.0]),
    st.just("ana"),
    st.just("launch"),
)
SCHEDULES = st.builds(
    Schedule,
    st.just("day"),
    st.sampled_from(["0 8 * * *", "3 8 * * *", "nonsense"]),
    st.just("0 18 * * *"),
    st.just("UTC"),
    st.sampled_from([None, *NAMES]),
    st.sampled_from([None, 2, 5]),
    st.sampled_from([None, 4, 12]),
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    return Policy(
        Mode.LIVE,
        Slo(2.0, 0.1, 0.99, draw(st.sampled_from([None, 20.0]))),
        overrides=tuple(draw(st.lists(OVERRIDES, max_size=2))),
        schedules=tuple(draw(st.lists(SCHEDULES, max_size=2))),
        headroom=draw(st.sampled_from([Headroom(), Headroom(1, 0.2)])),
        idle_s=draw(st.sampled_from([None, 300.0])),
        takeover=draw(st.booleans()),
    )


@st.composite
def memories(draw: st.DrawFn) -> Memory:
    outage = Outage(draw(st.sampled_from(OutageKind)), NOW_S + draw(st.sampled_from([-60.0, 60.0])), 2, 1, "Crash")
    events = tuple(
        ScaleEvent(NOW_S - 900.0 + 60.0 * i, "h100", delta)
        for i, delta in enumerate(draw(st.lists(st.sampled_from([-1, 1]), max_size=12)))
    )
    return Memory(
        scale_events=events,
        first_seen_at_s=NOW_S - 4000.0,
        outages={"h100": outage} if draw(st.booleans()) else {},
        templates={"h100": "old"},
        busy_at_s=NOW_S - 600.0,
    )


@st.composite
def groups(draw: st.DrawFn) -> GroupInputs:
    low, high = sorted((draw(st.integers(0, 6)), draw(st.integers(1, 9))))
    variants = (
        make_variant(low=low, high=max(1, high)),
        replace(make_variant("l40s", "L40S", high=8), preference=draw(st.sampled_from(Preference)), drain_s=60.0),
    )
    target = make_target(variants, draw(policies()))
    rps = draw(st.one_of(st.none(), st.floats(0.0, 120.0)))
    age_s = draw(st.sampled_from([30.0, 2000.0]))
    seen = make_observation(target, rps, draw(COUNTS), draw(COUNTS), draw(st.sampled_from([None, 0.5, 1.0])), 3.0)
    seen = replace(
        seen, variants=tuple(replace(v, oldest_pending_s=age_s if v.pending else None) for v in seen.variants)
    )
    inputs = make_inputs(target, seen, make_forecast(target, 20.0) if draw(st.booleans()) else None, draw(memories()))
    around = Surroundings(
        conflicts=draw(st.sampled_from([(), (Conflict(ConflictKind.HPA, "l40s", "hpa"),)])),
        manual=draw(st.sampled_from([(), (ManualScale("h100", 3, "kubectl", NOW_S - 30.0),)])),
        templates={"h100": draw(st.sampled_from(["old", "new"]))},
        most_replicas=draw(st.sampled_from([{}, {"l40s": 3}])),
        waiting_requests=draw(st.sampled_from([None, 0.0, 50.0])),
    )
    inputs = replace(inputs, surroundings=around)
    return make_group(inputs, gpus={"H100": draw(st.integers(0, 16))}, spool_writable=draw(st.booleans()))


def decided(group: GroupInputs) -> Decision:
    return decide(group).decisions[0]


@settings(max_examples=150, deadline=None)
@given(groups())
def test_the_end_is_within_bounds_and_schedules_unless_a_person_said_otherwise(group: GroupInputs) -> None:
    inputs, decision = group.targets[0], decided(group)
    policy, around = inputs.target.policy, inputs.surroundings
    if policy.overrides or (around.conflicts and not policy.takeover):
        return
    for name, bound in scheduled_bounds(inputs, NOW_S).by_variant.items():
        held = name == "h100" and around.manual
        stays = not group.spool_writable and decision.desired[name] == decision.current[name]
        if not held and not stays:
            assert bound.low <= decision.desired[name] <= bound.high


@settings(max_examples=80, deadline=None)
@given(groups())
def test_a_rival_moves_nothing_and_takeover_is_said(group: GroupInputs) -> None:
    inputs, decision = group.targets[0], decided(group)
    if not inputs.surroundings.conflicts:
        return
    said = next(r.reason for r in decision.trail if r.rule == "conflict")
    if inputs.target.policy.takeover:
        assert "takeover is true" in said
    else:
        assert (decision.verdict, decision.desired) == (Verdict.HOLD, decision.current)


@settings(max_examples=80, deadline=None)
@given(groups(), st.integers(0, 8))
def test_a_pin_has_the_last_word_below_the_upper_bound(group: GroupInputs, replicas: int) -> None:
    inputs = group.targets[0]
    pin = Override(OverrideKind.PIN, replicas, "l40s", None, "ana", "launch")
    policy = replace(inputs.target.policy, overrides=(pin,), takeover=True)
    pinned = replace(inputs, target=replace(inputs.target, policy=policy))
    decision = decided(replace(group, targets=(pinned,), spool_writable=True))
    high = scheduled_bounds(pinned, NOW_S).by_variant["l40s"].high
    assert decision.desired["l40s"] == min(replicas, max(high, decision.current["l40s"]))


@settings(max_examples=80, deadline=None)
@given(groups())
def test_the_trail_is_a_chain_and_every_link_has_words(group: GroupInputs) -> None:
    decision = decided(group)
    for before, after in zip(decision.trail, decision.trail[1:], strict=False):
        assert before.after == after.before
    assert decision.trail[-1].after == decision.desired
    assert all(ruling.reason for ruling in decision.trail)
    assert decision.reason


@settings(max_examples=60, deadline=None)
@given(groups())
def test_a_replay_equals_its_record_whatever_surrounds_it(group: GroupInputs) -> None:
    assert all(result.reproduced for result in replay_group([make_tick(inputs=group)]))


@settings(max_examples=60, deadline=None)
@given(groups())
def test_without_a_writable_spool_nothing_goes_down_whatever_is_said(group: GroupInputs) -> None:
    decision = decided(replace(group, spool_writable=False))
    assert all(after >= decision.current[name] for name, after in decision.desired.items())
