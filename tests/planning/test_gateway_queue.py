"""What a gateway's queue tells of what comes: while nobody is served, at the wake, and beside replicas that serve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from controlplane.domain.decision import GroupOutcome, Memory, Verdict
from controlplane.domain.observation import Inventory, Load, Observation, Replica, ReplicaPhase, Sample, Surroundings
from controlplane.domain.target import Mode, Policy, Slo, Target
from controlplane.planning import decide
from controlplane.planning.gateway_queue import KEPT_S, GatewayQueue
from controlplane.planning.stepper import GroupStepper, TargetView
from controlplane.planning.third_party import Answer, ReplicaState, Stepper
from tests.builders import NOW_S, make_forecast, make_group, make_inputs, make_observation, make_target, make_variant
from tests.planning.test_third_party_inputs import page, policy, ready

MIX = Load(2.0, 1000.0, 200.0, 250_000.0)
SLEEPY = Policy(Mode.LIVE, Slo(2.0, 0.1), idle_s=300.0)
Reading = tuple[float, float | None]


def looked(readings: Sequence[Reading], served: bool = False, queue: GatewayQueue | None = None) -> GatewayQueue:
    """After looks at times, each with what waited."""
    queue = queue or GatewayQueue()
    for at_s, queued in readings:
        queue = queue.adding(queued, at_s, served)
    return queue


@pytest.mark.parametrize(
    ("readings", "rate"),
    [
        ([(0, 230)], None),  # a backlog alone: since when it waits nobody knows
        ([(0, 0), (15, 301)], 20.0),  # the first look explains it by the time since nothing waited
        ([(0, 0), (15, 0), (30, 301)], 20.0),  # not by the silence before
        ([(0, 0), (15, 1)], 0.0),  # one request is no rate
        ([(0, 0), (15, 300), (30, 601)], 20.0),
        ([(0, 0), (7, 130), (40, 801)], 20.0),  # an uneven interval
        ([(0, 0), (15, None), (30, 601)], 20.0),  # missing is not zero
        ([(0, 0), (15, 301), (30, None)], 20.0),  # nor an end of it
        ([(t, 20.0 * t) for t in range(0, 200, 15)], 20.0),
        ([(t, 20.0 * min(t, 100)) for t in range(0, 200, 10)], 0.0),  # no more for a minute
        ([(0, 500), (15, 400)], 0.0),  # clients gave up
        ([(0, 500), (30, 700), (60, 1100)], 10.0),
        # Clients that give up after a minute: as many as come, so it grows no longer.
        ([(t, 20.0 * min(t, 60) + t % 4) for t in range(0, 300, 15)], 20.0),
        # And it falls as fewer come; by the rate, not to nothing.
        ([(0, 0), (30, 601), (60, 1201), (90, 1190), (120, 900), (150, 600)], 10.0),
        ([(0, 0), (30, 601), (60, 1201), (90, 600), (120, 0)], 0.0),
        # One look's growth is chance.
        ([(0, 0), (15, 601), (30, 600), (45, 602)], 20.0),
    ],
)
def test_while_nobody_is_served_what_comes_is_how_fast_the_queue_grows(
    readings: list[Reading], rate: float | None
) -> None:
    queue = looked(readings)
    assert queue.arriving_rps(readings[-1][0]) == (None if rate is None else pytest.approx(rate, rel=0.01))


def test_the_noise_of_counting_is_that_of_a_minute() -> None:
    """20/s in clumps of a quarter of a minute: each interval's own growth is 40 % off, the minute's is not."""
    clumps = [400, 200, 420, 180, 300, 300] * 3
    queue, waits, rates = GatewayQueue(), 0.0, []
    for place, came in enumerate([0, *clumps]):
        waits += came
        queue = queue.adding(waits, 15.0 * place, False)
        if place > 4:
            rates.append(queue.arriving_rps(15.0 * place) or 0.0)
    assert min(rates) > 17.0
    assert max(rates) < 23.0
    assert len(queue.at_s) <= 6


def test_what_grew_while_somebody_was_served_is_not_what_comes_when_nobody_is() -> None:
    served = looked([(0, 100), (15, 110), (30, 120)], served=True)
    assert looked([(45, 420)], queue=served).arriving_rps(45) == pytest.approx(20.0)


def test_after_the_wake_the_rate_is_kept_until_it_is_too_old() -> None:
    queue = looked([(15, 0)], served=True, queue=looked([(-15, 0), (0, 301)]))
    assert queue.arriving_rps(15) == pytest.approx(20.0)
    assert queue.arriving_rps(KEPT_S) == pytest.approx(20.0)
    assert queue.arriving_rps(KEPT_S + 1) is None


def minute(start: float, end: float, steps: int = 8) -> list[Reading]:
    return [(15.0 * i, start + (end - start) * i / steps) for i in range(steps + 1)]


@pytest.mark.parametrize(
    ("readings", "pages", "rate"),
    [
        (minute(0, 2400), 83.0, 103.0),  # 20/s more come than are served
        (minute(2400, 0), 83.0, 63.0),  # what is drained did not come now
        (minute(500, 500), 83.0, 83.0),
        ([(0, None), (15, None)], 83.0, 83.0),
        ([(0, 700)], 83.0, 83.0),  # one reading tells no growth
        ([*minute(0, 2400), (135, None)], 83.0, 103.0),
        ([(0, 600), (33, 930), (60, 1200)], 83.0, 93.0),
        ([(0, 9000), (60, 0)], 83.0, 83.0),  # more than pages can have got: given up, and no load is less than nothing
    ],
)
def test_beside_replicas_that_serve_it_is_what_pages_say_and_what_more_waits(
    readings: list[Reading], pages: float, rate: float
) -> None:
    told = looked(readings, served=True).completed(replace(MIX, requests_per_s=pages), readings[-1][0])
    assert told is not None
    assert told.requests_per_s == pytest.approx(rate)


def test_a_queue_that_was_last_read_long_ago_says_nothing_any_more() -> None:
    load = replace(MIX, requests_per_s=83.0)
    assert looked(minute(0, 2400), served=True).completed(load, 120.0 + 61.0) == load
    assert looked(minute(0, 2400), served=True).completed(None, 120.0) is None


@pytest.mark.parametrize(("pages", "rate"), [(60.0, 20.0), (16.0, 20.0), (5.0, 20.0)])
def test_what_is_handed_over_at_the_wake_is_no_arrival(pages: float, rate: float) -> None:
    """However much of it the pages of a new engine have counted."""
    asleep = looked([(15.0 * i, 300.0 * i) for i in range(11)])
    woken = looked([(165.0, 0.0), (180.0, 0.0)], served=True, queue=asleep)
    told = woken.completed(replace(MIX, requests_per_s=pages, newest_rps=pages), 180.0)
    assert told is not None
    assert told.requests_per_s == pytest.approx(rate)


def test_pages_are_believed_at_once_where_hardly_anything_was_handed_over() -> None:
    woken = looked([(165.0, 0.0), (180.0, 0.0)], served=True, queue=looked([(135.0, 0.0), (150.0, 1.0)]))
    told = woken.completed(replace(MIX, requests_per_s=30.0), 180.0)
    assert told is not None
    assert told.requests_per_s == pytest.approx(30.0, rel=0.01)


@pytest.mark.parametrize(("newest", "kept"), [(90.0, 110.0), (None, None), (60.0, None)])
def test_the_newest_scrape_has_the_newest_growth(newest: float | None, kept: float | None) -> None:
    load = replace(MIX, requests_per_s=70.0, newest_rps=newest)
    told = looked(minute(0, 2400), served=True).completed(load, 120.0)
    assert told is not None
    assert told.newest_rps == kept


def waking(waiting: float | None, arriving: float | None, seen: Observation, forecast: bool = False) -> GroupOutcome:
    target = sleeper()
    around = Surroundings(waiting_requests=waiting, arriving_rps=arriving)
    inputs = make_inputs(target, seen, make_forecast(target, 0.0) if forecast else None, Memory(mix=MIX))
    return decide(make_group(replace(inputs, surroundings=around)))


def sleeper() -> Target:
    return make_target((make_variant(),), SLEEPY)


def unready(pending: int = 0, age_s: float = 30.0) -> Observation:
    target = sleeper()
    return make_observation(target, None, {}, {"h100": pending} if pending else {}, None, pending_age_s=age_s)


def test_what_comes_is_planned_for_once_and_what_waits_by_its_share() -> None:
    outcome = waking(240.0, 20.0, unready())
    wanted = outcome.plans[0].demand
    assert wanted is not None
    assert (wanted.backlog_rps, wanted.requests_per_s) == (2.0, 22.0)
    # A replica carries about twelve: two, where two hundred and forty in two minutes ask for one.
    assert outcome.decisions[0].desired == {"h100": 2}
    assert waking(240.0, None, unready()).decisions[0].desired == {"h100": 1}


def test_once_something_starts_the_queue_that_it_will_find_is_asked_for() -> None:
    """240 wait and 20/s come for 240 s less the 40 s that a replica has been starting."""
    wanted = waking(240.0, 20.0, unready(2, 40.0), forecast=True).plans[0].demand
    assert wanted is not None
    assert wanted.backlog_rps == pytest.approx((240.0 + 20.0 * 200.0) / 120.0, rel=1e-3)
    late = waking(240.0, 20.0, unready(2, 900.0), forecast=True).plans[0].demand
    assert late is not None
    assert late.backlog_rps == pytest.approx(2.0)


def just_ready(**changes: Any) -> Observation:
    seen = make_observation(sleeper(), None, {"h100": 1}, {"h100": 2})
    return replace(seen, variants=tuple(replace(v, **changes) for v in seen.variants))


def test_those_that_are_ready_and_tell_no_load_yet_do_not_end_what_waking_asked_for() -> None:
    # 2,400 were handed over, and 60/s come: 80/s, and a replica carries about twelve.
    outcome = waking(0.0, 60.0, just_ready(waiting=2400.0))
    assert outcome.decisions[0].verdict is Verdict.UP
    assert outcome.decisions[0].desired["h100"] >= 6
    # A small rate takes nothing back before the load is known.
    assert waking(0.0, 1.0, just_ready()).decisions[0].desired == {"h100": 3}
    assert waking(0.0, None, just_ready()).decisions[0].verdict is Verdict.ABSTAIN


def test_a_stepper_that_sleeps_wakes_at_the_size_of_what_comes() -> None:
    """60/s for a replica that carries about thirty of these, from nothing: as many at once as serve it, not one."""
    stepper = Stepper.from_yaml(policy(low=0))
    served = 0.0
    for now_s in range(0, 120, 15):
        served += 90.0 if now_s < 60 else 0.0
        stepper.step(now_s, ready("p"), {"p": page(served, running=6.0 if now_s < 60 else 0.0)}, queued=0)
    now_s = 120
    while stepper.step(now_s, ready("p"), {"p": page(served, running=0.0)}, queued=0).desired["h100"]:
        now_s += 15
    asleep = stepper.step(now_s + 15, [], {}, queued=0)
    assert asleep.desired == {"h100": 0}
    woken = stepper.step(now_s + 30, [], {}, queued=900)
    assert woken.only.inputs.surroundings.arriving_rps == pytest.approx(59.93)
    assert woken.plan.demand is not None
    assert woken.plan.demand.requests_per_s > 60.0 + 900.0 / 120.0
    assert "59.93 requests/s came to the gateway, 0 waited and 900 outside" in woken.sentences[0]
    asked = [woken, *steady(stepper, now_s + 45, 1800.0)]
    assert asked[1].desired["h100"] >= 4
    assert {a.desired["h100"] for a in asked[1:]} == {asked[1].desired["h100"]}, "one ask, not one for each cold start"


def steady(stepper: Stepper, from_s: float, queued: float) -> list[Answer]:
    """A minute and a half of 60/s with all that were asked for starting."""
    starting = [ReplicaState(f"q{i}", "h100", "Pending", from_s - 15.0) for i in range(2)]
    answers = []
    for place in range(6):
        answers.append(stepper.step(from_s + 15.0 * place, starting, {}, queued=queued + 900.0 * place))
        more = answers[-1].desired["h100"] - len(starting)
        starting += [ReplicaState(f"r{place}-{i}", "h100", "Pending", from_s) for i in range(more)]
    return answers


def test_a_stepper_counts_what_its_gateway_holds_back_as_load_and_forecasts_it() -> None:
    """10/s are served while 15/s come."""
    stepper, answer = Stepper.from_yaml(policy()), None
    for place in range(12):
        answer = stepper.step(15.0 * place, ready("p"), {"p": page(150.0 * place)}, queued=75.0 * place)
    assert answer is not None
    inputs = answer.only.inputs
    assert inputs.observation.load is not None
    assert inputs.observation.load.requests_per_s == pytest.approx(15.0)
    assert inputs.forecast is not None
    assert inputs.forecast.requests_per_s.peak_at(0.5) > 13.0
    assert inputs.surroundings.arriving_rps is None


def test_the_last_look_before_a_down_counts_the_gateway_too() -> None:
    target, stepper = make_target((make_variant(),)), GroupStepper("default")
    for place in range(9):
        stepper.step(NOW_S + 15.0 * place, [view(target, place, 75.0 * place)], Inventory())
    seen = stepper.look_again(NOW_S + 135.0, view(target, 9, 75.0 * 9))
    assert seen.load is not None
    assert seen.load.requests_per_s == pytest.approx(15.0)
    again = stepper.look_again(NOW_S + 135.0, view(target, 9, 75.0 * 9))
    assert again == seen


def view(target: Target, place: int, queued: float) -> TargetView:
    now_s = NOW_S + 15.0 * place
    finished = 150.0 * place
    sample = Sample(
        "p",
        "h100",
        now_s,
        running=6.0,
        waiting=0.0,
        finished_total=finished,
        prompt_tokens_total=finished * 800.0,
        generation_tokens_total=finished * 150.0,
    )
    replica = Replica("p", "h100", ReplicaPhase.READY, NOW_S - 900.0, NOW_S - 700.0)
    around = Surroundings(waiting_requests=queued)
    return TargetView(target, {"h100": 1}, [replica], [sample], surroundings=around)
