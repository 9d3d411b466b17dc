"""Conditions of hand-made ticks, and the law of transition times."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.decision import (
    Actuation,
    ActuationResult,
    Decision,
    Ruling,
    RulingEffect,
    Tick,
    Verdict,
)
from controlplane.domain.observation import (
    Conflict,
    ConflictKind,
    Fault,
    FaultKind,
    ManualScale,
    Replica,
    ReplicaPhase,
    Surroundings,
)
from controlplane.domain.status import Condition, ConditionType, StockOut, TargetStatus, Told
from controlplane.domain.target import Mode
from controlplane.planning.conditions import stock_out_words
from controlplane.planning.explain import sentences
from controlplane.planning.notices import notices
from controlplane.planning.status import is_news, status_of, status_of_off, status_of_problem
from tests.builders import NOW_S, make_group, make_inputs, make_observation, make_target, make_tick

RENAMED = "now called vllm:kv_cache_usage_perc"


def tick(at_s: float = NOW_S, **observed: object) -> Tick:
    target = make_target()
    seen = make_observation(target, counts={"h100": 3}, at_s=at_s)
    return make_tick(inputs=make_group(make_inputs(target, replace(seen, **observed))), at_s=at_s)


def condition(told: Told, kind: ConditionType) -> Condition:
    found = status_of(told, None).condition(kind)
    assert found is not None
    return found


def around(one: Tick, surroundings: Surroundings, takeover: bool = False, mode: Mode = Mode.LIVE) -> Told:
    policy = replace(one.inputs.target.policy, takeover=takeover, mode=mode)
    target = replace(one.inputs.target, policy=policy)
    return Told(replace(one, inputs=replace(one.inputs, target=target, surroundings=surroundings)))


def decided(one: Tick, verdict: Verdict, *trail: Ruling) -> Told:
    decision = Decision("default/chat", verdict, {"h100": 3}, {"h100": 3}, trail, "because")
    return Told(replace(one, decision=decision))


def ruling(rule: str, effect: RulingEffect, reason: str = "so it is") -> Ruling:
    return Ruling(rule, effect, {"h100": 2}, {"h100": 3}, reason)


def test_a_healthy_tick_says_so_in_every_condition() -> None:
    status = status_of(Told(tick()), None)
    found = {c.type.value: (c.status.value, c.reason) for c in status.conditions}
    assert found["Ready"] == ("True", "Planned")
    assert found["MetricsHealthy"] == ("True", "Reporting")
    assert found["CapacityAvailable"] == ("True", "Enough")
    assert found["Conflicted"] == ("False", "NoRival")
    assert (status.ready, status.attainment, status.at_s) == (3, 0.99, NOW_S)
    assert [(v.name, v.ready, v.pending) for v in status.variants] == [("h100", 3, 0), ("l40s", 0, 0)]


def test_a_limit_that_was_passed_lest_less_be_carried_is_named_and_no_warning() -> None:
    crowded = tick()
    crowded = replace(crowded, plan=replace(crowded.plan, binding="maxDomainShare 0.5: zone-a has 75% of Both"))
    found = condition(Told(crowded), ConditionType.CAPACITY_AVAILABLE)
    assert (found.status, found.reason) == ("True", "DomainShareExceeded")
    assert found.message == "all is carried, but not spread: maxDomainShare 0.5: zone-a has 75% of Both"
    assert not notices(
        Told(crowded), Told(tick()), status_of(Told(tick()), None), status_of(Told(crowded), None), False
    )
    assert "lest less be carried: maxDomainShare 0.5: zone-a" in "".join(sentences(crowded))


def test_what_is_not_known_is_absent_and_never_zero() -> None:
    status = status_of(Told(tick(attainment=None, variants=())), None)
    assert (status.ready, status.attainment) == (None, None)
    assert [v.ready for v in status.variants] == [None, None]
    off = status_of_off(make_target(), NOW_S, None)
    assert (off.ready, off.desired, off.verdict, off.at_s) == (None, None, None, None)


def test_a_renamed_metric_is_named_with_both_names() -> None:
    faults = tuple(Fault(FaultKind.RENAMED, name, "vllm:gpu_cache_usage_perc", RENAMED) for name in "ab")
    found = condition(Told(tick(faults=faults)), ConditionType.METRICS_HEALTHY)
    assert (found.status, found.reason) == ("False", "RenamedMetric")
    assert found.message == "vllm:gpu_cache_usage_perc on 2 of 3 replicas is now called vllm:kv_cache_usage_perc"


def test_the_fault_of_most_replicas_gives_the_reason() -> None:
    faults = (
        Fault(FaultKind.MISSING, "a", "vllm:num_requests_running"),
        Fault(FaultKind.TIMEOUT, "b", detail="http://b did not answer in 2 s"),
        Fault(FaultKind.TIMEOUT, "c", detail="http://c did not answer in 2 s"),
    )
    found = condition(Told(tick(faults=faults)), ConditionType.METRICS_HEALTHY)
    assert found.reason == "ScrapeTimeout"
    assert "vllm:num_requests_running on 1 of 3 replicas is missing" in found.message


def test_without_a_ready_replica_nobody_knows_of_the_metrics() -> None:
    target = make_target()
    seen = make_observation(target, rps=None, counts={}, coverage=None)
    found = condition(Told(make_tick(inputs=make_group(make_inputs(target, seen)))), ConditionType.METRICS_HEALTHY)
    assert (found.status, found.reason) == ("Unknown", "NoReadyReplica")


def test_pages_that_do_not_come_are_no_health() -> None:
    target = make_target()
    seen = make_observation(target, counts={"h100": 3}, coverage=2 / 3)
    seen = replace(seen, variants=tuple(replace(v, reporting=min(v.reporting, 2)) for v in seen.variants))
    found = condition(Told(make_tick(inputs=make_group(make_inputs(target, seen)))), ConditionType.METRICS_HEALTHY)
    assert (found.status, found.reason, found.message) == ("False", "NotReporting", "2 of 3 Ready replicas report")


def test_a_replica_beyond_its_deadline_is_a_stock_out_that_says_since_when() -> None:
    target = make_target()
    seen = make_observation(target, counts={"h100": 1}, pending={"h100": 1}, pending_age_s=1200.0)
    lone = Replica("p", "h100", ReplicaPhase.PENDING, NOW_S - 1200.0, reason="Unschedulable")
    told = Told(make_tick(inputs=make_group(make_inputs(target, seen))), (lone,))
    found = condition(told, ConditionType.CAPACITY_AVAILABLE)
    assert (found.status, found.reason) == ("False", "StockedOut")
    assert found.message == "variant h100 Unschedulable since 2026-01-05T07:40Z; next try at 2026-01-05T08:02Z"
    # An older one that restarts is not the one that waits longest.
    back = Replica("q", "h100", ReplicaPhase.PENDING, NOW_S - 9000.0, reason="NotReady", last_ready_at_s=NOW_S - 30.0)
    assert condition(replace(told, replicas=(back, lone)), ConditionType.CAPACITY_AVAILABLE) == found
    young = make_observation(target, counts={"h100": 1}, pending={"h100": 1}, pending_age_s=60.0)
    lone = replace(lone, created_at_s=NOW_S - 60.0)
    told = Told(make_tick(inputs=make_group(make_inputs(target, young))), (lone,))
    assert condition(told, ConditionType.CAPACITY_AVAILABLE).reason == "Unschedulable"


def test_a_stock_out_says_when_it_is_tried_again_and_a_crash_loop_is_none() -> None:
    out = StockOut("h100", "Unschedulable", NOW_S, NOW_S + 720.0)
    assert stock_out_words(out) == "variant h100 Unschedulable since 2026-01-05T08:00Z; next try at 2026-01-05T08:12Z"
    assert stock_out_words(StockOut("h100", "Unschedulable")) == "variant h100 Unschedulable"
    crashed = Replica("p", "h100", ReplicaPhase.FAILED, NOW_S, reason="CrashLoopBackOff")
    found = condition(Told(tick(), (crashed,)), ConditionType.CAPACITY_AVAILABLE)
    assert (found.status, found.reason) == ("False", "ReplicasFailing")
    assert found.message == "1 of h100 CrashLoopBackOff, the oldest from 2026-01-05T08:00Z"


def test_a_load_above_all_bounds_is_told_by_the_bound_that_held() -> None:
    target = make_target()
    seen = make_observation(target, rps=5000.0, counts={"h100": 10, "l40s": 10})
    one = make_tick(inputs=make_group(make_inputs(target, seen)))
    assert not one.plan.feasible
    found = condition(Told(one), ConditionType.CAPACITY_AVAILABLE)
    assert (found.status, found.reason) == ("False", "Bounds")
    assert "maxReplicas 10 of h100" in found.message
    limited = around(one, Surroundings(most_replicas={"h100": 10}, limits={"h100": "ResourceQuota gpus allows 10"}))
    found = condition(limited, ConditionType.CAPACITY_AVAILABLE)
    assert (found.reason, "h100: ResourceQuota gpus allows 10" in found.message) == ("Quota", True)
    few = condition(
        Told(make_tick(inputs=make_group(make_inputs(target, seen), gpus={"H100": 2, "L40S": 1}))),
        ConditionType.CAPACITY_AVAILABLE,
    )
    assert few.status == "False"


@pytest.mark.parametrize(
    ("verdict", "trail", "status", "reason"),
    [
        (Verdict.HOLD, (), "True", "AsPlanned"),
        (Verdict.UP, (ruling("rate", RulingEffect.LIMIT),), "True", "AsDecided"),
        (Verdict.HOLD, (ruling("rate", RulingEffect.LIMIT),), "False", "RateLimited"),
        (Verdict.HOLD, (ruling("bounds", RulingEffect.LIMIT),), "True", "AsPlanned"),
        (Verdict.HOLD, (ruling("manual", RulingEffect.HOLD),), "False", "ManualScale"),
        (Verdict.HOLD, (ruling("somethingNew", RulingEffect.HOLD),), "False", "Held"),
        (Verdict.ABSTAIN, (ruling("freshness", RulingEffect.ABSTAIN),), "False", "TooFewReports"),
    ],
)
def test_what_keeps_a_decision_from_being_carried_out(
    verdict: Verdict, trail: tuple[Ruling, ...], status: str, reason: str
) -> None:
    found = condition(decided(tick(), verdict, *trail), ConditionType.SCALING)
    assert (found.status, found.reason) == (status, reason)


def test_shadow_and_a_patch_that_failed_are_not_scaling() -> None:
    shadow = condition(around(tick(), Surroundings(), mode=Mode.SHADOW), ConditionType.SCALING)
    assert (shadow.status, shadow.reason) == ("False", "Shadow")
    failed = replace(tick(), actuations=(Actuation("h100", 3, 4, ActuationResult.CONFLICT, "409"),))
    found = condition(Told(failed), ConditionType.SCALING)
    assert (found.status, found.reason, found.message) == ("False", "WriteConflict", "h100 3 -> 4 conflict: 409")


def test_a_rival_is_named_with_what_to_do() -> None:
    rival = Surroundings((Conflict(ConflictKind.HPA, "h100", "chat"),))
    found = condition(around(tick(), rival), ConditionType.CONFLICTED)
    assert (found.status, found.reason) == ("True", "HorizontalPodAutoscaler")
    assert found.message == "HPA chat scales the same Deployment chat-h100; delete it or set takeover: true"
    taken = condition(around(tick(), rival, takeover=True), ConditionType.CONFLICTED)
    assert (taken.status, taken.reason, "HPA chat" in taken.message) == ("False", "TakenOver", True)
    left = condition(around(tick(), rival, takeover=True, mode=Mode.SHADOW), ConditionType.CONFLICTED)
    assert (left.status, left.reason) == ("False", "LeftToRival")
    assert left.message == "HPA chat scales h100, and may: nothing is patched in Shadow"
    assert (
        "nothing is patched in Shadow"
        in condition(around(tick(), rival, mode=Mode.SHADOW), ConditionType.CONFLICTED).message
    )


def test_a_wrong_resource_keeps_its_last_tick_and_loses_its_figures() -> None:
    before = status_of(Told(tick()), None)
    wrong = status_of_problem("InvalidSpec", "spec.model: is 'x'", 7, NOW_S + 60, before)
    ready = wrong.condition(ConditionType.READY)
    assert ready is not None
    assert (ready.status, ready.message, ready.changed_at_s) == ("False", "spec.model: is 'x'", NOW_S + 60)
    assert (wrong.verdict, wrong.desired, wrong.at_s, wrong.observed_generation) == (None, None, NOW_S, 7)
    assert {c.observed_generation for c in wrong.conditions} == {7}
    mended = status_of(Told(tick(at_s=NOW_S + 120)), wrong)
    assert [n.reason for n in notices(Told(tick()), None, wrong, mended, False) if n.reason == "Recovered"]


def test_words_and_figures_are_no_news_but_states_are() -> None:
    before = status_of(Told(tick()), None)
    assert is_news(None, before)
    assert not is_news(before, status_of(Told(tick(at_s=NOW_S + 15, attainment=0.97)), before))
    assert is_news(before, status_of(Told(tick(at_s=NOW_S + 15, attainment=None)), before))
    fault = (Fault(FaultKind.TIMEOUT, "a"),)
    assert is_news(before, status_of(Told(tick(at_s=NOW_S + 15, faults=fault)), before))


FAULTS = st.sampled_from([(), (Fault(FaultKind.TIMEOUT, "a"),), (Fault(FaultKind.NEGATIVE, "a", "x", "is -1"),)])
RIVALS = st.sampled_from(
    [(), (Conflict(ConflictKind.HPA, "h100", "chat"),), (Conflict(ConflictKind.GITOPS, "h100", "argo"),)]
)
BASE = tick()


@given(st.lists(st.tuples(FAULTS, RIVALS), min_size=1, max_size=12))
def test_a_transition_time_moves_when_and_only_when_the_status_does(
    history: list[tuple[tuple[Fault, ...], tuple[Conflict, ...]]],
) -> None:
    before: TargetStatus | None = None
    for turn, (faults, rivals) in enumerate(history):
        at_s = NOW_S + 15.0 * turn
        inputs = replace(
            BASE.inputs, observation=replace(BASE.inputs.observation, faults=faults), surroundings=Surroundings(rivals)
        )
        now = status_of(Told(replace(BASE, at_s=at_s, inputs=inputs)), before)
        assert [c.type for c in now.conditions] == list(ConditionType)
        for one in now.conditions:
            last = before.condition(one.type) if before else None
            same = last is not None and last.status is one.status
            assert one.changed_at_s == (last.changed_at_s if same and last else at_s)
        before = now


def test_moves_are_told_by_direction_and_refusals_as_warnings() -> None:
    done = (
        Actuation("h100", 1, 3, ActuationResult.APPLIED),
        Actuation("l40s", 4, 0, ActuationResult.APPLIED),
        Actuation("spot", 4, 2, ActuationResult.REFUSED, "the queue grew"),
    )
    one = replace(tick(), actuations=done)
    status = status_of(Told(one), None)
    found = [(n.reason, n.message.split(":")[0], n.warning) for n in notices(Told(one), None, status, status, False)]
    assert found == [
        ("ScaledUp", "h100 1 -> 3", False),
        ("ScaledDown", "l40s 4 -> 0", False),
        ("ScaleRefused", "spot 4 -> 2", True),
    ]


def test_a_state_is_told_when_it_begins_again_on_request_and_when_it_ends() -> None:
    well = Told(tick())
    ill = around(tick(), Surroundings((Conflict(ConflictKind.HPA, "h100", "chat"),)))
    first, second = status_of(well, None), status_of(ill, status_of(well, None))
    third = status_of(well, second)
    assert [n.reason for n in notices(ill, well, first, second, False)] == ["Conflicted"]
    assert notices(ill, ill, second, second, False) == ()
    assert [n.reason for n in notices(ill, ill, second, second, True)] == ["Conflicted"]
    assert [(n.reason, n.warning) for n in notices(well, ill, second, third, False)] == [("Recovered", False)]


def test_a_manual_scale_is_told_once_while_it_is_respected() -> None:
    scale = ManualScale("h100", 5, "kubectl", NOW_S - 5.0)
    told = around(tick(), Surroundings(manual=(scale,)))
    status = status_of(told, None)
    (notice,) = notices(told, Told(tick()), status, status, False)
    assert (notice.reason, notice.message) == (
        "ManualScaleRespected",
        "h100 was set to 5 by kubectl; it is left so for 600 s",
    )
    assert notices(told, told, status, status, False) == ()
    late = around(replace(tick(), at_s=NOW_S + 600.0), Surroundings(manual=(scale,)))
    assert notices(late, None, status, status, False) == ()
