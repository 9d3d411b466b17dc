"""Policies that a whole system begins with."""

from __future__ import annotations

from uuid import uuid4

from controlplane.domain.access import SYSTEM
from controlplane.domain.policy_life import Stage
from controlplane.simulation.scenario import load_scenario
from controlplane.store.engine import make_engine
from controlplane.store.first_policies import make_live
from controlplane.store.governed import PostgresPolicySource
from controlplane.store.policies import Policies, PolicyFilter
from controlplane.store.unit import Request, Writer

NOW_S = 1_767_600_000.0


def test_the_demos_policy_is_live_from_the_first_start_on_and_then_peoples(database_url: str) -> None:
    manifests = load_scenario("demo").policies
    assert make_live(database_url, manifests, NOW_S) == ["search"]
    engine = make_engine(database_url)
    try:
        (one,) = PostgresPolicySource(engine).governed()
        assert (one.name, one.number, one.stage, one.namespaces) == ("search", 1, Stage.LIVE, ("default",))
        (policy,) = Policies(engine).open()
        with Writer(engine).unit(Request(SYSTEM, "", uuid4().hex, NOW_S)) as unit:
            Policies.archive(unit, policy)
        # Somebody put it away: the next start does not bring it back.
        assert make_live(database_url, manifests, NOW_S + 60.0) == []
        assert Policies(engine).open() == []
        assert len(Policies(engine).page(PolicyFilter(archived=True), None, 10)[0]) == 1
    finally:
        engine.dispose()
