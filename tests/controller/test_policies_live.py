"""The whole way: a policy is made over HTTP, kept in PostgreSQL, and a controller's loop goes by it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controlplane.controller.governing import Governing
from controlplane.domain.access import AccessRole, Grant
from controlplane.domain.decision import Tick
from controlplane.domain.manifest import target_from_manifest
from controlplane.domain.observation import Surroundings
from controlplane.domain.ports import Candidate, ClusterState, TargetProblem
from controlplane.domain.target import Mode
from controlplane.simulation.scenario import load_scenario
from controlplane.store.engine import make_engine
from controlplane.store.governed import PostgresPolicySource
from tests.api.policies import Desk
from tests.controller.test_loop import World


class Company(World):
    """A fleet without custom resources: its targets are those of the API's policies."""

    def __init__(self, url: str) -> None:
        self.governing: Governing | None = None
        super().__init__()
        engine = make_engine(url)
        self.desk = Desk(url, "ann", Grant(AccessRole.OPERATOR, "default"), clock=self.clock)
        self.governing = Governing(PostgresPolicySource(engine), clock=self.clock, real_s=lambda: self.real_s)
        self.controller.ports.governing = self.governing

    def state(self, problems: tuple[TargetProblem, ...] = ()) -> ClusterState:
        state = super().state(problems)
        if self.governing is None:
            return state
        policies = self.governing.manifests()
        key = self.target.key
        beside = [
            Candidate(target_from_manifest(m), state.desired[key], state.replicas[key], Surroundings())
            for m in policies.beside
        ]
        return replace(
            state, targets=tuple(target_from_manifest(m) for m in policies.deciding), candidates=tuple(beside)
        )

    async def turn(self, count: int = 2) -> Tick:
        """The first tick after a change reads it; what it decided is seen at the next."""
        for _ in range(count):
            await self.tick()
            assert self.governing is not None
            await self.governing.shadows.settle()
        return max(self.ledger.ticks.values(), key=lambda tick: tick.at_s)


@pytest.fixture
def company(database_url: str) -> Company:
    return Company(database_url)


def spec(least: int) -> dict[str, Any]:
    raw = dict(load_scenario("chat-8b").manifests[0]["spec"])
    return {**raw, "mode": "Live", "variants": [{**v, "minReplicas": least} for v in raw["variants"]]}


async def test_a_policy_from_draft_to_roll_back(company: Company) -> None:
    desk = company.desk
    policy = desk.create(name="chat", namespaces=["default"], spec=spec(1))["id"]
    ids = {v["number"]: v["id"] for v in desk.get(f"/policies/{policy}/versions").json()}
    await company.tick(2)
    assert company.ledger.ticks == {}

    desk.go(policy, 1, "shadow")
    tick = await company.turn(3)
    assert (tick.policy_version, tick.inputs.target.policy.mode) == (ids[1], Mode.SHADOW)
    assert company.actuator.applied == []
    desk.go(policy, 1, "promote")
    tick = await company.turn(3)
    assert (tick.policy_version, tick.inputs.target.policy.mode) == (ids[1], Mode.LIVE)

    number = desk.version(policy, spec=spec(6))
    ids = {v["number"]: v["id"] for v in desk.get(f"/policies/{policy}/versions").json()}
    desk.go(policy, number, "shadow")
    await company.turn(4)
    page = desk.get(f"/policies/{policy}/versions/2/shadow-ticks", params={"limit": 1}).json()
    assert [row["desired"] for row in page["items"]] == [{"h100": 6, "l40s": 6}]
    assert {row["tick_id"] for row in page["items"]} <= set(company.ledger.ticks)
    older = desk.get(f"/policies/{policy}/versions/2/shadow-ticks", params={"cursor": page["next_cursor"]}).json()
    assert older["items"][0]["at_s"] < page["items"][-1]["at_s"]

    company.actuator.applied.clear()
    desk.go(policy, number, "canary", variants=["l40s"], ttl_s=3600)
    tick = await company.turn(3)
    assert tick.policy_version == ids[2]
    assert {call.variant for call in company.actuator.applied if call.replicas_to == 6} == {"l40s"}

    desk.go(policy, number, "rollback")
    tick = await company.turn(3)
    assert tick.policy_version == ids[1]
    assert desk.rows("SELECT count(*) FROM targets WHERE gone_at IS NOT NULL") == [(0,)]
