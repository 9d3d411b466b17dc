"""WVA's CostAwareOptimizer (pipeline/cost_aware_optimizer.go) for one model, with the one analyzer that V2 has."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controlplane.domain.target import Role
from controlplane.simulation.peers.wva_v1 import VariantState


@dataclass(frozen=True, slots=True)
class RoleNeed:
    """One role's variants, the tokens that one replica of each carries, and the tokens to add or to spare."""

    variants: Sequence[VariantState]
    per_replica: Mapping[str, float]
    required: float
    spare: float


def optimise(needs: Mapping[Role, RoleNeed]) -> dict[str, int]:
    """Replicas by variant: more where any role asks for more, else fewer; never both in one cycle."""
    wanted = {v.name: v.current for need in needs.values() for v in need.variants}
    if any(need.required > 0 for need in needs.values()):
        _grow(needs, wanted)
    else:
        for need in needs.values():
            _shrink(need, wanted)
    return {v.name: v.clamp(wanted[v.name]) for need in needs.values() for v in need.variants}


@dataclass(frozen=True, slots=True)
class _Pick:
    variant: VariantState
    tokens: float
    replicas: int
    share: float
    """Of the role's remaining need that these replicas carry; 1 where it has none."""


def _grow(needs: Mapping[Role, RoleNeed], wanted: dict[str, int]) -> None:
    """In matched steps: each round the roles grow by the share that the scarcest can. A role that is full stops all."""
    left = {role: need.required for role, need in needs.items()}
    while any(tokens > 0 for tokens in left.values()):
        picks = {role: _pick(need, left[role], wanted) for role, need in needs.items()}
        found = {role: pick for role, pick in picks.items() if pick is not None}
        share = min(pick.share for pick in found.values()) if len(found) == len(picks) else 0.0
        if share <= 0:
            return
        for role, pick in found.items():
            if left[role] > 0:
                added = max(_matched(pick, share, left[role]), min(1, pick.replicas))
                wanted[pick.variant.name] += added
                left[role] = max(0.0, left[role] - added * pick.tokens)


def _matched(pick: _Pick, share: float, left: float) -> int:
    """Replicas that carry that share of what is left; rounding must not cost the scarcest role one of its own."""
    return pick.replicas if pick.share == share else math.floor(share * left / pick.tokens)


def _pick(need: RoleNeed, left: float, wanted: Mapping[str, int]) -> _Pick | None:
    """The cheapest variant per token that has room; None where none has."""
    open_ = [v for v in need.variants if need.per_replica[v.name] > 0 and wanted[v.name] < v.high]
    if not open_:
        return None
    variant = min(open_, key=lambda v: v.usd_per_hour / need.per_replica[v.name])
    tokens = need.per_replica[variant.name]
    replicas = min(math.ceil(left / tokens), variant.high - wanted[variant.name])
    return _Pick(variant, tokens, replicas, replicas * tokens / left if left > 0 else 1.0)


def _shrink(need: RoleNeed, wanted: dict[str, int]) -> None:
    """The dearest first, as many as the spare tokens cover; the last replica of all stays, of the cheapest."""
    spare = need.spare
    cheapest = min(need.variants, key=lambda v: (v.usd_per_hour, v.name))
    for variant in sorted(need.variants, key=lambda v: (-v.usd_per_hour, need.per_replica[v.name], v.name)):
        tokens = need.per_replica[variant.name]
        if spare <= 0 or tokens <= 0:
            continue
        removable = min(math.floor(spare / tokens), wanted[variant.name] - variant.low)
        others = sum(wanted[v.name] for v in need.variants if v is not cheapest)
        if variant is cheapest and not others:
            removable = min(removable, wanted[variant.name] - 1)
        removable = max(0, removable)
        wanted[variant.name] -= removable
        spare -= removable * tokens
