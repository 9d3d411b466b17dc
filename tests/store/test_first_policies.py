"""Policies that come with a scenario."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import Engine

from controlplane.domain.access import Principal, PrincipalKind
from controlplane.domain.policy_life import Stage
from controlplane.simulation.scenario import load_scenario
from controlplane.store.engine import make_engine
from controlplane.store.first_policies import ARCHIVED, keep_to
from controlplane.store.governed import PostgresPolicySource
from controlplane.store.policies import Policies
from controlplane.store.unit import Request, Writer

NOW_S = 1_767_600_000.0
DEMO = load_scenario("demo").policies
ANN = Principal("user:ann", "Ann", PrincipalKind.USER, ())


@pytest.fixture
def engine(database_url: str) -> Engine:
    return make_engine(database_url)


def live(engine: Engine) -> list[tuple[str, int, Stage]]:
    return [(one.name, one.number, one.stage) for one in PostgresPolicySource(engine).governed()]


def test_it_is_live_from_the_first_start_on_and_is_taken_up_as_it_was_left(database_url: str, engine: Engine) -> None:
    keep_to(database_url, DEMO, NOW_S)
    keep_to(database_url, DEMO, NOW_S + 60.0)
    assert live(engine) == [("search", 1, Stage.LIVE)]
    (before,) = Policies(engine).open()
    keep_to(database_url, (), NOW_S + 120.0)
    assert live(engine) == [], "another scenario has no such deployment"
    keep_to(database_url, DEMO, NOW_S + 180.0)
    assert live(engine) == [("search", 1, Stage.LIVE)]
    assert [one.id for one in Policies(engine).open()] == [before.id]
    engine.dispose()


def test_what_a_person_put_away_stays_away(database_url: str, engine: Engine) -> None:
    keep_to(database_url, DEMO, NOW_S)
    (policy,) = Policies(engine).open()
    with Writer(engine).unit(Request(ANN, "", uuid4().hex, NOW_S)) as unit:
        Policies.archive(unit, policy)
        unit.audit(ARCHIVED, f"policies/{policy.id}", "default", None, None)
    for scenario in ((), DEMO):
        keep_to(database_url, scenario, NOW_S + 60.0)
        assert live(engine) == []
    engine.dispose()
