"""Replicas that take longer than starts do: not counted on, hedged by other variants, and not asked for twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from controlplane.domain.decision import ColdStart, GroupOutcome, Memory, ScaleEvent
from controlplane.domain.observation import Surroundings, VariantObservation
from controlplane.domain.target import CapacityType, Target, Variant
from controlplane.planning import decide
from controlplane.planning.late_starts import late_starts
from controlplane.planning.replica_states import ReplicaState
from controlplane.planning.third_party import Answer, Stepper
from tests.builders import NOW_S, make_group, make_inputs, make_observation, make_target, make_variant
from tests.planning.five_lines import HEAD, PAGE

P90_S = 200.0
RPS = 160.0
STEP_S, COLD_START_S, MOST_RPS, GONE_S, BACK_S = 15, 180, 25.0, 1800, 2400


def spot(low: int = 0) -> Variant:
    return replace(make_variant("spot", low=low, high=30, usd=1.6), capacity_type=CapacityType.SPOT)


BOTH = make_target((make_variant("od", low=2, high=30), spot()))
ALONE = make_target((spot(low=1),))


def asked(age_s: float, replicas: int, name: str = "spot") -> Memory:
    """So many were asked for then; the target is known for long."""
    return Memory(scale_events=(ScaleEvent(NOW_S - age_s, name, replicas),), first_seen_at_s=NOW_S - 9000.0)


def planned(
    target: Target,
    ready: Mapping[str, int],
    pending: Mapping[str, int],
    age_s: float,
    memory: Memory,
    gpus: Mapping[str, int] | None = None,
    **spot_seen: int,
) -> GroupOutcome:
    seen = make_observation(target, RPS, ready, pending, pending_age_s=age_s)
    variants = [replace(v, **spot_seen) if v.variant == "spot" else v for v in seen.variants]  # type: ignore[arg-type]
    inputs = make_inputs(target, replace(seen, variants=tuple(variants)), None, memory)
    inputs = replace(inputs, cold_starts={v.name: ColdStart(150.0, P90_S, 20) for v in target.variants})
    return decide(make_group(inputs, gpus=gpus))


def late_of(age_s: float, memory: Memory, **spot_seen: int) -> bool:
    seen = make_observation(BOTH, RPS, {"od": 2, "spot": 3}, {"spot": 4}, pending_age_s=age_s)
    variants = tuple(replace(v, **spot_seen) if v.variant == "spot" else v for v in seen.variants)  # type: ignore[arg-type]
    inputs = make_inputs(BOTH, replace(seen, variants=variants), None, memory)
    inputs = replace(inputs, surroundings=Surroundings(templates={"spot": "new"}))
    starts = {v.name: ColdStart(150.0, P90_S, 20) for v in BOTH.variants}
    return "spot" in late_starts(replace(inputs, cold_starts=starts))


def test_what_starts_in_time_is_counted_on_and_what_is_late_is_not() -> None:
    young = planned(BOTH, {"od": 2}, {"spot": 8}, 1.2 * P90_S, asked(1.2 * P90_S, 8)).plans[0]
    assert young.replicas["od"] == 2
    out = planned(BOTH, {"od": 2}, {"spot": 8}, 2.1 * P90_S, asked(2.1 * P90_S, 8))
    late = out.plans[0]
    rate = next(c.requests_per_s for c in late.capacities if c.variant == "od")
    assert late.feasible
    assert late.replicas["od"] * rate >= RPS
    # It may still come, so it is left alone; and no more of it is asked for.
    assert late.replicas["spot"] == 8
    (said,) = [r.reason for r in out.decisions[0].trail if r.rule == "availability"]
    assert "8 of spot are late: not Ready after 420 s, where starts take up to 200 s" in said


def test_a_pool_that_is_gone_at_once_is_not_waited_for_as_long() -> None:
    known = Memory(first_seen_at_s=NOW_S - 9000.0)
    assert planned(BOTH, {"od": 2}, {"spot": 8}, 1.2 * P90_S, known).plans[0].replicas["od"] == 2
    assert planned(BOTH, {"od": 2}, {"spot": 8}, 1.3 * P90_S, known).plans[0].replicas["od"] > 6
    # Nor is one whose start nobody watched: it may be the first of all.
    assert planned(BOTH, {"od": 2}, {"spot": 8}, 1.3 * P90_S, Memory()).plans[0].replicas["od"] == 2


@pytest.mark.parametrize(
    ("age_s", "memory", "seen", "expected"),
    [
        (401.0, asked(401.0, 4), {}, True),
        (399.0, asked(399.0, 4), {}, False),
        # One of five is stuck and the others came, or four of five did: that the variant can be had is plain.
        (401.0, asked(401.0, 5), {}, False),
        # Overdue is a stock-out, and no longer only late.
        (901.0, asked(901.0, 4), {}, False),
        # What restarts comes back, and how old the new ones are is not told.
        (401.0, asked(401.0, 3), {"restarting": 1}, False),
    ],
)
def test_late_is_beyond_what_starts_take_and_where_none_comes(
    age_s: float, memory: Memory, seen: Mapping[str, int], expected: bool
) -> None:
    assert late_of(age_s, memory, **seen) is expected


@pytest.mark.parametrize(
    ("age_s", "memory", "seen", "expected"),
    [
        # In place of what was reclaimed, without a node: the market is empty until one has.
        (61.0, asked(9000.0, 4), {"unschedulable": 4}, True),
        # One that was made a moment ago has none, and the oldest, which has one, loads.
        (61.0, asked(9000.0, 4), {"unschedulable": 3}, False),
        (59.0, asked(9000.0, 4), {"unschedulable": 4}, False),
        (251.0, asked(9000.0, 4), {"unschedulable": 0}, False),
        # Two of the four were asked for, and the others were reclaimed.
        (61.0, asked(61.0, 2), {"unschedulable": 4}, True),
        # What was asked for may have to wait until a node is made, but not for longer than a start.
        (249.0, asked(249.0, 4), {"unschedulable": 4}, False),
        (251.0, asked(251.0, 4), {"unschedulable": 4}, True),
        # A template that is new makes all of them anew, too.
        (61.0, asked(9000.0, 4), {"unschedulable": 4, "templates": {"old": 3}}, False),
        # One whose start nobody watched may be the first of all.
        (61.0, Memory(first_seen_at_s=NOW_S - 30.0), {"unschedulable": 4}, False),
    ],
)
def test_spot_that_finds_no_node_is_late_sooner(
    age_s: float, memory: Memory, seen: Mapping[str, int], expected: bool
) -> None:
    assert late_of(age_s, memory, **seen) is expected


def test_on_demand_that_finds_no_node_waits_for_one() -> None:
    seen = make_observation(BOTH, RPS, {"od": 2, "spot": 3}, {"od": 4}, pending_age_s=380.0)
    variants = tuple(replace(v, unschedulable=4) if v.variant == "od" else v for v in seen.variants)
    inputs = make_inputs(BOTH, replace(seen, variants=variants), None, asked(9000.0, 4, "od"))
    starts = {v.name: ColdStart(150.0, P90_S, 20) for v in BOTH.variants}
    assert late_starts(replace(inputs, cold_starts=starts)) == {}


def test_of_one_variant_alone_nothing_changes() -> None:
    late = planned(ALONE, {"spot": 1}, {"spot": 8}, 2.1 * P90_S, asked(2.1 * P90_S, 8)).plans[0]
    young = planned(ALONE, {"spot": 1}, {"spot": 8}, 30.0, asked(30.0, 8)).plans[0]
    assert late == young


def test_where_others_carry_a_part_the_late_ones_stay_planned_for_the_rest() -> None:
    few = make_target((make_variant("od", low=2, high=3), spot()))
    late = planned(few, {"od": 2}, {"spot": 6}, 2.1 * P90_S, asked(2.1 * P90_S, 6)).plans[0]
    young = planned(few, {"od": 2}, {"spot": 6}, 30.0, asked(30.0, 6)).plans[0]
    assert not late.feasible
    assert "6 of spot are late" in late.binding
    assert late.replicas == {"od": 3, "spot": max(6, young.replicas["spot"])}


def test_gpus_of_late_replicas_that_have_a_node_are_theirs() -> None:
    memory, gpus = asked(2.1 * P90_S, 4), {"H100": 10}
    loading = planned(BOTH, {"od": 2}, {"spot": 4}, 2.1 * P90_S, memory, gpus, unschedulable=0).plans[0]
    assert loading.replicas["spot"] >= 4
    assert sum(loading.replicas.values()) == 10
    nowhere = planned(BOTH, {"od": 2}, {"spot": 4}, 2.1 * P90_S, memory, gpus, unschedulable=4).plans[0]
    assert nowhere.replicas["od"] > loading.replicas["od"]
    assert sum(nowhere.replicas.values()) <= 10


def test_what_must_run_is_no_more_counted_on_than_the_rest() -> None:
    held, memory = make_target((make_variant("od", low=2, high=30), spot(low=8))), asked(2.1 * P90_S, 8)
    late = planned(held, {"od": 2}, {"spot": 8}, 2.1 * P90_S, memory, {"H100": 30}, unschedulable=8).plans[0]
    assert late.replicas["spot"] == 8
    assert late.replicas["od"] > 6
    # Its GPUs are kept for it, though, and the inventory is not overdrawn.
    full = planned(held, {"od": 2}, {"spot": 8}, 2.1 * P90_S, memory, {"H100": 11}, unschedulable=8).plans[0]
    assert full.replicas == {"od": 3, "spot": 8}


POLICY = (
    HEAD
    + """\
  - {name: od, accelerator: H100, minReplicas: 1, maxReplicas: 60}
  - name: spot
    accelerator: H100
    capacityType: Spot
    pricePerReplicaHour: 1.6
    minReplicas: 0
    maxReplicas: 60
"""
)


def drive(until_s: int, rps: float) -> list[Answer]:
    """A toy fleet that does what it is told; all of Spot is gone at `GONE_S`, and none to be had until `BACK_S`."""
    stepper, made, answers = Stepper.from_yaml(POLICY), 9, []
    born = {f"{'od' if i < 2 else 'spot'}-{i}": float(-COLD_START_S) for i in range(9)}
    finished: dict[str, float] = {}
    queue: dict[str, float] = {}
    for now_s in range(0, until_s, STEP_S):
        if now_s == GONE_S:
            born = {name: at_s for name, at_s in born.items() if name.startswith("od")}
        begun = {n: max(s, BACK_S) if n.startswith("spot") and s >= GONE_S - STEP_S else s for n, s in born.items()}
        up = [name for name, born_s in begun.items() if now_s >= born_s + COLD_START_S]
        pages = {}
        for name in up:
            offered = queue.get(name, 0.0) + rps * STEP_S / len(up)
            done = min(offered, MOST_RPS * STEP_S)
            queue[name], finished[name] = offered - done, finished.get(name, 0.0) + done
            lengths = {"prompt": 800 * finished[name], "answer": 200 * finished[name], "finished": finished[name]}
            pages[name] = PAGE.format(running=5 * done / STEP_S, waiting=queue[name], **lengths)
        states = [ReplicaState(n, n.partition("-")[0], "Ready" if n in up else "Unschedulable") for n in born]
        answers.append(stepper.step(now_s, states, pages))
        for variant, wanted in answers[-1].desired.items():
            own = sorted((n for n in born if n.startswith(variant)), key=lambda n: (n in up, -born[n]))
            for name in own[: max(0, len(own) - wanted)]:
                del born[name]
            for _ in range(wanted - len(own)):
                born[f"{variant}-{made}"], made = now_s, made + 1
    return answers


def seen_of(answer: Answer, name: str) -> VariantObservation:
    seen = answer.only.inputs.observation.variant(name)
    assert seen is not None
    return seen


def test_a_spot_pool_that_does_not_come_back_is_replaced_on_demand_before_the_deadline() -> None:
    rps = 120.0
    answers = drive(BACK_S + 2400, rps)
    at = {round(a.decided_at_s): a for a in answers}
    hedged_s = next(s for s, a in at.items() if s >= GONE_S and a.desired["od"] > 2)
    assert hedged_s - GONE_S <= 420
    spots = [a.desired["spot"] for s, a in at.items() if hedged_s <= s < BACK_S]
    assert max(spots) == spots[0]
    ready_s = next(s for s in at if s >= hedged_s and seen_of(at[s], "od").ready * MOST_RPS > rps)
    assert ready_s - hedged_s <= COLD_START_S + 60
    # When Spot comes after all it takes over, and what stood in for it goes.
    assert seen_of(answers[-1], "spot").ready >= 4
    assert answers[-1].desired["od"] <= 2
