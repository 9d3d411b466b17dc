"""Why: one decision whole, and why the last change in a direction was not made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request

from controlplane.api.principals import Who, demand
from controlplane.api.problems import MISSING, NotFound
from controlplane.api.ranges import moment
from controlplane.domain.access import AccessRole
from controlplane.domain.decision import Tick, Verdict
from controlplane.planning.explanation import Explanation, explanation, undone
from controlplane.store.queries import Queries
from controlplane.store.recorded import Recorded

SEARCHED = 2000
"""Decisions that are looked through for one that was not done: half a day at four a minute is longer than people ask
back, and is read in a second or two."""
HORIZON_S = 7200.0
"""The longest look at what came later: beyond two hours a forecast is another decision's."""

router = APIRouter(prefix="/api/v1", tags=["explain"])


@dataclass(frozen=True, slots=True)
class WhyNot:
    """The newest decision in which a change in a direction was proposed and not done, and why."""

    asked: Verdict
    searched: int
    """Decisions that were looked through, newest first."""
    sentence: str
    explanation: Explanation


@router.get("/ticks/{tick_id}/explain", responses=MISSING)
def explain_tick(tick_id: str, request: Request, who: Who) -> Explanation:
    """One decision: its inputs, forecast, capacity and plan, the alternatives with their cost, each rule's ruling, what
    would have changed the answer, what was done, and what came of it."""
    queries: Queries = request.app.state.queries
    found = queries.tick(tick_id)
    if found is None or not who.may(AccessRole.VIEWER, found.inputs.target.namespace):
        raise NotFound(f"there is no tick {tick_id}")
    return _explained(queries, found)


@router.get("/targets/{namespace}/{name}/explain", responses=MISSING)
def explain_target(
    namespace: str,
    name: str,
    request: Request,
    who: Who,
    at: Annotated[str | None, Query(description="unix seconds or RFC 3339; the newest without")] = None,
) -> Explanation:
    """The same of a target's decision at or before a time."""
    demand(who, AccessRole.VIEWER, namespace)
    queries: Queries = request.app.state.queries
    key = f"{namespace}/{name}"
    found = None if "\x00" in key else queries.tick_at(key, moment(at, "at"))
    if found is None:
        raise NotFound(_nothing(queries, namespace, key, at))
    return _explained(queries, found)


def _nothing(queries: Queries, namespace: str, key: str, at: str | None) -> str:
    """Why there is no decision to explain: none was made by then, or there is no such target, and which there are."""
    near = [one.key for one in queries.targets() if one.namespace == namespace]
    if at is not None or key in near:
        return f"there is no decision of target {key} " + (f"at or before {at}" if at else "yet")
    return f"there is no target {key}; in namespace {namespace} there are: {', '.join(near) or 'none'}"


@router.get("/targets/{namespace}/{name}/why-not", responses=MISSING)
def why_not(
    namespace: str,
    name: str,
    request: Request,
    who: Who,
    verdict: Annotated[Literal["up", "down"], Query(description="the change that was not made")] = "down",
    before: Annotated[str | None, Query(description="look back from here; unix seconds or RFC 3339")] = None,
) -> WhyNot:
    """Why the last scale-down (or up) that was proposed was not done. 404: none was left undone of late."""
    demand(who, AccessRole.VIEWER, namespace)
    queries: Queries = request.app.state.queries
    key, asked, searched = f"{namespace}/{name}", Verdict(verdict), 0
    until_s = moment(before, "before")
    ticks = iter(()) if "\x00" in key else Recorded(queries).newest_first(key, until_s, SEARCHED)
    for tick in ticks:
        searched += 1
        reason = undone(tick, asked)
        if reason is not None:
            words = f"The last scale-{verdict} of {key} was not done because {reason}."
            return WhyNot(asked, searched, words, _explained(queries, tick))
    raise NotFound(f"no scale-{verdict} of {key} was proposed and left undone in its last {searched} decisions")


def _explained(queries: Queries, tick: Tick) -> Explanation:
    recorded = Recorded(queries)
    return explanation(recorded.together(tick), tick.id, recorded.after(tick, tick.at_s + HORIZON_S))
