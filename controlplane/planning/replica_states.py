"""Replicas as a third party tells of them -> `Replica`: states by several names, times that it may not know."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from controlplane.domain.observation import Replica, ReplicaPhase


class StepperError(ValueError):
    """What was given to the stepper cannot be used; the message names the field, the value and what is allowed."""


STATES = {
    ReplicaPhase.READY: ("Ready", "Running", "Serving"),
    ReplicaPhase.PENDING: (
        "Pending",
        "Starting",
        "Loading",
        "Provisioning",
        "Initializing",
        "ContainerCreating",
        "PodInitializing",
        "Creating",
        "Scheduling",
        "Scheduled",
        "Queued",
        "Booting",
        "Warming",
        "WarmingUp",
        "NotReady",
        "Unknown",
        "Unschedulable",
    ),
    ReplicaPhase.TERMINATING: (
        "Terminating",
        "Draining",
        "Stopping",
        "Deleting",
        "Reclaiming",
        "Terminated",
        "Stopped",
        "Evicted",
        "Completed",
        "Succeeded",
    ),
    ReplicaPhase.FAILED: (
        "Failed",
        "CrashLoopBackOff",
        "Crashed",
        "Error",
        "OOMKilled",
        "ImagePullBackOff",
        "ErrImagePull",
        "Unhealthy",
    ),
}
"""Names of states by what they mean, in any case and with `-`, `_` or blanks between words. Running means that it takes
requests; Kubernetes' own phase of that name does not say so, and its Ready condition does. Who is gone, and still
named, counts as going; who has a node that does not answer (Unknown), as not there yet."""


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter not in "-_ ")


_PHASES = {_plain(name): phase for phase, names in STATES.items() for name in names}
_NAMES = {_plain(name): name for names in STATES.values() for name in names}
"""States as they are written here: by these words it is known who has a node."""
CLOCK_SLACK_S = 1.0
"""Times may be so far ahead of `now_s`: rounding, not another clock."""


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """One replica at a step. Times are on the clock of `now_s`; None: not known, then they are taken from the steps at
    which it was first seen, and first seen Ready.

    `state` is one of `STATES`' names. `ready_at_s` counts only where it is Ready.
    """

    name: str
    variant: str
    state: str
    created_at_s: float | None = None
    ready_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Life:
    variant: str
    given_s: float | None
    """created_at_s as it was given."""
    created_at_s: float
    ready_at_s: float | None = None
    last_ready_at_s: float | None = None
    """When it was last seen Ready."""


class ReplicaBook:
    """Remembers when replicas were first seen, for those who do not say when they were created and became Ready, and
    when they were last seen Ready."""

    def __init__(self) -> None:
        self._lives: dict[str, _Life] = {}
        self._before_s: float | None = None

    def replicas(self, states: Sequence[ReplicaState], variants: Collection[str], now_s: float) -> list[Replica]:
        """The replicas at `now_s`; those that are no longer named are forgotten.

        Raises:
            StepperError: at a name that comes twice, a variant or a state that is not known, or a time that cannot be.
        """
        lives: dict[str, _Life] = {}
        seen = []
        for state in states:
            if state.name in lives:
                raise StepperError(f"replicas name {state.name!r} twice; allowed: each name once")
            if state.variant not in variants:
                raise StepperError(_words(state, "variant", state.variant, ", ".join(variants)))
            phase = phase_of(state)
            _check_times(state, phase, now_s)
            life = lives[state.name] = self._life(state, phase, now_s)
            seen.append(_replica(state, phase, life))
        self._lives, self._before_s = lives, now_s
        return seen

    def _life(self, state: ReplicaState, phase: ReplicaPhase, now_s: float) -> _Life:
        life = self._lives.get(state.name)
        if life is None or life.variant != state.variant or life.given_s != state.created_at_s:
            created_s = self._created_at(state, phase, now_s)
            life = _Life(state.variant, state.created_at_s, created_s)
        if phase is ReplicaPhase.READY:
            return replace(life, ready_at_s=self._ready_at(state, life, now_s), last_ready_at_s=now_s)
        return life

    def _created_at(self, state: ReplicaState, phase: ReplicaPhase, now_s: float) -> float:
        if state.created_at_s is not None:
            return min(state.created_at_s, now_s)
        if phase is ReplicaPhase.PENDING and self._before_s is not None:
            return self._before_s  # it was made for the last answer
        return now_s

    def _ready_at(self, state: ReplicaState, life: _Life, now_s: float) -> float:
        if state.ready_at_s is not None:
            return min(state.ready_at_s, now_s)
        if life.ready_at_s is not None:
            return life.ready_at_s
        # Found Ready at the first step: since when nobody knows, and there is no cold start to measure.
        return life.created_at_s if self._before_s is None else now_s


def _replica(state: ReplicaState, phase: ReplicaPhase, life: _Life) -> Replica:
    if phase is ReplicaPhase.READY:
        return Replica(state.name, state.variant, phase, life.created_at_s, life.ready_at_s)
    reason, last_s = _NAMES[_plain(state.state)], life.last_ready_at_s
    return Replica(state.name, state.variant, phase, life.created_at_s, reason=reason, last_ready_at_s=last_s)


def phase_of(state: ReplicaState) -> ReplicaPhase:
    """What the state's name means.

    Raises:
        StepperError: naming the states that are known.
    """
    phase = _PHASES.get(_plain(str(state.state)))
    if phase is None:
        allowed = ", ".join(name for names in STATES.values() for name in names)
        raise StepperError(_words(state, "state", state.state, allowed))
    return phase


def _check_times(state: ReplicaState, phase: ReplicaPhase, now_s: float) -> None:
    ready_s = state.ready_at_s if phase is ReplicaPhase.READY else None
    for field, value in (("created_at_s", state.created_at_s), ("ready_at_s", ready_s)):
        if value is not None and not value <= now_s + CLOCK_SLACK_S:
            raise StepperError(_words(state, field, value, f"at most now_s, which is {now_s}"))
    if state.created_at_s is not None and ready_s is not None and ready_s < state.created_at_s:
        raise StepperError(
            _words(state, "ready_at_s", ready_s, f"at least created_at_s, which is {state.created_at_s}")
        )


def _words(state: ReplicaState, field: str, value: object, allowed: str) -> str:
    return f"replica {state.name!r}: {field} is {value!r}; allowed: {allowed}"
