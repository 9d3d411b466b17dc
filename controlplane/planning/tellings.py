"""What of a decision people may want to be told: somebody else scales, nothing can be had, pages are at fault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from controlplane.domain.decision import OutageKind, Tick
from controlplane.domain.ports import NotificationEvent
from controlplane.planning.conditions import clock_words


@dataclass(frozen=True, slots=True)
class Telling:
    """One thing to tell. `subject` is what it is about: the same one is not told again at once."""

    event: NotificationEvent
    subject: str
    namespace: str | None
    message: str


def tellings(tick: Tick) -> tuple[Telling, ...]:
    """What holds at a tick and is worth a message."""
    return (*_conflicts(tick), *_stock_outs(tick), *_faults(tick))


def _telling(tick: Tick, event: NotificationEvent, about: str, message: str) -> Telling:
    target = tick.inputs.target
    subject = f"{target.key}/{about}" if about else target.key
    return Telling(event, subject, target.namespace, f"{target.key}: {message} ({clock_words(tick.at_s)})")


def _conflicts(tick: Tick) -> Iterator[Telling]:
    if tick.inputs.target.policy.takeover:
        return  # that is meant to be so
    for rival in tick.inputs.surroundings.conflicts:
        words = f"{rival.kind} {rival.name} scales {rival.variant} too"
        yield _telling(
            tick, NotificationEvent.CONFLICT, rival.variant, words + (f": {rival.detail}" if rival.detail else "")
        )


def _stock_outs(tick: Tick) -> Iterator[Telling]:
    known = {n for n, o in tick.inputs.memory.outages.items() if o.kind is OutageKind.STOCK_OUT}
    deadline_s = tick.inputs.target.policy.pending_deadline_s
    for seen in tick.inputs.observation.variants:
        late = seen.oldest_pending_s is not None and seen.oldest_pending_s > deadline_s
        if seen.variant in known or (seen.pending and late):
            words = f"no more replicas of {seen.variant} can be had, {seen.pending} are waiting"
            yield _telling(tick, NotificationEvent.STOCK_OUT, seen.variant, words)


def _faults(tick: Tick) -> Iterator[Telling]:
    observation = tick.inputs.observation
    if not observation.faults:
        return
    kinds = sorted({f"{f.kind}{f' of {f.metric}' if f.metric else ''}" for f in observation.faults})
    replicas = len({f.replica for f in observation.faults})
    words = f"metrics of {replicas} replicas are at fault: {', '.join(kinds)}"
    yield _telling(tick, NotificationEvent.METRIC_FAULT, "", words)
