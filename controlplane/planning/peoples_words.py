"""Which of several things that people said holds, and how a decision's trail says it.

Of one variant: a freeze over all; else a Pause; else one Pin, of the API before one of the custom resource, then the
newest, then one that names the variant, then the one that stands last; else every Floor and Ceiling, of which the
highest floor and the lowest ceiling bind, and the ceiling where the two contradict (a quota may stand behind it).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from controlplane.domain.target import Freeze, FreezeDirection, Origin, Override, OverrideKind, Policy


def heard(policy: Policy, now_s: float) -> list[Override]:
    """Overrides that have not expired."""
    return [o for o in policy.overrides if o.expires_at_s is None or o.expires_at_s > now_s]


def in_force(policy: Policy, variant: str, now_s: float) -> tuple[Override, ...]:
    """The overrides that hold of a variant, by name, in the order in which they are applied."""
    said = [o for o in heard(policy, now_s) if o.variant in (None, variant)]
    for kind in (OverrideKind.PAUSE, OverrideKind.PIN):
        of_kind = [o for o in said if o.kind is kind]
        if of_kind:
            return (max(enumerate(of_kind), key=lambda placed: (*_rank(placed[1]), placed[0]))[1],)
    return tuple(sorted(said, key=lambda o: o.kind is OverrideKind.CEILING))


def _rank(override: Override) -> tuple[bool, float, bool]:
    made_s = -math.inf if override.created_at_s is None else override.created_at_s
    return override.origin is Origin.API, made_s, override.variant is not None


def outranked(policy: Policy, variants: Sequence[str], now_s: float) -> list[Override]:
    """Overrides that have not expired and hold of none of these variants, since others do."""
    holding = [o for name in variants for o in in_force(policy, name, now_s)]
    return [o for o in heard(policy, now_s) if o not in holding]


def freezes(policy: Policy, now_s: float) -> list[Freeze]:
    """Freezes that hold at a time; those of both directions first."""
    holding = [freeze for freeze in policy.freezes if freeze.holds(now_s)]
    return sorted(holding, key=lambda freeze: freeze.direction is FreezeDirection.DOWN)


def override_words(override: Override) -> str:
    """E.g. "h100 pinned to 4 by ada until 14:30Z: load test"."""
    done = {
        OverrideKind.PIN: f"pinned to {override.replicas}",
        OverrideKind.FLOOR: f"kept at {override.replicas} or more",
        OverrideKind.CEILING: f"kept at {override.replicas} or fewer",
        OverrideKind.PAUSE: "paused",
    }[override.kind]
    which = "" if override.variant is None else f"{override.variant} "
    ends = "" if override.expires_at_s is None else f" until {moment(override.expires_at_s)}"
    return f"{which}{done} by {override.actor or 'unknown'}{ends}: {override.reason or 'no reason given'}"


def freeze_words(freeze: Freeze) -> str:
    """E.g. "frozen by ada until 14:30Z: launch day"."""
    what = "frozen" if freeze.direction is FreezeDirection.BOTH else "frozen on the way down"
    reason = freeze.reason or "no reason given"
    return f"{what} by {freeze.actor or 'unknown'} until {moment(freeze.ends_at_s)}: {reason}"


def listed(words: Iterable[str]) -> str:
    """One sentence of several."""
    return "; ".join(dict.fromkeys(words))


def moment(at_s: float) -> str:
    """A time in UTC, to the minute (`2026-01-05T14:30Z`): who reads a trail tomorrow needs the day."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%MZ")
