"""What each part of the planner earns: the same cases without it.

    python -m benchmarks.ablations ../shared/traces/azure2023_conv.csv.gz ../shared/traces/servegen_mmimage_24h.csv.gz

Prints, for each case, attainment and cost beside the whole planner's.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

import controlplane.planning.acquaintance as acquaintance
import controlplane.planning.allocation.claim as claim
import controlplane.planning.calibration as calibration
import controlplane.planning.decision as decision
import controlplane.planning.demand as demand
import controlplane.planning.falls as falls
import controlplane.planning.hedging as hedging
import controlplane.planning.rules as rules
import controlplane.planning.rules.belief as belief
import controlplane.planning.rules.underway as underway
import controlplane.planning.situation as situation
import controlplane.planning.stepper as stepper
import controlplane.planning.trials as trials
import controlplane.planning.volatility as volatility
from controlplane.domain.decision import TargetInputs
from controlplane.planning.allocation.ask import Ask
from controlplane.simulation.league.cases import QUICK_REQUESTS, WARM_UP_S, Case, prepared, trace_name
from controlplane.simulation.league.oracle import first_replicas
from controlplane.simulation.league.score import Score, play
from controlplane.simulation.policies import TidegatePolicy
from controlplane.simulation.traffic import COPIES_WITHIN_S

Setting = tuple[object, str, object]
"""Module, name, value."""


@contextmanager
def changed(settings: tuple[Setting, ...]) -> Iterator[None]:
    """The planner with other constants or functions, for the length of a play."""
    before = [(module, name, getattr(module, name)) for module, name, _ in settings]
    for module, name, value in settings:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def _without_rule(name: str) -> Setting:
    return rules, "RULES", tuple(rule for rule in rules.RULES if rule.name != name)


def _unforecast(inputs: TargetInputs) -> object:
    return _demand(replace(inputs, forecast=None))


def _cheapest_alone(asks: list[Ask], inventory: object) -> object:
    """The rule of thumb in the solver's place: all of the load on the variant that is cheapest for a request."""
    only = []
    for ask in asks:
        variants = ask.inputs.target.variants
        prices = {v.name: v.usd_per_replica_hour / max(ask.rate(v), 1e-9) for v in variants}
        best = min(prices, key=lambda name: prices[name])
        kept = tuple(c if c.variant == best else replace(c, requests_per_s=0.0) for c in ask.capacities)
        only.append(replace(ask, capacities=kept))
    return _allocate(only, inventory)


def _persistent(more: float) -> tuple[Setting, ...]:
    """No forecast at all, and a constant margin."""
    return (acquaintance, "TRUSTED_WINDOWS", math.inf), (acquaintance, "margin", lambda *_: more)


_demand = demand.demand
_allocate = hedging.allocate
WHOLE = "the whole planner"
ABLATIONS: Mapping[str, tuple[Setting, ...]] = {
    WHOLE: (),
    "without forecast and margin": ((decision, "demand", _unforecast),),
    **{f"the present load and {more:.0%} more": _persistent(more) for more in (0.1, 0.2, 0.3)},
    "without online calibration": (
        (
            situation,
            "calibrations",
            lambda inputs: dict.fromkeys((v.name for v in inputs.target.variants), calibration.PRIOR),
        ),
        (situation, "with_feedback", lambda _, known: known),
    ),
    "without the misses' feedback": ((situation, "with_feedback", lambda _, known: known),),
    "without the error budget": ((demand, "SAVED_GAIN", 0.0), (demand, "MISSED_GAIN", 0.0)),
    "the margin without the forecast": ((acquaintance, "TRUSTED_WINDOWS", math.inf),),
    "the forecast without the margin": ((acquaintance, "TRUSTED_WINDOWS", 0.0),),
    "one margin for all loads": ((volatility, "LIMITS", (1.0, 1.0)),),
    "each minute for itself": ((stepper, "load_level", lambda *_: None),),
    "without room for a new load": ((acquaintance, "NEW_WINDOWS", -1.0),),
    "fillers in any fleet": ((claim, "FILLER_HOURS", 0.0),),
    "ramps for 75 s alone": ((acquaintance, "surely_rises", lambda *_: False),),
    "without ramps and cycles": ((stepper, "find_regimes", lambda *_: ()),),
    "learning from restless minutes": ((calibration, "UNREST", 0.0),),
    "without the solver": ((hedging, "allocate", _cheapest_alone),),
    "without acquaintance": (_without_rule("acquaintance"),),
    "acquainted after five minutes": ((belief, "ACQUAINTANCE_WINDOWS", 0.0),),
    "without pending": (_without_rule("pending"),),
    "downs wait for the last that starts": ((underway, "outnumbered", lambda *_: False),),
    "falls waited out": ((falls, "CERTAIN", 2.0),),
    "without trials": ((hedging, "with_trials", lambda asks, *_: asks),),
    "what nobody has seen serve left alone": ((trials, "WORTH", 0.0),),
    "without stabilization": (_without_rule("stabilization"),),
    "lulls followed": (_without_rule("lull"),),
    "without the flap budget": (_without_rule("flaps"),),
}


def main() -> None:
    """Play every ablation on every case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", nargs="+", type=Path)
    parser.add_argument("--scenario", nargs="+", default=["league-8b", "league-8b-mixed"])
    parser.add_argument("--cold-start", type=float, default=180.0)
    parser.add_argument("--requests", type=int, default=QUICK_REQUESTS, help="of the window, in the mean")
    parser.add_argument(
        "--only", nargs="+", choices=ABLATIONS, default=list(ABLATIONS), help="beside the whole planner"
    )
    parser.add_argument("--copies-within", type=float, default=COPIES_WITHIN_S, help="as of `tidegate league`")
    arguments = parser.parse_args()
    console = Console(width=140)
    for trace in arguments.traces:
        for scenario in arguments.scenario:
            within_s = arguments.copies_within
            case = Case(trace, scenario, arguments.cold_start, arguments.requests, copies_within_s=within_s)
            console.print(
                _table(case, arguments.only, f"{trace_name(trace)} · {scenario} · {arguments.cold_start:g} s")
            )


def _table(case: Case, only: Sequence[str], title: str) -> Table:
    scenario, trace = prepared(case)
    table = Table("", "attained", "worst hour", "$", "beside the whole", "ups", "downs", "flaps", title=title)
    whole: Score | None = None

    def run() -> Score:
        return play(scenario, trace, TidegatePolicy(scenario), WARM_UP_S, first_replicas(scenario, trace))

    for name in dict.fromkeys([WHOLE, *only]):
        with changed(ABLATIONS[name]):
            score = run()
        whole = whole or score
        worst = "-" if score.worst_hour is None else f"{score.worst_hour:.4f}"
        table.add_row(
            *(
                name,
                f"{score.attainment:.4f}",
                worst,
                f"{score.cost_usd:.2f}",
                f"{score.cost_usd / whole.cost_usd:.2f}x",
            ),
            *(str(score.scale_ups), str(score.scale_downs), str(score.flaps)),
        )
    return table


if __name__ == "__main__":
    main()
