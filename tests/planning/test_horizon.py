"""How far one must look ahead."""

from __future__ import annotations

import pytest

from controlplane.domain.decision import ColdStart
from controlplane.domain.target import Role
from controlplane.planning.stepper import horizon
from tests.builders import make_target, make_variant

FAST, SLOW = ColdStart(90.0, 100.0, 5), ColdStart(280.0, 300.0, 5)


def test_it_is_the_cold_start_of_what_the_fleet_is_made_of() -> None:
    target = make_target((make_variant("h100", usd=4.0), make_variant("l40s", usd=1.0)))
    starts, interval_s = {"h100": FAST, "l40s": SLOW}, target.policy.interval_s
    assert horizon(target, starts, {"h100": 12}) == 100.0 + interval_s
    # $48 that come in 100 s and $2 that come in 300 s.
    assert horizon(target, starts, {"h100": 12, "l40s": 2}) == pytest.approx(108.0 + interval_s)
    assert horizon(target, starts, {"l40s": 3}) == 300.0 + interval_s


def test_where_nothing_runs_it_is_the_slowest() -> None:
    target = make_target((make_variant("h100"), make_variant("l40s")))
    starts = {"h100": FAST, "l40s": SLOW}
    assert horizon(target, starts) == horizon(target, starts, {"h100": 0}) == 300.0 + target.policy.interval_s


def test_of_two_roles_the_slower_counts() -> None:
    target = make_target((make_variant("p", role=Role.PREFILL), make_variant("d", role=Role.DECODE)))
    starts = {"p": FAST, "d": SLOW}
    assert horizon(target, starts, {"p": 9, "d": 1}) == 300.0 + target.policy.interval_s
