"""A rollout: what was learned begins anew, nothing goes down in its midst, its surge is not counted twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from controlplane.domain.decision import Calibration, GroupOutcome, Memory, Outage, OutageKind, Recommendation
from controlplane.domain.observation import Replica, ReplicaPhase, Surroundings
from controlplane.observing import SampleWindow, observe
from controlplane.planning import decide
from controlplane.planning.cold_start_log import ColdStartLog
from tests.builders import NOW_S, make_group, make_inputs, make_observation, make_target, make_variant

TARGET = make_target((make_variant(low=1),))
KNOWN = Calibration(1.7, 600.0, misses_seen=0.2, misses_weight=900.0)
MEMORY = Memory(
    (Recommendation(NOW_S - 400.0, {"h100": 1}),),
    calibrations={"h100": KNOWN},
    first_seen_at_s=NOW_S - 4000.0,
    templates={"h100": "old"},
    outages={"h100": Outage(OutageKind.FAILED, NOW_S + 600.0, 3, 1, "CrashLoopBackOff")},
)


def outcome(template: str, ready: Mapping[str, int], memory: Memory = MEMORY) -> GroupOutcome:
    seen = make_observation(TARGET, 2.0, {"h100": sum(ready.values())})
    seen = replace(seen, variants=(replace(seen.variants[0], templates=ready),))
    inputs = make_inputs(TARGET, seen, None, memory)
    return decide(make_group(replace(inputs, surroundings=Surroundings(templates={"h100": template}))))


def test_a_new_template_resets_what_was_learned_and_the_trail_says_it() -> None:
    out = outcome("new", {"old": 4})
    memory = out.memories[0]
    assert memory.templates == {"h100": "new"}
    assert memory.calibrations["h100"] == Calibration(1.0, 0.0)
    assert memory.outages == {}
    said = next(r.reason for r in out.decisions[0].trail if r.rule == "rollout")
    assert said == "h100 is made from something new; what was learned of it begins anew"


def test_the_same_template_and_the_first_one_seen_reset_nothing() -> None:
    assert outcome("old", {"old": 4}).memories[0].calibrations["h100"].ratio == 1.7
    first = outcome("old", {"old": 4}, replace(MEMORY, templates={})).memories[0]
    assert (first.calibrations["h100"].ratio, first.templates) == (1.7, {"h100": "old"})


def test_nothing_goes_down_while_old_and_new_are_ready() -> None:
    known = replace(MEMORY, templates={"h100": "new"}, outages={})
    held = outcome("new", {"old": 2, "new": 2}, known).decisions[0]
    assert held.desired == {"h100": 4}
    assert "old and new replicas of h100 are Ready side by side" in held.reason
    assert outcome("new", {"new": 4}, known).decisions[0].desired == {"h100": 1}


def test_old_engines_teach_nothing_about_the_new() -> None:
    known = replace(MEMORY, templates={"h100": "new"}, outages={})
    assert outcome("new", {"old": 1, "new": 3}, known).memories[0].calibrations["h100"] == KNOWN


def test_templates_of_ready_replicas_are_counted() -> None:
    replicas = [
        Replica(f"r{i}", "h100", phase, NOW_S - 99.0, NOW_S - 9.0, template=template)
        for i, (phase, template) in enumerate(
            [
                (ReplicaPhase.READY, "b"),
                (ReplicaPhase.READY, "a"),
                (ReplicaPhase.READY, "b"),
                (ReplicaPhase.PENDING, "c"),
            ]
        )
    ]
    seen = observe(TARGET, {"h100": 3}, replicas, [], SampleWindow(), NOW_S)[0].variants[0]
    assert seen.templates == {"a": 1, "b": 2}


def test_cold_starts_of_an_old_image_say_nothing_of_the_new_one() -> None:
    log = ColdStartLog()
    log.note([Replica("r1", "h100", ReplicaPhase.READY, 0.0, 300.0, template="old")])
    log.note([Replica("r2", "h100", ReplicaPhase.READY, 400.0, 460.0, template="new")])
    assert (log.measured()["h100"].p50_s, log.measured()["h100"].samples) == (60.0, 1)


def test_a_new_image_that_was_ready_at_once_leaves_nothing_measured() -> None:
    log = ColdStartLog()
    log.note([Replica("r1", "h100", ReplicaPhase.READY, 0.0, 300.0, template="old")])
    log.note([Replica("r2", "h100", ReplicaPhase.READY, 400.0, 400.0, template="new")])
    assert log.measured() == {}
