"""Rounds over the policies: comparisons on recorded load, canaries that end, versions that are taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest

from controlplane.domain.access import SYSTEM
from controlplane.domain.policy_life import Canary, Guard, Stage
from controlplane.domain.policy_spec import targets
from controlplane.domain.target import Target
from controlplane.store.ledger import PostgresLedger
from controlplane.store.policies import Policies, StoredPolicy
from controlplane.store.regrets import Regrets
from controlplane.store.unit import Request, Writer
from controlplane.workers.governance import Caretaker
from tests.api.policies import SPEC, Desk
from tests.ledger_builders import NOW_S, make_load, make_target, make_tick

GUARD = Guard(attainment=0.02, cost=0.15, over_s=900.0)
KEY = "default/chat"


def spec(least: int = 1) -> dict[str, object]:
    """A version that keeps at least so many of each variant: with many it is dear."""
    return {**SPEC, "variants": [{**v, "minReplicas": least} for v in SPEC["variants"]]}


class Room:
    """The database, a clock, and what people were told."""

    def __init__(self, url: str, ledger: PostgresLedger) -> None:
        self.writer = Writer(ledger.engine)
        self.store = Policies(ledger.engine)
        self.regrets = Regrets(ledger.engine)
        self.ledger, self.url = ledger, url
        self.now_s = NOW_S
        self.told: list[tuple[str, str, str]] = []
        self.policy = self._create()
        self._ticks = 0

    def _create(self) -> StoredPolicy:
        with self.writer.unit(self._request()) as unit:
            return Policies.create(unit, "chat", ["default"], spec(), "first")

    def _request(self) -> Request:
        return Request(SYSTEM, "", "r", self.now_s)

    def add(self, least: int) -> int:
        with self.writer.unit(self._request()) as unit:
            before = Policies.lock(unit, self.policy.id, self.read().version)
            return Policies.add_version(unit, before, spec(least), "more", 1).newest.number

    def go(self, number: int, *stages: Stage, canary: Canary | None = None) -> None:
        for to in stages:
            with self.writer.unit(self._request()) as unit:
                before = Policies.lock(unit, self.policy.id, self.read().version)
                scope = canary if to is Stage.CANARY else None
                made = before.life.transition(number, to, self.now_s, "ann", "r", scope, GUARD)
                Policies.change(unit, before, made)

    def read(self) -> StoredPolicy:
        found = self.store.get(self.policy.id)
        assert found is not None
        return found

    def stages(self) -> dict[int, str]:
        return {number: stage.value for number, stage in self.read().life.stages.items()}

    def target(self, number: int) -> Target:
        version = self.read().versions[number]
        return targets("chat", ["default"], version.spec, str(version.id))[0]

    def record(self, number: int | None, seconds: float, ready: int = 1, attainment: float = 0.995) -> None:
        """Let a version (None: a custom resource) decide for that long, on a load that one replica carries."""
        target = make_target() if number is None else self.target(number)
        made = []
        for _ in range(int(seconds / 15.0)):
            self.now_s += 15.0
            self._ticks += 1
            tick = make_tick(
                f"t{self._ticks}", self.now_s, target, load=make_load(2.0), attainment=attainment, ready=ready
            )
            made.append(replace(tick, policy_version=target.policy_version))
        self.ledger.append(made)

    def round(self) -> Sequence[object]:
        keeper = Caretaker(self.writer, self.now_s, lambda *words: self.told.append(words))
        asks = keeper.round()
        for ask in asks:
            keeper.compare(ask)
        return asks


@pytest.fixture
def room(database_url: str, recording: PostgresLedger) -> Room:
    return Room(database_url, recording)


def test_a_shadows_regret_is_two_simulations_beside_the_record(room: Room) -> None:
    room.go(1, Stage.SHADOW, Stage.LIVE)
    number = room.add(least=4)
    room.go(number, Stage.SHADOW)
    room.record(1, 900.0)
    assert len(room.round()) == 1
    assert room.round() == []
    desk = Desk(room.url, "vic", *Desk.everywhere())
    (found,) = desk.get(f"/policies/{room.policy.id}/versions/{number}/regret").json()
    assert (found["target"], found["against"], found["error"]) == (KEY, 1, None)
    regret = found["regret"]
    assert regret["decided"] is False
    assert float(regret["candidate"]["cost_usd"]) > float(regret["other"]["cost_usd"])
    assert float(regret["usd"]) > 0.5
    assert regret["recorded"]["requests"] == pytest.approx(1800, rel=0.05)
    assert regret["error"]["cost"] is not None
    assert room.stages() == {1: "Live", 2: "Shadow"}


def test_a_dear_version_is_taken_back_with_numbers(room: Room) -> None:
    room.go(1, Stage.SHADOW, Stage.LIVE)
    room.record(1, 900.0)
    number = room.add(least=4)
    room.go(number, Stage.SHADOW, Stage.LIVE)
    room.record(number, 600.0, ready=4)
    assert room.round() == []
    room.record(number, 315.0, ready=4)
    assert len(room.round()) == 1
    room.round()
    assert room.stages() == {1: "Live", 2: "RolledBack"}
    (change,) = [c for c in room.read().history if c.stage is Stage.ROLLED_BACK]
    assert change.actor == SYSTEM.id
    assert "more, allowed 15.0%, over 900 s" in change.reason
    (told,) = room.told
    assert told[:2] == (f"policies/{room.policy.id}", "default")
    assert "version 2 of chat was rolled back" in told[2]
    desk = Desk(room.url, "root", *Desk.everywhere())
    assert desk.rows("SELECT actor, action FROM audit") == [("system", "policy.rolledback")]


def test_a_version_that_is_as_good_stays(room: Room) -> None:
    room.go(1, Stage.SHADOW, Stage.LIVE)
    room.record(1, 900.0)
    number = room.add(least=1)
    room.go(number, Stage.SHADOW, Stage.LIVE)
    room.record(number, 915.0)
    room.round()
    room.round()
    assert room.stages() == {1: "Superseded", 2: "Live"}


def test_a_real_drop_that_the_other_would_have_avoided_is_a_reason(room: Room) -> None:
    room.go(1, Stage.SHADOW, Stage.LIVE)
    room.record(1, 900.0)
    number = room.add(least=1)
    room.go(number, Stage.SHADOW, Stage.LIVE)
    room.record(number, 915.0, attainment=0.7)
    room.round()
    room.round()
    assert room.stages() == {1: "Live", 2: "RolledBack"}
    assert "recorded, against the time before: attainment 0.7000 against 0.9950" in room.told[0][2]


def test_a_canary_ends_by_itself(room: Room) -> None:
    room.go(1, Stage.SHADOW, Stage.LIVE)
    number = room.add(least=1)
    canary = Canary(room.now_s + 300.0, namespaces=("default",))
    room.go(number, Stage.SHADOW, Stage.CANARY, canary=canary)
    room.round()
    assert room.stages()[2] == "Canary"
    room.now_s += 300.0
    room.round()
    room.round()
    assert room.stages() == {1: "Live", 2: "Shadow"}


def test_a_custom_resource_supersedes_a_live_version(room: Room) -> None:
    room.go(1, Stage.SHADOW, Stage.LIVE)
    room.ledger.save_targets([room.target(1)], room.now_s)
    room.round()
    assert room.stages() == {1: "Live"}
    room.ledger.save_targets([make_target()], room.now_s)
    room.round()
    assert room.stages() == {1: "Superseded"}
    assert "a custom resource names default/chat" in room.read().history[-1].reason


def test_what_cannot_be_compared_says_why(room: Room) -> None:
    room.go(1, Stage.SHADOW)
    room.record(1, 600.0)
    room.round()
    (kept,) = room.regrets.newest([room.read().versions[1].id])
    assert "nothing to compare it with" in kept.body["why_not"]
    assert isinstance(kept.version_id, UUID)
