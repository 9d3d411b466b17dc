"""Replicas that served and are not Ready: they come back, and say nothing of whether new ones can be had."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pytest

from controlplane.domain.decision import GroupOutcome, Memory, Outage, OutageKind
from controlplane.domain.observation import Observation, VariantObservation
from controlplane.planning import decide
from controlplane.planning.replica_states import ReplicaBook, ReplicaState
from controlplane.planning.third_party import Answer, Stepper
from tests.builders import NOW_S, make_group, make_inputs, make_observation, make_target, make_variant
from tests.planning.five_lines import PAGE, policy

STEP_S, COLD_START_S, MOST_RPS = 15, 120, 40.0
RISE_S = 2400
"""Later than the pending deadline of 15 minutes, so that a replica's age is beyond it."""
POLICY = policy(40)


@dataclass(frozen=True)
class Broken:
    """A replica is in `state` from `from_s` until `until_s`; its container restarts under the same name."""

    state: str
    from_s: float
    until_s: float


def rising(now_s: float) -> float:
    """Steady until `RISE_S`, twice as much ten minutes later."""
    return 110.0 * (1.0 + max(0.0, now_s - RISE_S) / 600.0)


def steady(_now_s: float) -> float:
    return 110.0


def drive(until_s: int, rps: Callable[[float], float], broken: Mapping[str, Broken]) -> list[Answer]:
    """Answers of a toy fleet that does what it is told; what starts goes first, and `broken` ones never."""
    stepper = Stepper.from_yaml(POLICY)
    born: dict[str, int] = {f"p{i}": -COLD_START_S for i in range(9)}
    finished: dict[str, float] = {}
    queue: dict[str, float] = {}
    answers, made = [], 9
    for now_s in range(0, until_s, STEP_S):
        states = {}
        for name, born_s in born.items():
            out = broken.get(name)
            states[name] = "Ready" if now_s >= born_s + COLD_START_S else "Starting"
            if out is not None and out.from_s <= now_s < out.until_s:
                states[name] = out.state
        up = [name for name, state in states.items() if state == "Ready"]
        pages = {}
        for name in up:
            offered = queue.get(name, 0.0) + rps(now_s) * STEP_S / len(up)
            done = min(offered, MOST_RPS * STEP_S)
            queue[name], finished[name] = offered - done, finished.get(name, 0.0) + done
            pages[name] = PAGE.format(
                running=4 * done / STEP_S,
                waiting=queue[name],
                prompt=900 * finished[name],
                answer=150 * finished[name],
                finished=finished[name],
            )
        answers.append(stepper.step(now_s, [ReplicaState(n, "h100", s) for n, s in states.items()], pages))
        wanted = answers[-1].desired["h100"]
        while len(born) < wanted:
            born[f"n{made}"], made = now_s, made + 1
        for name in [*reversed(born)]:
            if len(born) > wanted and name not in broken:
                del born[name]
    return answers


def desired(answers: list[Answer], from_s: float = 0.0) -> list[int]:
    return [a.desired["h100"] for a in answers if a.decided_at_s >= from_s]


def struck(answers: list[Answer]) -> list[Outage]:
    """The outages that were remembered at any step."""
    return [one for a in answers for one in a.only.inputs.memory.outages.values()]


@pytest.fixture(scope="module")
def unbroken() -> list[Answer]:
    return drive(RISE_S + 600, rising, {})


@pytest.fixture(scope="module")
def calm() -> list[Answer]:
    return drive(RISE_S + 1500, steady, {})


@pytest.mark.parametrize("state", ["NotReady", "Starting", "CrashLoopBackOff", "Failed"])
def test_an_old_replica_that_restarts_is_no_outage_and_growth_goes_on(state: str, unbroken: list[Answer]) -> None:
    answers = drive(RISE_S + 600, rising, {"p0": Broken(state, RISE_S, RISE_S + 120)})
    assert struck(answers) == []
    assert min(desired(answers, RISE_S)) >= desired(answers, RISE_S - STEP_S)[0]
    assert desired(answers)[-1] >= desired(unbroken)[-1] - 1


@pytest.mark.parametrize("state", ["Starting", "CrashLoopBackOff", "Failed"])
def test_two_crashes_a_minute_apart_do_not_close_a_variant(state: str, unbroken: list[Answer]) -> None:
    first, second = Broken(state, RISE_S, RISE_S + 120), Broken(state, RISE_S + 60, RISE_S + 180)
    answers = drive(RISE_S + 600, rising, {"p0": first, "p1": second})
    assert struck(answers) == []
    assert min(desired(answers, RISE_S)) >= desired(answers, RISE_S - STEP_S)[0]
    assert desired(answers)[-1] >= desired(unbroken)[-1] - 1


@pytest.mark.parametrize("state", ["NotReady", "CrashLoopBackOff"])
def test_one_that_never_comes_back_is_replaced_once(state: str, calm: list[Answer]) -> None:
    answers = drive(RISE_S + 1500, steady, {"p0": Broken(state, RISE_S, 1e9)})
    assert struck(answers) == []
    last = answers[-1].only
    seen = last.inputs.observation.variants[0]
    assert (seen.failed, seen.crashed, seen.pending) == (1, 1, 0)
    assert "1 of h100 were Ready and do not come back" in str(last.trail)
    # As many serve as without it, and it is no reason to ask for more and more.
    assert desired(answers, RISE_S + 1000) == [wanted + 1 for wanted in desired(calm, RISE_S + 1000)]


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("ImagePullBackOff", OutageKind.FAILED),
        ("CrashLoopBackOff", OutageKind.FAILED),
        ("Pending", OutageKind.STOCK_OUT),
    ],
)
def test_new_ones_that_never_become_ready_are_an_outage(state: str, kind: OutageKind) -> None:
    never = {f"n{i}": Broken(state, 0.0, 1e9) for i in range(9, 60)}
    answers = drive(RISE_S + 1500, rising, never)
    assert {one.kind for one in struck(answers)} == {kind}


def test_the_book_remembers_when_a_replica_was_last_ready() -> None:
    book = ReplicaBook()
    for now_s, state in ((0.0, "Ready"), (15.0, "Ready"), (30.0, "NotReady"), (45.0, "CrashLoopBackOff")):
        (seen,) = book.replicas([ReplicaState("p", "h100", state)], ["h100"], now_s)
    assert (seen.created_at_s, seen.last_ready_at_s, seen.waits_since_s) == (0.0, 15.0, 15.0)
    (other,) = ReplicaBook().replicas([ReplicaState("p", "h100", "crash-loop-backoff")], ["h100"], 0.0)
    assert (other.reason, other.last_ready_at_s) == ("CrashLoopBackOff", None)
    (seen,) = book.replicas([ReplicaState("p", "h100", "Ready")], ["h100"], 60.0)
    assert (seen.ready_at_s, seen.last_ready_at_s) == (0.0, None)
    # A name that is used again is another replica, and so is one that says that it was created anew.
    (seen,) = book.replicas([ReplicaState("p", "h100", "Starting", 70.0)], ["h100"], 75.0)
    assert (seen.last_ready_at_s, seen.waits_since_s) == (None, 70.0)


TARGET = make_target((make_variant(high=20), make_variant("l40s", "L40S", high=30)))


def seen_h100(**fields: object) -> Observation:
    """What is seen of h100, beside an l40s that has none."""
    observation = make_observation(TARGET, 30.0, {"h100": 11})
    first = replace(observation.variants[0], **fields)  # type: ignore[arg-type]
    return replace(observation, variants=(first, observation.variants[1]))


def outcome(memory: Memory | None = None, gpus: int = 99, **fields: object) -> GroupOutcome:
    inputs = make_inputs(TARGET, seen_h100(**fields), None, memory)
    return decide(make_group(inputs, gpus={"H100": gpus}))


def known(kind: OutageKind, ready: int, strikes: int = 3) -> Memory:
    return Memory(outages={"h100": Outage(kind, NOW_S + 480.0, strikes, ready)}, first_seen_at_s=NOW_S - 4000.0)


def outage(out: GroupOutcome) -> Outage | None:
    return out.memories[0].outages.get("h100")


def test_a_crash_is_an_outage_only_where_none_serves() -> None:
    assert outage(outcome(desired=12, failed=1, crashed=1)) is None
    assert outage(outcome(desired=12, failed=2, crashed=1)) == Outage(
        OutageKind.FAILED, NOW_S + 120.0, 1, 11, "its replicas failed"
    )
    found = outage(outcome(desired=2, ready=0, failed=2, crashed=2))
    assert found is not None
    assert found.kind is OutageKind.FAILED


def test_one_more_that_is_ready_ends_an_outage_though_another_fails() -> None:
    failed = known(OutageKind.FAILED, 11)
    assert outage(outcome(failed, desired=13, ready=12, failed=1, crashed=1)) is None
    # One of those that were asked for still fails: that is a first strike, not a fourth.
    found = outage(outcome(failed, desired=13, ready=12, failed=1))
    assert found is not None
    assert (found.strikes, found.ready) == (1, 12)


def test_one_that_comes_back_is_not_one_more() -> None:
    stocked = known(OutageKind.STOCK_OUT, 11)
    down = outcome(stocked, desired=11, ready=10, pending=1, restarting=1, oldest_pending_s=30.0)
    kept = outage(down)
    assert kept is not None
    assert kept.ready == 11
    assert outage(outcome(down.memories[0], desired=11)) == kept
    assert outage(outcome(down.memories[0], desired=12, ready=12)) is None
    # Of one that was reclaimed another one came: that is.
    gone = outcome(stocked, desired=11, ready=10).memories[0]
    assert outage(outcome(gone, desired=11)) is None


@pytest.mark.parametrize(
    ("gpus", "fields", "more"),
    [
        (99, {}, 1),
        (99, {"failed": 1, "crashed": 1, "ready": 12}, 0),  # evicted: its place is taken already
        (99, {"failed": 1, "crashed": 0}, 0),
        (4, {}, 0),
    ],
)
def test_a_lost_replica_is_replaced_within_bounds_and_gpus(gpus: int, fields: dict[str, int], more: int) -> None:
    def plan(seen: dict[str, int]) -> Mapping[str, int]:
        target = make_target((make_variant(high=20),))
        observation = make_observation(target, 60.0, {"h100": 11})
        first: VariantObservation = replace(observation.variants[0], **seen)  # type: ignore[arg-type]
        inputs = make_inputs(target, replace(observation, variants=(first,)))
        return decide(make_group(inputs, gpus={"H100": gpus})).plans[0].replicas

    healthy = plan({"desired": 12, "ready": 12})
    lost = plan({"desired": 12, "failed": 1, "crashed": 1, **fields})
    assert lost["h100"] == healthy["h100"] + more
