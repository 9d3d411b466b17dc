"""The life cycle as a state machine on the real store: what is kept is what the domain says."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from controlplane.domain.access import SYSTEM
from controlplane.domain.policy_life import Canary, Lifecycle, Stage, StageChange, TransitionRefused
from controlplane.store.engine import make_engine
from controlplane.store.policies import NameTaken, Policies, StoredPolicy
from controlplane.store.unit import Request, VersionMismatch, Writer

NOW_S = 1_767_600_000.0


def test_any_life_is_kept_as_it_was_lived(database_url: str) -> None:
    engine = make_engine(database_url)
    writer, store = Writer(engine), Policies(engine)

    class Kept(RuleBasedStateMachine):
        now_s = NOW_S
        names = 0

        def _request(self) -> Request:
            self.now_s += 1.0
            return Request(SYSTEM, "", "r", self.now_s)

        @initialize()
        def create(self) -> None:
            Kept.names += 1
            with writer.unit(self._request()) as unit:
                self.policy = Policies.create(unit, f"chat-{Kept.names}", ["default"], {"n": 1}, "first")
            self.history: list[StageChange] = list(self.policy.history)

        @rule(behind=st.integers(0, 1))
        def add(self, behind: int) -> None:
            request = self._request()
            version = self.policy.version - behind
            if behind:
                with pytest.raises(VersionMismatch), writer.unit(request) as unit:
                    Policies.lock(unit, self.policy.id, version)
                return
            with writer.unit(request) as unit:
                before = Policies.lock(unit, self.policy.id, version)
                number = before.newest.number
                self.policy = Policies.add_version(unit, before, {"n": number + 1}, "more", number)
            self.history.append(StageChange(number + 1, Stage.DRAFT, request.now_s, SYSTEM.id, "more"))

        @precondition(lambda self: self.policy.versions)
        @rule(data=st.data(), to=st.sampled_from(Stage))
        def go(self, data: st.DataObject, to: Stage) -> None:
            number = data.draw(st.sampled_from(sorted(self.policy.versions)))
            request = self._request()
            canary = Canary(self.now_s + 9.0, ("h100",)) if to is Stage.CANARY else None
            life = Lifecycle.of(self.history)
            if to not in life.allowed(number):
                with writer.unit(request) as unit:
                    before = Policies.lock(unit, self.policy.id, self.policy.version)
                    with pytest.raises(TransitionRefused):
                        before.life.transition(number, to, self.now_s, "a", "r", canary)
                self.policy = before
                return
            with writer.unit(request) as unit:
                before = Policies.lock(unit, self.policy.id, self.policy.version)
                made = before.life.transition(number, to, self.now_s, "a", "r", canary)
                self.policy = Policies.change(unit, before, made)
            self.history += made

        @invariant()
        def kept(self) -> None:
            found = store.get(self.policy.id)
            assert found == self.policy
            assert isinstance(found, StoredPolicy)
            assert list(found.history) == self.history
            assert found.life == Lifecycle.of(self.history)
            assert [v.spec for v in found.versions.values()] == [{"n": n} for n in found.versions]

    run_state_machine_as_test(
        Kept,
        settings=settings(
            max_examples=6, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    engine.dispose()


def test_one_target_has_one_policy(database_url: str) -> None:
    engine = make_engine(database_url)
    writer = Writer(engine)
    with writer.unit(Request(SYSTEM, "", "r", NOW_S)) as unit:
        Policies.create(unit, "chat", ["a", "b"], {}, "first")
    with pytest.raises(NameTaken, match="b/chat"), writer.unit(Request(SYSTEM, "", "r", NOW_S)) as unit:
        Policies.create(unit, "chat", ["b", "c"], {}, "second")
    with writer.unit(Request(SYSTEM, "", "r", NOW_S)) as unit:
        Policies.create(unit, "chat", ["c"], {}, "second")
    engine.dispose()
