"""A kind of replica that nobody has seen serve is tried with one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from controlplane.domain.decision import Calibration
from controlplane.domain.observation import Inventory
from controlplane.domain.target import Routing
from controlplane.planning.allocation import Ask, allocate
from controlplane.planning.outages import Cap
from controlplane.planning.trials import TRIED_S, with_trials
from tests.planning.asks import Kind, make_ask

BIG = Kind("big", 10.0, 4.0, gpu="H100", now=10, high=40)
CHEAP = Kind("cheap", 5.0, 1.0, gpu="L40S", high=80)
UNLIMITED = Inventory()


def known_for(**seconds: float) -> dict[str, Calibration]:
    return {name: Calibration(1.0, weight) for name, weight in seconds.items()}


def planned(ask: Ask, learned: Mapping[str, Calibration], inventory: Inventory = UNLIMITED) -> Mapping[str, int]:
    return allocate([with_trials(ask, learned, inventory)], inventory)[0].replicas


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
    assert with_trials(both, known_for(big=600.0, cheap=0.0), UNLIMITED) is both


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
    assert with_trials(ask, learned, inventory) is ask
    assert planned(ask, learned, inventory)["cheap"] > 1


def test_the_plan_says_why_there_is_but_one() -> None:
    ask = with_trials(make_ask((BIG, CHEAP), 91.0), known_for(big=600.0, cheap=0.0), UNLIMITED)
    assert ask.held_by(ask.inputs.target.variants[1]) == "cheap has hardly served yet; 1 is a try, big carry the rest"
