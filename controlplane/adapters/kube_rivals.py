"""Who else sets a variant's replica count: a tracker of changes that were not ours.

Conflicts with autoscalers that point at the object are `kube_autoscalers`'; here are the writers that show only in what
they did.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from controlplane.adapters.kube_json import Json, at
from controlplane.adapters.kube_managers import (
    TRACKED_KINDS,
    ManagerKind,
    Owner,
    gitops_name,
    manifest_has_replicas,
    owners_of,
    remedy,
)
from controlplane.adapters.kube_workloads import template_of
from controlplane.domain.observation import Conflict, ConflictKind, ManualScale

MEMORY_S = 1800.0
"""Overwrites are remembered for half an hour: Argo CD and Flux come by every three to ten minutes, so a tool that
reverts does so several times in it."""
OVERWRITES = 2
"""One overwrite may be a deployment that carried a count along; the second is a habit."""
ECHO_S = 60.0
"""A count that we wrote less than this ago may still arrive from a watch that lags."""
MOST_OVERWRITES = 64
"""More say nothing new."""
CLOCK_SLACK_S = 5.0
"""How far the API server's clock may be ahead of ours."""
UNKNOWN = "unknown"
"""The manager where the API server does not say who wrote, as for `/scale` of custom resources."""


@dataclass(frozen=True, slots=True)
class Overwrite:
    """A write over our count."""

    at_s: float
    owner: Owner
    replicas: int
    over: int
    """The count of ours that it replaced."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is remembered of one variant. Its size is bounded by what happens in MEMORY_S."""

    at_s: float
    replicas: int
    template: str
    owners: tuple[Owner, ...]
    is_noted: bool
    """Whether the object came with its managedFields."""
    ours: tuple[tuple[float, int], ...] = ()
    """Counts that we applied and when that was first told, the newest last; older ones than ECHO_S are dropped, but for
    the newest."""
    overwrites: tuple[Overwrite, ...] = ()
    manual: ManualScale | None = None


class Rivals:
    """Tracks each variant's replica count over time. One object per controller; what it was told is kept until
    `keep` drops it."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._recalled: dict[tuple[str, str], ManualScale] = {}

    def recall(self, key: str, manual: Iterable[ManualScale]) -> None:
        """What the controller before us knew of people, from the newest record of its surroundings: at the first sight
        it holds on where the count is still theirs."""
        self._recalled.update({(key, one.variant): one for one in manual})

    def see(
        self,
        now_s: float,
        key: str,
        variant: str,
        kind: str,
        workload: Json,
        spec_replicas: int,
        our_last: int | None,
    ) -> tuple[tuple[Conflict, ...], ManualScale | None]:
        """What the newest state of a variant's object says about other writers.

        `workload` is the object itself, with its managedFields; `our_last` is the count that we applied last, None
        where we never did. The first sight is nobody's fault: whatever is there is accepted. A change that comes with
        another template is the rollout's. A person's change is given back for as long as it stands and we have not
        written since.
        """
        before = self._seen.get((key, variant))
        is_noted = at(workload, "metadata", "managedFields") is not None
        now = _Seen(now_s, spec_replicas, template_of(workload), owners_of(workload), is_noted)
        if before is None:
            known = self._recalled.pop((key, variant), None)
            stands = known is not None and known.replicas == spec_replicas and spec_replicas != our_last
            ours = () if our_last is None else ((now_s, our_last),)
            now = replace(now, ours=ours, manual=known if stands else None)
        else:
            now = _followed(before, now, kind, variant, our_last)
        self._seen[(key, variant)] = now
        return _conflicts(now, variant, workload), now.manual

    def keep(self, known: Collection[tuple[str, str]]) -> None:
        """Forget all but these variants, each `(target's key, variant's name)`."""
        self._seen = {name: seen for name, seen in self._seen.items() if name in known}


def _followed(before: _Seen, now: _Seen, kind: str, variant: str, our_last: int | None) -> _Seen:
    """`now` with what is remembered, after what changed since `before`."""
    ours = _applied(before.ours, now.at_s, our_last)
    wrote = bool(ours) and ours[-1:] != before.ours[-1:]
    stands = before.manual is not None and before.manual.replicas == now.replicas and not wrote
    now = replace(now, ours=ours, overwrites=_recent(before, now), manual=before.manual if stands else None)
    if now.template != before.template:
        return now
    writer = _writer(before, now, kind in TRACKED_KINDS)
    if writer is None:
        return now
    if writer.kind is ManagerKind.PERSON or (writer.manager == UNKNOWN and not _is_habit(now, writer)):
        now = replace(now, manual=ManualScale(variant, now.replicas, writer.manager, _when(before, now, writer)))
    is_undone = wrote or before.replicas == our_last or now.replicas == before.replicas
    if our_last is None or not is_undone or writer.kind is ManagerKind.PERSON:
        return now
    overwrite = Overwrite(now.at_s, writer, now.replicas, our_last)
    return replace(now, overwrites=(*now.overwrites, overwrite)[-MOST_OVERWRITES:])


def _applied(ours: tuple[tuple[float, int], ...], now_s: float, our_last: int | None) -> tuple[tuple[float, int], ...]:
    if our_last is None:
        return ours
    if not ours or ours[-1][1] != our_last:
        ours = (*ours, (now_s, our_last))
    return tuple(one for one in ours[:-1] if now_s - one[0] <= ECHO_S) + ours[-1:]


def _recent(before: _Seen, now: _Seen) -> tuple[Overwrite, ...]:
    """Overwrites of the last MEMORY_S, and older ones of a manager that still has the count in its manifest."""
    applying = {owner.manager for owner in now.owners if owner.is_applied}
    return tuple(o for o in before.overwrites if now.at_s - o.at_s <= MEMORY_S or o.owner.manager in applying)


def _writer(before: _Seen, now: _Seen, is_tracked: bool) -> Owner | None:
    """Who set the count since `before`; None where nobody did, or where it was us.

    A tool that is quicker than a tick puts the count back to what it was before our write: then the count is the same
    as before, and only the entry's time shows that it was written.
    """
    if now.ours and now.replicas == now.ours[-1][1]:
        return None
    fresh = [owner for owner in now.owners if owner not in before.owners and owner.kind is not ManagerKind.OURS]
    if now.replicas == before.replicas:
        was_reset = bool(now.ours) and now.manual is None and not set(now.owners) & set(before.owners)
        return fresh[0] if fresh and was_reset else None
    if now.is_noted and not now.owners and (is_tracked or before.owners):
        # The API server filled it in: 1, once a manifest that is applied stopped naming it.
        return None
    if is_tracked and now.is_noted:
        # An owner of ours means that the value is ours: a lagging watch, or another controller of ours before us.
        return None if any(owner.kind is ManagerKind.OURS for owner in now.owners) else now.owners[0]
    if fresh:
        return fresh[0]
    is_echo = any(count == now.replicas for _, count in now.ours)
    return None if is_echo else Owner(UNKNOWN)


def _is_habit(now: _Seen, writer: Owner) -> bool:
    return any(o.owner.manager == writer.manager for o in now.overwrites)


def _when(before: _Seen, now: _Seen, writer: Owner) -> float:
    """The entry's own time where it lies between the two sights; `/scale` leaves none, or an old one."""
    said = writer.at_s
    return said if said is not None and before.at_s - CLOCK_SLACK_S <= said <= now.at_s + CLOCK_SLACK_S else now.at_s


def _conflicts(now: _Seen, variant: str, workload: Json) -> tuple[Conflict, ...]:
    """One conflict per manager that wrote over us, told by what it did last."""
    found = []
    for manager in dict.fromkeys(o.owner.manager for o in now.overwrites):
        theirs = [o for o in now.overwrites if o.owner.manager == manager]
        if conflict := _KINDS[theirs[-1].owner.kind](theirs, variant, workload):
            found.append(conflict)
    return tuple(found)


def _of_autoscaler(theirs: list[Overwrite], variant: str, _: Json) -> Conflict | None:
    """An autoscaler never writes just once, and its own object may be out of our sight."""
    last = theirs[-1]
    kind = ConflictKind.HPA if last.owner.kind is ManagerKind.HPA else ConflictKind.SCALED_OBJECT
    return Conflict(kind, variant, last.owner.manager, _words(theirs))


def _of_gitops(theirs: list[Overwrite], variant: str, workload: Json) -> Conflict | None:
    last = theirs[-1]
    if len(theirs) < OVERWRITES and not last.owner.is_applied and not manifest_has_replicas(workload):
        return None
    name = gitops_name(workload, last.owner.manager)
    return Conflict(ConflictKind.GITOPS, variant, name, f"{_words(theirs)}; {remedy(last.owner.manager)}")


def _of_other(theirs: list[Overwrite], variant: str, _: Json) -> Conflict | None:
    if len(theirs) < OVERWRITES:
        return None
    return Conflict(ConflictKind.FIELD_MANAGER, variant, theirs[-1].owner.manager, _words(theirs))


def _nobody(_: list[Overwrite], __: str, ___: Json) -> Conflict | None:
    return None


_KINDS: dict[ManagerKind, Callable[[list[Overwrite], str, Json], Conflict | None]] = {
    ManagerKind.HPA: _of_autoscaler,
    ManagerKind.KEDA: _of_autoscaler,
    ManagerKind.GITOPS: _of_gitops,
    ManagerKind.OTHER: _of_other,
    ManagerKind.PERSON: _nobody,
    ManagerKind.OURS: _nobody,
}


def _words(theirs: list[Overwrite]) -> str:
    last = theirs[-1]
    times = "" if len(theirs) == 1 else f", {len(theirs)} times in half an hour"
    return f"set {last.replicas} over our {last.over}{times}"
