"""A kind of replica that nobody has seen serve is tried with one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from controlplane.domain.decision import Calibration, GroupOutcome, Memory, Outage, OutageKind
from controlplane.domain.observation import Inventory
from controlplane.domain.target import (
    DEFAULT_SCALE_UP,
    Mode,
    Policy,
    Preference,
    Routing,
    ScalingRules,
    SelectPolicy,
    Slo,
)
from controlplane.planning import decide, sentences
from controlplane.planning.allocation import Ask, allocate
from controlplane.planning.calibration import PRIOR
from controlplane.planning.outages import Cap
from controlplane.planning.trials import TRIED_S, with_trials
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
from tests.planning.asks import Kind, make_ask

BIG = Kind("big", 10.0, 4.0, gpu="H100", now=10, high=40)
CHEAP = Kind("cheap", 5.0, 1.0, gpu="L40S", high=80)
UNLIMITED = Inventory()


def known_for(**seconds: float) -> dict[str, Calibration]:
    return {name: Calibration(1.0, weight) for name, weight in seconds.items()}


def planned(ask: Ask, learned: Mapping[str, Calibration], inventory: Inventory = UNLIMITED) -> Mapping[str, int]:
    return allocate(with_trials([ask], [learned], inventory), inventory)[0].replicas


@pytest.mark.parametrize("since_s", [15.0, 600.0])
def test_a_fleet_is_not_exchanged_for_what_nobody_has_seen_serve(since_s: float) -> None:
    assert planned(make_ask((BIG, CHEAP), 91.0), known_for(big=since_s, cheap=0.0)) == {"big": 9, "cheap": 1}


def test_when_it_was_tried_it_is() -> None:
    tried = replace(CHEAP, now=1)
    assert planned(make_ask((BIG, tried), 91.0), known_for(big=600.0, cheap=TRIED_S - 1.0)) == {"big": 9, "cheap": 1}
    assert planned(make_ask((BIG, tried), 91.0), known_for(big=600.0, cheap=TRIED_S)) == {"big": 0, "cheap": 19}


def test_what_runs_with_more_than_a_trial_has_is_not_on_trial() -> None:
    """A rollout unlearns what serves."""
    both = make_ask((replace(BIG, now=5), replace(CHEAP, now=9)), 91.0)
    assert with_trials([both], [known_for(big=600.0, cheap=0.0)], UNLIMITED) == [both]


def test_a_fleet_that_is_found_running_is_not_on_trial() -> None:
    """Of all of it as much is known."""
    found = make_ask((replace(BIG, now=2), replace(CHEAP, now=1)), 91.0)
    assert planned(found, known_for(big=15.0, cheap=15.0))["cheap"] > 1


def test_the_same_machine_on_spot_needs_no_trial() -> None:
    spot = Kind("spot", 10.0, 1.5, gpu="H100", high=40, spot=True)
    assert planned(make_ask((BIG, spot), 91.0), known_for(big=600.0, spot=0.0)) == {"big": 0, "spot": 10}


@pytest.mark.parametrize(
    ("ask", "inventory"),
    [
        (make_ask((replace(BIG, high=9), CHEAP), 91.0), UNLIMITED),
        (make_ask((BIG, CHEAP), 91.0), Inventory({"H100": 12, "L40S": 80})),
        (make_ask((BIG, CHEAP), 91.0, max_spot_share=0.5), UNLIMITED),
        (replace(make_ask((BIG, CHEAP), 91.0), caps={"big": (Cap(4, "it fails"),)}), UNLIMITED),
        (make_ask((replace(BIG, now=0), CHEAP), 91.0), UNLIMITED),
        (make_ask((BIG, CHEAP), 91.0, routing=Routing.EVEN), UNLIMITED),
    ],
    ids=["bounds", "GPUs that are counted", "a limit on Spot", "an outage", "nothing that serves", "even routing"],
)
def test_where_the_known_may_not_carry_all_a_guess_is_better_than_nothing(ask: Ask, inventory: Inventory) -> None:
    learned = known_for(big=600.0, cheap=0.0)
    assert with_trials([ask], [learned], inventory)[0].caps == ask.caps
    assert planned(ask, learned, inventory)["cheap"] > 1


def test_the_plan_says_why_there_is_but_one() -> None:
    (ask,) = with_trials([make_ask((BIG, CHEAP), 91.0)], [known_for(big=600.0, cheap=0.0)], UNLIMITED)
    assert ask.held_by(ask.inputs.target.variants[1]) == "cheap has hardly served yet; 1 is a try, big carry the rest"


def fleet(
    rps: float = 110.0,
    usd: float = 2.0,
    seconds: float = 600.0,
    slower: float = 1.3,
    counts: Mapping[str, int] | None = None,
    tried_s: float = 0.0,
    mode: Mode = Mode.LIVE,
    preference: Preference = Preference.NEUTRAL,
    gpus: Mapping[str, int] | None = None,
    scale_up: ScalingRules = DEFAULT_SCALE_UP,
    **memory: Any,
) -> GroupOutcome:
    """H100s that are slower than told, beside an A100 that never ran."""
    a100 = replace(make_variant("a100", "A100-80", high=40, usd=usd), preference=preference)
    target = make_target((make_variant(high=40), a100), Policy(mode, Slo(2.0, 0.1), scale_up=scale_up))
    known = {"h100": calibration(slower, seconds), "a100": calibration(1.0, tried_s) if tried_s else PRIOR}
    remembered = Memory(first_seen_at_s=NOW_S - 9000.0, calibrations=known, **memory)
    seen = make_observation(target, rps, counts or {"h100": 14})
    return decide(make_group(make_inputs(target, seen, make_forecast(target, rps), remembered), gpus=gpus))


def calibration(factor: float, seconds: float) -> Calibration:
    return Calibration(factor, seconds, (factor,) * 4, tuple((1e-4 * np.eye(4)).ravel().tolist()), 0.01)


def test_what_may_be_cheaper_is_tried_with_one() -> None:
    outcome = fleet()
    (plan,), (decision,) = outcome.plans, outcome.decisions
    assert plan.replicas["a100"] == decision.desired["a100"] == 1
    assert plan.trial == "one a100 is a try: nobody has seen it serve here, and it may do the work for less"
    assert decision.reason.endswith("requests/s expected at the peak; " + plan.trial)
    # While it starts, and until two minutes were seen of it, it stays.
    for counts, tried_s in (({"h100": 14, "a100": 1}, 0.0), ({"h100": 14, "a100": 1}, TRIED_S - 15.0)):
        assert fleet(counts=counts, tried_s=tried_s).plans[0].replicas["a100"] == 1


def test_the_explanation_names_the_try() -> None:
    tick = make_tick()
    said = sentences(replace(tick, plan=replace(tick.plan, trial="one a100 is a try: hope")))
    assert any(one.startswith("Chosen: ") and one.endswith("; one a100 is a try: hope.") for one in said)
    assert not any("a try" in one for one in sentences(tick))


def test_once_it_was_tried_its_price_decides() -> None:
    counts = {"h100": 14, "a100": 1}
    cheap, dear = fleet(counts=counts, tried_s=TRIED_S, usd=1.2), fleet(counts=counts, tried_s=TRIED_S, usd=6.0)
    assert cheap.plans[0].replicas["a100"] > 5
    assert dear.plans[0].replicas["a100"] == 0
    assert cheap.plans[0].trial == dear.plans[0].trial == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"usd": 3.9},
        {"slower": 0.8},
        {"seconds": 285.0},
        {"mode": Mode.SHADOW},
        {"preference": Preference.AVOID},
        {"scale_up": replace(DEFAULT_SCALE_UP, select_policy=SelectPolicy.DISABLED)},
        {"gpus": {"H100": 40, "A100-80": 0}},
        {"rps": 12.0, "counts": {"h100": 3}},
        {"outages": {"a100": Outage(OutageKind.STOCK_OUT, NOW_S + 600.0, 1, 0)}},
    ],
    ids=["as dear", "fast", "new", "shadow", "avoided", "nothing goes up", "no GPU", "few", "stocked out"],
)
def test_nothing_is_tried_for_its_own_sake(changes: Mapping[str, Any]) -> None:
    (plan,) = fleet(**changes).plans
    assert (plan.replicas["a100"], plan.trial) == (0, "")


def test_nobody_is_tried_while_another_is_short_of_the_same_gpus() -> None:
    """The last A100 is a higher priority's, and not a trial's."""
    a100 = make_variant("a100", "A100-80", high=40, usd=2.0)
    known = {"h100": calibration(1.3, 600.0), "a100": PRIOR}
    curious = make_target((make_variant(high=40), a100), Policy(Mode.LIVE, Slo(2.0, 0.1)))
    urgent = make_target((a100,), Policy(Mode.LIVE, Slo(2.0, 0.1), priority=5), "urgent")
    memory = Memory(first_seen_at_s=NOW_S - 9000.0, calibrations=known)
    seen = make_observation(curious, 110.0, {"h100": 14})
    first = make_inputs(curious, seen, make_forecast(curious, 110.0), memory)
    busy = make_observation(urgent, 90.0, {"a100": 6})
    second = make_inputs(urgent, busy, make_forecast(urgent, 90.0), Memory(first_seen_at_s=NOW_S - 9000.0))
    scarce = decide(make_group(first, second, gpus={"A100-80": 7}))
    assert [plan.replicas["a100"] for plan in scarce.plans] == [0, 7]
    assert scarce.plans[0].trial == ""
    plenty = decide(make_group(first, second, gpus={"A100-80": 70}))
    assert plenty.plans[0].replicas["a100"] == 1
