"""The life of a policy's versions: which stage follows which, on whose word, and what else changes with it.

`Draft -> Shadow -> Canary -> Live -> RolledBack | Superseded`. At most one version of a policy is Live and at most one
is a Canary. Nothing decides for real that was not seen deciding in Shadow first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

LONGEST_CANARY_S = 14 * 86_400.0
"""Two weeks: a trial that is longer is a promotion that nobody dared to name so."""
MOST_SHADOWS = 3
"""Versions of one policy in Shadow at once: each costs the controller one more plan a tick."""


class Stage(StrEnum):
    """Where a version is. Draft: written. Shadow: decides beside, touches nothing. Canary: decides for some variants or
    namespaces, for a time. Live: decides. RolledBack: was taken back. Superseded: another took its place, or it was put
    away."""

    DRAFT = "Draft"
    SHADOW = "Shadow"
    CANARY = "Canary"
    LIVE = "Live"
    ROLLED_BACK = "RolledBack"
    SUPERSEDED = "Superseded"


ALLOWED: Mapping[Stage, tuple[Stage, ...]] = {
    Stage.DRAFT: (Stage.SHADOW, Stage.SUPERSEDED),
    Stage.SHADOW: (Stage.CANARY, Stage.LIVE, Stage.SUPERSEDED),
    Stage.CANARY: (Stage.SHADOW, Stage.LIVE, Stage.ROLLED_BACK),
    Stage.LIVE: (Stage.ROLLED_BACK, Stage.SUPERSEDED),
    Stage.ROLLED_BACK: (),
    Stage.SUPERSEDED: (),
}
"""What may be asked for. That a Superseded version is Live again follows from rolling back the one after it."""
DECIDING = (Stage.CANARY, Stage.LIVE)
"""The stages in which a version moves replicas: these alone need a second person, where one is asked for."""


class TransitionRefused(ValueError):
    """A stage that a version cannot have now. `allowed` are those that it can."""

    def __init__(self, number: int, why: str, allowed: Iterable[Stage]) -> None:
        self.allowed = tuple(allowed)
        words = ", ".join(self.allowed) or "none; make a new version from it"
        super().__init__(f"version {number}: {why}; allowed from here: {words}")


class ApprovalRefused(ValueError):
    """An approval by somebody who may not give it, or of what is decided already."""


@dataclass(frozen=True, slots=True)
class Guard:
    """When a version is taken back by itself: it did worse than the one before by more than these, over `over_s`.

    `attainment` is a difference of shares, `cost` a share of the other's dollars.
    """

    attainment: float = 0.01
    cost: float = 0.15
    over_s: float = 1800.0


@dataclass(frozen=True, slots=True)
class Canary:
    """Where a version decides for a time. Exactly one of `variants` and `namespaces` is not empty. Unix seconds."""

    until_s: float
    variants: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()

    def holds(self, namespace: str, now_s: float) -> bool:
        """Whether it decides something in that namespace now."""
        return now_s < self.until_s and (not self.namespaces or namespace in self.namespaces)


@dataclass(frozen=True, slots=True)
class StageChange:
    """One row of the history: version `number` is in `stage` from `at_s` on.

    `by` of Superseded: the version that took its place; None: it was put away.
    """

    number: int
    stage: Stage
    at_s: float
    actor: str
    reason: str
    canary: Canary | None = None
    guard: Guard | None = None
    by: int | None = None


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """Where every version of one policy is. `lives` are those that were Live one after another and can be so again;
    the last one is Live now, if any is."""

    stages: Mapping[int, Stage] = field(default_factory=dict)
    lives: tuple[int, ...] = ()

    @classmethod
    def of(cls, history: Iterable[StageChange]) -> Lifecycle:
        """What a history, oldest first, comes to."""
        life = cls()
        for change in history:
            life = life.after(change)
        return life

    def after(self, change: StageChange) -> Lifecycle:
        """With one more change."""
        number, lives = change.number, self.lives
        if change.stage is Stage.LIVE:
            lives = (*(n for n in lives if n != number), number) if number not in lives else lives
        elif change.stage is Stage.ROLLED_BACK or (change.stage is Stage.SUPERSEDED and change.by is None):
            lives = tuple(n for n in lives if n != number)
        return replace(self, stages={**self.stages, number: change.stage}, lives=lives)

    def of_stage(self, stage: Stage) -> tuple[int, ...]:
        """The versions that are in that stage, ascending."""
        return tuple(sorted(n for n, s in self.stages.items() if s is stage))

    @property
    def live(self) -> int | None:
        """The version that is Live; None where none is."""
        return next(iter(self.of_stage(Stage.LIVE)), None)

    @property
    def previous(self) -> int | None:
        """The version that is Live again when the one that is now is rolled back; None where there is none."""
        live = self.live
        before = [n for n in self.lives if n != live]
        return before[-1] if live is not None and before else None

    def allowed(self, number: int) -> tuple[Stage, ...]:
        """The stages that may be asked for a version now.

        Raises:
            KeyError: if the policy has no such version.
        """
        return tuple(to for to in ALLOWED[self.stages[number]] if not self._obstacle(number, to))

    def transition(
        self,
        number: int,
        to: Stage,
        now_s: float,
        actor: str,
        reason: str,
        canary: Canary | None = None,
        guard: Guard | None = None,
    ) -> tuple[StageChange, ...]:
        """The changes that follow when a version is to go on to a stage, in order: a promotion supersedes the one that
        was Live, a roll-back makes the one before Live again.

        Raises:
            KeyError: if the policy has no such version.
            TransitionRefused: with what is allowed instead.
            ValueError: if a canary does not say where and until when.
        """
        now = self.stages[number]
        if to not in ALLOWED[now]:
            raise TransitionRefused(number, f"it is {now}, which {to} does not follow", self.allowed(number))
        if obstacle := self._obstacle(number, to):
            raise TransitionRefused(number, obstacle, self.allowed(number))
        if (to is Stage.CANARY) != (canary is not None):
            raise ValueError("a canary, and nothing else, says where it decides and until when")
        if canary is not None:
            check_canary(canary, now_s)
        change = StageChange(number, to, now_s, actor, reason, canary, guard if to in DECIDING else None)
        return (*self._before(change), change, *self._behind(change))

    def _obstacle(self, number: int, to: Stage) -> str:
        """Why a stage that could follow cannot now; empty where it can."""
        if to is Stage.CANARY and self.live is None:
            return "there is no Live version beside which a canary could run"
        if to is Stage.CANARY and self.of_stage(Stage.CANARY):
            return f"version {self.of_stage(Stage.CANARY)[0]} is the policy's Canary already"
        if to is Stage.SHADOW and self.stages[number] is Stage.DRAFT and self._shadows_are_full():
            return f"{MOST_SHADOWS} versions are in Shadow already"
        if to is Stage.ROLLED_BACK and self.stages[number] is Stage.LIVE and self.previous is None:
            return "there is no version before it; archive it to let go of the target"
        if to is Stage.SUPERSEDED and self.stages[number] is Stage.LIVE and self.of_stage(Stage.CANARY):
            return "a Canary runs beside it"
        if to is Stage.ROLLED_BACK and self.stages[number] is Stage.LIVE and self.of_stage(Stage.CANARY):
            return "a Canary runs beside it; roll that back first"
        return ""

    def _shadows_are_full(self) -> bool:
        return len(self.of_stage(Stage.SHADOW)) >= MOST_SHADOWS

    def _before(self, change: StageChange) -> tuple[StageChange, ...]:
        """Who has to make room first, so that two are never Live at once."""
        live = self.live
        if change.stage is not Stage.LIVE or live is None:
            return ()
        words = f"version {change.number} took its place"
        made = [StageChange(live, Stage.SUPERSEDED, change.at_s, change.actor, words, by=change.number)]
        for other in self.of_stage(Stage.CANARY):
            if other != change.number:
                made.append(StageChange(other, Stage.SHADOW, change.at_s, change.actor, words))
        return tuple(made)

    def _behind(self, change: StageChange) -> tuple[StageChange, ...]:
        """Who takes the place that became free."""
        if change.stage is not Stage.ROLLED_BACK or self.stages[change.number] is not Stage.LIVE:
            return ()
        assert self.previous is not None
        words = f"version {change.number} was rolled back"
        return (StageChange(self.previous, Stage.LIVE, change.at_s, change.actor, words),)


def check_canary(canary: Canary, now_s: float) -> None:
    """Raises:
    ValueError: if it does not say where, or does not end within `LONGEST_CANARY_S`.
    """
    if bool(canary.variants) == bool(canary.namespaces):
        raise ValueError("a canary is of variants or of namespaces: exactly one of the two")
    if not now_s < canary.until_s <= now_s + LONGEST_CANARY_S:
        raise ValueError(f"a canary ends within {LONGEST_CANARY_S:.0f} s from now, and not before")


def check_approver(requested_by: str, approver: str, decided: bool) -> None:
    """Whether somebody may approve or reject what another asked for.

    Raises:
        ApprovalRefused: if they asked for it themselves, or if it is decided.
    """
    if decided:
        raise ApprovalRefused("it was decided already")
    if requested_by == approver:
        raise ApprovalRefused("who asks may not approve: a second person has to look at it")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a version, or the one before it, came to over a time. `attainment` None: nothing finished."""

    attainment: float | None
    usd: float | None
    requests: float


def regrets(candidate: Outcome, other: Outcome, guard: Guard) -> str:
    """Why the candidate is to be taken back, in numbers; empty where it is not. What is not known is no reason."""
    if candidate.attainment is not None and other.attainment is not None:
        lost = other.attainment - candidate.attainment
        if lost > guard.attainment:
            return (
                f"attainment {candidate.attainment:.4f} against {other.attainment:.4f}: {lost:.4f} less, "
                f"allowed {guard.attainment:.4f}, over {guard.over_s:.0f} s"
            )
    if candidate.usd is not None and other.usd:
        more = candidate.usd / other.usd - 1.0
        if more > guard.cost:
            return (
                f"cost ${candidate.usd:.2f} against ${other.usd:.2f}: {more:.1%} more, allowed {guard.cost:.1%}, "
                f"over {guard.over_s:.0f} s"
            )
    return ""
