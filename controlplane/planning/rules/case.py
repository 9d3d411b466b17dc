"""What a rule is asked about, and how it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from controlplane.domain.decision import Demand, Outage, Plan, Ruling, RulingEffect, TargetInputs
from controlplane.domain.target import Role, Target
from controlplane.planning.bounds import Bound, Bounds
from controlplane.planning.late_starts import Late
from controlplane.planning.outages import Cap, standing

Replicas = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Case:
    """What a rule may look at. `current` is what is wanted now, by variant; `demand` None: the load is not known.

    `plan` is what was planned, None where a test asks one rule alone; `bounds` are those of now, without people's
    words; `changed` are variants whose template is new.
    """

    inputs: TargetInputs
    now_s: float
    current: Replicas
    demand: Demand | None
    spool_writable: bool
    plan: Plan | None = None
    bounds: Bounds = field(default_factory=Bounds)
    outages: Mapping[str, Outage] = field(default_factory=dict)
    caps: Mapping[str, tuple[Cap, ...]] = field(default_factory=dict)
    late: Mapping[str, Late] = field(default_factory=dict)
    changed: tuple[str, ...] = ()

    @property
    def target(self) -> Target:
        """The target that is decided on."""
        return self.inputs.target

    def bound(self, name: str) -> Bound:
        """The bounds of a variant, by name."""
        return self.bounds.by_variant.get(name) or Bound.of(self.target.variant(name))

    def held(self) -> dict[str, int]:
        """What a hold of downs holds: what is wanted now, less what was asked for and cannot be had."""
        return standing(self.inputs, self.outages, self.current)

    def rate(self, name: str) -> float:
        """Requests/s that one replica of a variant carries, as planned."""
        known = self.plan.capacities if self.plan is not None else ()
        return next((c.requests_per_s for c in known if c.variant == name), 0.0)

    def carried(self, names: Iterable[str], replicas: Replicas) -> float:
        """Requests/s that so many replicas of the variants named carry together, as planned."""
        return sum(self.rate(name) * replicas.get(name, 0) for name in names)

    def recommended_within(self, length_s: float) -> list[Replicas]:
        """The fleets that were recommended within so many seconds."""
        return [r.replicas for r in self.inputs.memory.recommendations if r.at_s > self.now_s - length_s]


class Rule(Protocol):
    """One idea. `name` is what the trail calls it; `blind` says whether it is asked although the load is not known."""

    name: str
    blind: bool

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """What becomes of the proposal."""
        ...


def ruling(rule: Rule, before: Replicas, after: Replicas, reason: str, effect: RulingEffect | None = None) -> Ruling:
    """A ruling; where `effect` is not given it is Pass or Limit, by whether anything changed."""
    if effect is None:
        effect = RulingEffect.PASS if dict(before) == dict(after) else RulingEffect.LIMIT
    return Ruling(rule.name, effect, dict(before), dict(after), reason)


def hold_downs(case: Case, proposed: Replicas, names: Iterable[str] | None = None) -> dict[str, int]:
    """The proposal with nothing below what stands now, for all variants or those named."""
    standing_now = case.held()
    held = set(standing_now) if names is None else set(names)
    return {n: max(r, standing_now.get(n, r)) if n in held else r for n, r in proposed.items()}


def released(
    case: Case, held: Replicas, proposed: Replicas, names: Iterable[str], enough: Callable[[Replicas], bool]
) -> dict[str, int]:
    """What is `held`, with as many downs of the variants named as leave `enough`, the dearest replicas first."""
    after = dict(held)
    for name in sorted(names, key=lambda n: (-case.target.variant(n).usd_per_replica_hour, n)):
        while after[name] > proposed[name] and enough({**after, name: after[name] - 1}):
            after[name] -= 1
    return after


def goes_down(case: Case, proposed: Replicas) -> list[str]:
    """Variants of which the proposal has fewer than stand now."""
    standing_now = case.held()
    return [name for name, replicas in proposed.items() if replicas < standing_now.get(name, replicas)]


def sides(target: Target) -> list[list[str]]:
    """Names of variants that stand in for one another: Both does the work of either side."""
    roles = [{Role.PREFILL, Role.BOTH}, {Role.DECODE, Role.BOTH}] if target.split else [{Role.BOTH}]
    return [[v.name for v in target.variants if v.role in one] for one in roles]
