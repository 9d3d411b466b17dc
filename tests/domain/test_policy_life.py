"""The life cycle of a policy's versions, by hand and as a state machine."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from controlplane.domain.policy_life import (
    ALLOWED,
    LONGEST_CANARY_S,
    MOST_SHADOWS,
    ApprovalRefused,
    Canary,
    Guard,
    Lifecycle,
    Outcome,
    Stage,
    StageChange,
    TransitionRefused,
    check_approver,
    regrets,
)

CANARY = Canary(until_s=1000.0, variants=("h100",))


def drafted(*numbers: int) -> Lifecycle:
    return Lifecycle.of(StageChange(n, Stage.DRAFT, 0.0, "a", "new") for n in numbers)


def went(life: Lifecycle, number: int, *stages: Stage) -> Lifecycle:
    for to in stages:
        for change in life.transition(number, to, 1.0, "a", "r", CANARY if to is Stage.CANARY else None):
            life = life.after(change)
    return life


def test_a_promotion_supersedes_and_a_roll_back_restores() -> None:
    life = went(drafted(1, 2), 1, Stage.SHADOW, Stage.LIVE)
    assert (life.live, life.previous) == (1, None)
    life = went(life, 2, Stage.SHADOW, Stage.CANARY, Stage.LIVE)
    assert (life.stages, life.live, life.previous) == ({1: Stage.SUPERSEDED, 2: Stage.LIVE}, 2, 1)
    life = went(life, 2, Stage.ROLLED_BACK)
    assert (life.stages, life.live, life.previous) == ({1: Stage.LIVE, 2: Stage.ROLLED_BACK}, 1, None)


def test_the_refusal_names_what_is_allowed() -> None:
    with pytest.raises(TransitionRefused, match="is Draft, which Live does not follow; allowed from here: Shadow") as e:
        drafted(1).transition(1, Stage.LIVE, 0.0, "a", "r")
    assert e.value.allowed == (Stage.SHADOW, Stage.SUPERSEDED)
    alone = went(drafted(1), 1, Stage.SHADOW, Stage.LIVE)
    with pytest.raises(TransitionRefused, match="no version before it"):
        alone.transition(1, Stage.ROLLED_BACK, 0.0, "a", "r")
    put_away = went(alone, 1, Stage.SUPERSEDED)
    assert (put_away.live, put_away.allowed(1)) == (None, ())


def test_a_canary_needs_a_live_one_a_place_and_an_end() -> None:
    life = went(drafted(1, 2), 1, Stage.SHADOW)
    with pytest.raises(TransitionRefused, match="no Live version"):
        life.transition(1, Stage.CANARY, 0.0, "a", "r", CANARY)
    life = went(went(life, 1, Stage.LIVE), 2, Stage.SHADOW)
    for wrong in (Canary(1.0), Canary(1.0, ("h100",), ("x",)), Canary(0.0, ("h100",)), None):
        with pytest.raises(ValueError, match="canary"):
            life.transition(2, Stage.CANARY, 0.0, "a", "r", wrong)
    with pytest.raises(ValueError, match="ends within"):
        life.transition(2, Stage.CANARY, 0.0, "a", "r", Canary(LONGEST_CANARY_S + 1, ("h100",)))


def test_a_put_away_version_is_not_what_a_roll_back_returns_to() -> None:
    life = went(drafted(1, 2, 3), 1, Stage.SHADOW, Stage.LIVE, Stage.SUPERSEDED)
    life = went(life, 2, Stage.SHADOW, Stage.LIVE)
    assert life.previous is None


def test_where_a_canary_holds() -> None:
    assert CANARY.holds("anywhere", 999.0)
    assert not CANARY.holds("anywhere", 1000.0)
    assert not Canary(1000.0, namespaces=("a",)).holds("b", 0.0)


def test_four_eyes() -> None:
    check_approver("user:a", "user:b", decided=False)
    with pytest.raises(ApprovalRefused, match="second person"):
        check_approver("user:a", "user:a", decided=False)
    with pytest.raises(ApprovalRefused, match="decided"):
        check_approver("user:a", "user:b", decided=True)


@pytest.mark.parametrize(
    ("candidate", "other", "words"),
    [
        (Outcome(0.97, 10.0, 1e4), Outcome(0.99, 10.0, 1e4), "attainment 0.9700 against 0.9900"),
        (Outcome(0.99, 12.0, 1e4), Outcome(0.99, 10.0, 1e4), "cost $12.00 against $10.00: 20.0% more"),
        (Outcome(0.985, 11.0, 1e4), Outcome(0.99, 10.0, 1e4), ""),
        (Outcome(None, None, 0), Outcome(0.99, 10.0, 1e4), ""),
        (Outcome(0.5, 1.0, 1e4), Outcome(None, 0.0, 0), ""),
    ],
)
def test_regret_in_numbers(candidate: Outcome, other: Outcome, words: str) -> None:
    assert regrets(candidate, other, Guard(0.01, 0.15, 1800.0)).startswith(words) or not words
    assert bool(regrets(candidate, other, Guard(0.01, 0.15, 1800.0))) == bool(words)


class Versions(RuleBasedStateMachine):
    """Any wishes, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.history: list[StageChange] = []
        self.now_s = 0.0

    @property
    def life(self) -> Lifecycle:
        return Lifecycle.of(self.history)

    @rule()
    def draft(self) -> None:
        number = len(self.life.stages) + 1
        self.history.append(StageChange(number, Stage.DRAFT, self.now_s, "a", "new"))

    @precondition(lambda self: self.history)
    @rule(data=st.data(), to=st.sampled_from(Stage))
    def ask(self, data: st.DataObject, to: Stage) -> None:
        self.now_s += 1.0
        before = self.life
        number = data.draw(st.sampled_from(sorted(before.stages)))
        canary = Canary(self.now_s + 10.0, ("h100",)) if to is Stage.CANARY else None
        if to not in before.allowed(number):
            with pytest.raises(TransitionRefused) as refused:
                before.transition(number, to, self.now_s, "a", "r", canary)
            assert refused.value.allowed == before.allowed(number)
            return
        made = before.transition(number, to, self.now_s, "a", "r", canary)
        assert to in ALLOWED[before.stages[number]]
        live = before.live
        self.history += made
        assert self.life.stages[number] is to
        if to is Stage.LIVE and live is not None:
            assert self.life.stages[live] is Stage.SUPERSEDED
            assert self.life.previous == live
        if to is Stage.ROLLED_BACK and live == number:
            assert self.life.live == before.previous

    @invariant()
    def one_live_and_one_canary(self) -> None:
        lives = self.life.of_stage(Stage.LIVE)
        assert len(lives) <= 1
        assert len(self.life.of_stage(Stage.CANARY)) <= 1
        assert len(self.life.of_stage(Stage.SHADOW)) <= MOST_SHADOWS + 1
        assert not self.life.of_stage(Stage.CANARY) or lives
        assert not lives or self.life.lives[-1] == lives[0]

    @invariant()
    def never_two_live_on_the_way(self) -> None:
        life = Lifecycle()
        for change in self.history:
            life = life.after(change)
            assert len(life.of_stage(Stage.LIVE)) <= 1


Versions.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestVersions = Versions.TestCase
