"""Roles of a split target keep step."""

from __future__ import annotations

import pytest

from controlplane.domain.decision import Capacity, CapacityBound, Outage, OutageKind, Plan
from controlplane.domain.target import Mode, Policy, Role, Slo
from controlplane.planning.rules import Case, SkewRule
from tests.builders import NOW_S, make_inputs, make_observation, make_target, make_variant

VARIANTS = (
    make_variant("p", "H100", Role.PREFILL, high=30),
    make_variant("d", "H200", Role.DECODE, high=30),
)


def judged(proposed: dict[str, int], skew: float | None = None, out: str = "") -> tuple[dict[str, int], str]:
    """From 2 Prefill and 4 Decode replicas, of 2 and 1 requests/s each; `out` cannot be had."""
    target = make_target(VARIANTS, Policy(Mode.LIVE, Slo(2.0, 0.1), max_role_skew=skew))
    inputs = make_inputs(target, make_observation(target, 4.0, {"p": 2, "d": 4}))
    known = tuple(Capacity(n, r, CapacityBound.TPOT, 1.0) for n, r in (("p", 2.0), ("d", 1.0)))
    plan = Plan(target.key, None, known, proposed, 0.0, True)
    outages = {out: Outage(OutageKind.STOCK_OUT, NOW_S + 60.0, 1, 0)} if out else {}
    case = Case(inputs, NOW_S, {"p": 2, "d": 4}, None, True, plan, outages=outages)
    ruling = SkewRule().judge(case, proposed)
    return dict(ruling.after), ruling.reason


@pytest.mark.parametrize(
    ("proposed", "skew", "out", "after"),
    [
        ({"p": 6, "d": 12}, 0.1, "", {"p": 6, "d": 12}),  # in step: both in one tick
        ({"p": 9, "d": 4}, None, "", {"p": 9, "d": 4}),  # no limit
        ({"p": 9, "d": 4}, 0.5, "", {"p": 4, "d": 4}),  # 4 rps and half, and one replica: 8 rps
        ({"p": 2, "d": 20}, 0.5, "", {"p": 2, "d": 7}),  # 4 rps and half, and one: 7 rps
        ({"p": 9, "d": 18}, None, "d", {"p": 3, "d": 18}),  # beside a stocked-out role only one more fits
        ({"p": 1, "d": 4}, 0.0, "", {"p": 1, "d": 4}),  # downs are not its business
    ],
)
def test_neither_role_runs_ahead(proposed: dict[str, int], skew: float | None, out: str, after: dict[str, int]) -> None:
    found, said = judged(proposed, skew, out)
    assert found == after
    assert ("waits for" in said) is (found != proposed)


def test_a_role_is_never_cut_below_what_there_is() -> None:
    assert judged({"p": 2, "d": 5}, 0.0, "p")[0]["d"] >= 4
