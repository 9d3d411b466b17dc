"""What may come is carried as far as its price, times how likely it is, pays for it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.domain.observation import Inventory
from controlplane.planning.allocation import allocate
from tests.planning.asks import Kind, allowed, carries, fleet_of, fleets, make_ask, usd

ONE = [Kind("h100", 1.0, 3.6, high=40, now=40)]
"""Nothing to start; nothing shrinks without the margin."""
TENTHS = [(float(rps), 0.1) for rps in range(1, 11)]
"""As likely 1 as 2 as 3 ... as 10 requests/s."""


@pytest.mark.parametrize(("usd_per_request", "replicas"), [(0.0011, 1), (0.002, 5), (0.005, 8), (0.02, 10)])
def test_the_newsvendors_quantile_is_provided(usd_per_request: float, replicas: int) -> None:
    """A replica costs 3.6 $/h; with n of them the next saves 3600 x price x P(load > n): worth it while that
    probability is above 0.001 / price."""
    kinds = [Kind("h100", 1.0, 3.6, high=40)]
    started = 1.0 + 170.0 / 3600.0
    expected = 1 + sum(0.001 * started / usd_per_request < (10 - n) / 10 for n in range(1, 10))
    (plan,) = allocate([make_ask(kinds, 1.0, scenarios=TENTHS, miss_usd_per_request=usd_per_request)], Inventory())
    assert fleet_of(kinds, plan) == (replicas,) == (expected,)


@pytest.mark.parametrize(("quantile", "replicas"), [(0.55, 6), (0.75, 8), (0.95, 10)])
def test_without_a_price_the_policys_quantile_is_provided(quantile: float, replicas: int) -> None:
    kinds = [Kind("h100", 1.0, 3.6, high=40, now=replicas)]
    (plan,) = allocate([make_ask(kinds, 1.0, scenarios=TENTHS, forecast_quantile=quantile)], Inventory())
    assert fleet_of(kinds, plan) == (replicas,)


def test_what_must_be_carried_is_carried_whatever_is_likely() -> None:
    (plan,) = allocate([make_ask(ONE, 30.0, scenarios=[(1.0, 1.0)], miss_usd_per_request=1e-6)], Inventory())
    assert plan.feasible
    assert plan.replicas["h100"] >= 30


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.0, 25.0), st.floats(0.0, 0.5)), min_size=1, max_size=4),
    st.floats(0.1, 10.0),
    st.sampled_from([1e-4, 3e-4, 1e-3, 1e-2]),
    st.booleans(),
)
def test_the_expected_cost_is_nearly_the_least(
    scenarios: list[tuple[float, float]], rps: float, price: float, limited: bool
) -> None:
    kinds = [Kind("a", 3.0, 4.0, high=5), Kind("b", 1.3, 1.9, high=6), Kind("c", 0.7, 1.2, high=3, spot=True)]
    share = 0.2 if limited else 1.0

    def expected(fleet: tuple[int, ...]) -> float:
        served = carries(kinds, fleet)
        return usd(kinds, fleet, rps) + sum(p * price * 3600.0 * max(0.0, load - served) for load, p in scenarios)

    def spot(fleet: tuple[int, ...]) -> bool:
        return 0.7 * fleet[2] <= share * carries(kinds, fleet) + 1e-9

    best = min(expected(f) for f in fleets(kinds) if allowed(kinds, f, rps) and spot(f))
    ask = make_ask(kinds, rps, scenarios=scenarios, miss_usd_per_request=price, max_spot_share=share)
    fleet = fleet_of(kinds, allocate([ask], Inventory())[0])
    assert spot(fleet)
    assert expected(fleet) <= best * 1.03 + 1e-9
