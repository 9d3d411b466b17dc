"""Who is carried where accelerators are short: priorities first, and weighted max-min fairness within one priority.

For each priority, the highest first: the level that every target's carried share over its weight can reach at least
(Bertsekas & Gallager, *Data Networks*, 1992, section 6.5.2), those that are carried whole dropping out as the level
rises; then the most carried shares in sum; what is found holds for the next priority.
"""

from __future__ import annotations

from collections.abc import Sequence

from controlplane.planning.allocation.program import Program

SLACK = 1e-6
"""Share of a demand by which a level that was found may be missed later: what the solver's tolerances need."""


def share_out(program: Program, relaxed: bool = False) -> bool:
    """Bound the program's shortfalls by what is fair; False where the solver found nothing within its limits."""
    claims = program.claims
    program.allow_short([claim.reach for claim in claims])
    for priority in sorted({claim.priority for claim in claims}, reverse=True):
        members = [i for i, c in enumerate(claims) if c.priority == priority and not c.fixed and c.reach > 0]
        if len(members) > 1 and not _raise_level(program, members, relaxed):
            return False
        if members and not _carry_most(program, members, relaxed):
            return False
    return True


def _raise_level(program: Program, members: Sequence[int], relaxed: bool) -> bool:
    rising = list(members)
    while rising:
        tops = {i: _top(program, i) for i in rising}
        ceiling = min(tops.values())
        level = program.model.column(0.0, ceiling)
        for i in rising:
            claim = program.claims[i]
            program.model.row({level: claim.wanted * claim.weight, program.short[i]: 1.0}, upper=claim.reach)
        values = program.model.minimise({level: -1.0}, relaxed)
        if values is None:
            return False
        reached = float(values[level])
        program.model.lower[level] = program.model.upper[level] = max(0.0, reached * (1.0 - SLACK))
        if reached < ceiling * (1.0 - SLACK):
            break
        rising = [i for i in rising if tops[i] > ceiling * (1.0 + SLACK)]
    return True


def _top(program: Program, place: int) -> float:
    """The level at which a target is carried as far as its bounds allow."""
    claim = program.claims[place]
    return claim.reach / claim.wanted / claim.weight


def _carry_most(program: Program, members: Sequence[int], relaxed: bool) -> bool:
    """What is left goes where it carries the largest shares."""
    claims = program.claims
    values = program.model.minimise({program.short[i]: claims[i].weight / claims[i].wanted for i in members}, relaxed)
    if values is None:
        return False
    for i in members:
        left = max(0.0, float(values[program.short[i]]))
        program.model.upper[program.short[i]] = min(claims[i].reach, left + SLACK * claims[i].wanted)
    return True
