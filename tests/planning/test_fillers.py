"""What it costs to begin with a variant that fills up the last replica, and when it is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.domain.observation import Inventory
from controlplane.domain.target import Role
from controlplane.planning.allocation import allocate
from controlplane.planning.allocation.claim import FILLER_FLEET, FILLER_HOURS, claim_of
from tests.planning.asks import Kind, make_ask

PLENTY = Inventory({"BIG": 200, "SMALL": 200, "P": 40, "P2": 40, "D": 40})


def planned(rps: float, big: Kind, small: Kind) -> tuple[int, int]:
    plan = allocate([make_ask((big, small), rps)], PLENTY)[0]
    return plan.replicas[big.name], plan.replicas[small.name]


def big(now: int, usd: float = 4.0, high: int = 40) -> Kind:
    return Kind("big", 8.0, usd, now=now, high=high)


def small(now: int = 0, usd: float = 1.9, rate: float = 2.0) -> Kind:
    return Kind("small", rate, usd, now=now, high=40)


def test_a_large_fleet_is_not_filled_up_with_what_is_dearer_by_the_request() -> None:
    assert planned(97.0, big(12), small()) == (13, 0)


def test_a_filling_that_runs_already_stays() -> None:
    assert planned(97.0, big(12), small(now=1)) == (12, 1)


@pytest.mark.parametrize(("rps", "fleet"), [(1.5, (0, 1)), (9.5, (1, 1))])
def test_a_small_fleet_takes_the_small_machine(rps: float, fleet: tuple[int, int]) -> None:
    assert planned(rps, big(1), small()) == fleet


def test_what_is_cheaper_by_the_request_is_begun_with_at_once() -> None:
    whole, rest = planned(96.0, big(12), small(rate=6.0, usd=2.0))
    assert (whole, rest) == (0, 16)


def test_where_no_more_of_the_other_can_be_had_it_fills_up() -> None:
    assert planned(99.0, big(12, high=12), small()) == (12, 2)


def test_what_it_costs_grows_with_the_fleet() -> None:
    def extra(rps: float) -> float:
        claim = claim_of(make_ask((big(12), small()), rps), 0.0)
        alone = claim_of(make_ask((small(),), rps), 0.0)
        return claim.start_usd[1] - alone.start_usd[0]

    assert extra(8.0 * FILLER_FLEET) == 0.0
    assert extra(5e-324) == 0.0, "a load of which no replica has a share that is above nought"
    assert extra(8.0 * 2 * FILLER_FLEET) == pytest.approx(FILLER_HOURS / 2 * 1.9)
    assert extra(8.0 * 100 * FILLER_FLEET) == pytest.approx(FILLER_HOURS * 1.9, rel=0.02)


def test_roles_are_looked_at_apart() -> None:
    kinds = (
        Kind("p", 8.0, 4.0, Role.PREFILL, now=12, high=40),
        Kind("p2", 2.0, 1.9, Role.PREFILL, high=40),
        Kind("d", 100.0, 4.0, Role.DECODE, now=1, high=4),
    )
    assert allocate([make_ask(kinds, 97.0)], PLENTY)[0].replicas == {"p": 13, "p2": 0, "d": 1}
    fresh = claim_of(make_ask(tuple(replace(k, now=0) for k in kinds), 97.0), 0.0)
    alone = claim_of(make_ask((kinds[1], kinds[2]), 97.0), 0.0)
    assert fresh.start_usd[1] == alone.start_usd[0], "where nothing runs there is nothing to fill up"
