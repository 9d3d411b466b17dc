"""What is wished for a target that nobody patches takes nothing from one that is patched, and gives it nothing."""

from __future__ import annotations

from controlplane.domain.decision import GroupOutcome, Memory, TargetInputs
from controlplane.domain.target import Mode, Policy, Slo
from controlplane.planning import decide
from tests.builders import NOW_S, make_forecast, make_group, make_inputs, make_observation, make_target, make_variant

GPUS = 16


def one(
    name: str, rps: float, ready: int, mode: Mode, priority: int = 0, spare_usd: float | None = None
) -> TargetInputs:
    variants = (make_variant(high=40),)
    if spare_usd is not None:
        variants += (make_variant("a100", "A100-80", high=40, usd=spare_usd),)
    target = make_target(variants, Policy(mode, Slo(2.0, 0.1), priority=priority), name)
    seen = make_observation(target, rps, {"h100": ready})
    return make_inputs(target, seen, make_forecast(target, rps), Memory(first_seen_at_s=NOW_S - 9000.0))


def group(*targets: TargetInputs, gpus: int = GPUS) -> GroupOutcome:
    return decide(make_group(*targets, gpus={"H100": gpus}))


def planned(outcome: GroupOutcome) -> list[int]:
    return [plan.replicas["h100"] for plan in outcome.plans]


def test_a_wish_that_nobody_does_takes_no_gpus_from_who_is_patched() -> None:
    live = one("live", 120.0, 2, Mode.LIVE)
    free = planned(group(live, one("other", 120.0, 2, Mode.SHADOW, priority=9)))
    (alone,) = planned(group(live))
    assert alone > GPUS // 2
    # The other shows what it would be given were all patched; its priority counts there.
    assert free == [alone, alone]
    both = planned(group(live, one("other", 120.0, 2, Mode.LIVE, priority=9)))
    assert both == [GPUS - alone, alone]


def test_what_stands_beside_is_counted_as_it_stands() -> None:
    """It would be planned to give eight back, and nobody does it."""
    outcome = group(one("live", 120.0, 6, Mode.LIVE), one("other", 10.0, 10, Mode.SHADOW))
    assert outcome.plans[0].replicas["h100"] == outcome.decisions[0].desired["h100"] == GPUS - 10
    assert outcome.plans[1].replicas["h100"] < 10
    assert "16 H100 in all" in outcome.plans[0].binding


def test_who_is_patched_buys_nothing_dearer_for_a_wish() -> None:
    live = one("live", 120.0, 2, Mode.LIVE, spare_usd=9.0)
    (plan, _) = group(live, one("other", 120.0, 2, Mode.SHADOW)).plans
    assert plan.replicas["a100"] == 0
    (squeezed, _) = group(live, one("other", 120.0, 2, Mode.LIVE, priority=9)).plans
    assert squeezed.replicas["a100"] > 0


def test_without_anybody_patched_all_are_planned_together() -> None:
    shadows = one("live", 120.0, 2, Mode.SHADOW), one("other", 120.0, 2, Mode.SHADOW, priority=9)
    both = one("live", 120.0, 2, Mode.LIVE), one("other", 120.0, 2, Mode.LIVE, priority=9)
    assert planned(group(*shadows)) == planned(group(*both))
