"""Replicas added one by one where they are fairest: the feasible answer that needs no solver, and the last polish."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush

from controlplane.domain.target import Role
from controlplane.planning.allocation.claim import Claim, Fleet


def filled(claims: Sequence[Claim], fleets: Sequence[Fleet], limits: Mapping[str, int]) -> list[Fleet]:
    """`fleets` grown within the bounds and `limits` (GPUs by accelerator) until every claim is carried within its
    reach or nothing more fits: the highest priority first, then the least carried share over the weight."""
    grown = list(fleets)
    free = free_gpus(claims, grown, limits)
    waiting = [_turn(claim, grown[i], i) for i, claim in enumerate(claims) if not claim.fixed]
    heapify(waiting)
    while waiting:
        *_, place = heappop(waiting)
        claim = claims[place]
        step = _best_step(claim, grown[place], free)
        if step is None:
            continue
        for accelerator, gpus in claim.gpus(step).items():
            if accelerator in free:
                free[accelerator] -= gpus
        grown[place] = tuple(n + more for n, more in zip(grown[place], step, strict=True))
        heappush(waiting, _turn(claim, grown[place], place))
    return grown


def polished(claims: Sequence[Claim], fleets: Sequence[Fleet], limits: Mapping[str, int]) -> list[Fleet]:
    """`fleets` filled up, and again with what the first filling has made needless."""
    first = filled(claims, fleets, limits)
    return filled(claims, [_trimmed(claim, fleet) for claim, fleet in zip(claims, first, strict=True)], limits)


def _trimmed(claim: Claim, fleet: Fleet) -> Fleet:
    """Without the replicas, the dearest first, that are not needed to carry what is within reach."""
    if claim.fixed or claim.missing(fleet, claim.reach) > 0:
        return fleet
    for place in sorted(range(len(fleet)), key=lambda i: (-claim.usd[i], i)):
        while fleet[place] > claim.low[place]:
            less = tuple(n - (at == place) for at, n in enumerate(fleet))
            worse = claim.missing(less, claim.reach) > 0 or claim.asleep(less) > claim.asleep(fleet)
            if worse or not claim.spot_allowed(less) or claim.crowding(less) > claim.crowding(fleet):
                break
            fleet = less
    return fleet


def free_gpus(claims: Sequence[Claim], fleets: Sequence[Fleet], limits: Mapping[str, int]) -> dict[str, int]:
    """GPUs that are left of `limits`; below nought where more is used."""
    free = dict(limits)
    for claim, fleet in zip(claims, fleets, strict=True):
        for accelerator, gpus in claim.gpus(fleet).items():
            if accelerator in free:
                free[accelerator] -= gpus
    return free


def _turn(claim: Claim, fleet: Fleet, place: int) -> tuple[int, int, float, int]:
    """Those without any replica first, lest they never wake."""
    share = claim.carried(fleet) / claim.wanted if claim.wanted > 0 else 1.0
    return -claim.priority, -claim.asleep(fleet), share / claim.weight, place


def _best_step(claim: Claim, fleet: Fleet, free: Mapping[str, int]) -> Fleet | None:
    """The replicas to add that carry most of what is missing per dollar, those that crowd no failure domain first;
    None where none is missing or fits."""
    now = claim.carried(fleet)
    missing = claim.missing(fleet, claim.reach)
    asleep = claim.asleep(fleet)
    if missing <= 0 and not asleep:
        return None
    best, best_score = None, (False, 0.0, 0.0)
    crowding = claim.crowding(fleet)
    for step in _steps(claim, fleet, free):
        after = tuple(n + more for n, more in zip(fleet, step, strict=True))
        woken = float(asleep - claim.asleep(after))
        gain = min(claim.carried(after) - now, missing) if missing > 0 else 0.0
        usd = max(claim.cost(after) - claim.cost(fleet), 1e-9)
        score = (claim.crowding(after) <= crowding, woken / usd, gain / usd)
        if max(score[1:]) > 0 and gain >= 0 and score > best_score and claim.spot_allowed(after):
            best, best_score = step, score
    return best


def _steps(claim: Claim, fleet: Fleet, free: Mapping[str, int]) -> Iterator[Fleet]:
    """One replica more of any variant, or one of either side; what does not fit is left out."""
    size = len(claim.variants)
    pairs = [(p, d) for p in claim.places(Role.PREFILL) for d in claim.places(Role.DECODE)]
    for added in (*((i,) for i in range(size)), *pairs):
        if any(fleet[i] >= claim.high[i] for i in added):
            continue
        step = tuple(int(i in added) for i in range(size))
        if all(gpus <= free.get(accelerator, gpus) for accelerator, gpus in claim.gpus(step).items()):
            yield step
