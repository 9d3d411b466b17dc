"""Least-cost replicas per variant for all targets that share accelerators: one mixed-integer program, solved by HiGHS.

Variables per variant: replicas `n`, and `up >= n - current`, which pays for the cold start. Per target: `split`, the
requests/s that go through Prefill and Decode replicas instead of Both, and `short`, the requests/s that nobody
carries: nought where any fleet carries everything, and priced where none does. The solver stops on a gap and a node
limit, never on a clock, so that replays agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from controlplane.domain.decision import Alternative, Capacity, Demand, Plan, TargetInputs
from controlplane.domain.observation import Inventory
from controlplane.domain.target import Role, Variant
from controlplane.planning.cold_starts import default_cold_start

GAP = 1e-4
"""Relative gap at which the solver stops: a cent in a hundred dollars."""
NODE_LIMIT = 20_000
"""Branch-and-bound nodes; groups of dozens of variants need a few hundred."""
SHORT_PRICE = 100.0
"""Price of a request/s that is not carried, in multiples of the dearest way to carry it."""
DOWN_MARGIN = 0.15
"""A smaller fleet must carry so much more than the demand: the relative error of a minute's rate at a few requests/s. A
replica given up for less would be started again, and pay its cold start, within minutes."""
SECONDS_PER_HOUR = 3600.0


class PlanningFailed(RuntimeError):
    """HiGHS found no solution of a program that always has one."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One target as the program sees it. `demand` None: its replicas stay as they are."""

    inputs: TargetInputs
    demand: Demand | None
    capacities: tuple[Capacity, ...]

    def current(self, variant: Variant) -> int:
        """Replicas that are wanted now."""
        seen = self.inputs.observation.variant(variant.name)
        return seen.desired if seen is not None else variant.min_replicas

    def most(self, variant: Variant) -> int:
        """Replicas that may be planned: what is Ready where the rest is stocked out, what is not failing where some
        fail, else `maxReplicas`. More of what crashes would crash too; the next best variant takes over meanwhile."""
        seen = self.inputs.observation.variant(variant.name)
        if seen is not None and seen.failed:
            return max(variant.min_replicas, min(seen.ready + seen.pending, variant.max_replicas))
        deadline_s = self.inputs.target.policy.pending_deadline_s
        if seen is not None and (seen.oldest_pending_s or 0.0) > deadline_s:
            return max(variant.min_replicas, min(seen.ready, variant.max_replicas))
        return variant.max_replicas

    def rate(self, variant: Variant) -> float:
        """Requests/s of one replica."""
        return next((c.requests_per_s for c in self.capacities if c.variant == variant.name), 0.0)


_Solution = Mapping[tuple[str, str], int]
"""Replicas by (target key, variant name)."""


def allocate(asks: Sequence[Ask], inventory: Inventory) -> tuple[Plan, ...]:
    """One plan per ask, in order. A target whose fleet would shrink is solved once more for `DOWN_MARGIN` more
    demand, so that what goes down need not come up again with the next ripple."""
    solution = _solve(asks, inventory)
    shrinking = {ask.inputs.target.key for ask in asks if _shrinks(ask, solution)}
    if shrinking:
        solution = _solve([_with_margin(a) if a.inputs.target.key in shrinking else a for a in asks], inventory)
    return tuple(_plan(ask, solution, inventory, asks) for ask in asks)


def _solve(asks: Sequence[Ask], inventory: Inventory) -> _Solution:
    """Everything carried at the least cost; where no fleet does, best effort.

    Two programs, since a price alone would leave a shortfall of less than `1 / SHORT_PRICE` of a replica uncarried.
    """
    whole = _Program(asks, inventory, may_fall_short=False).solve()
    solution = whole if whole is not None else _Program(asks, inventory, may_fall_short=True).solve()
    if solution is None:
        raise PlanningFailed("HiGHS found no replicas within the bounds and the inventory")
    return solution


def _shrinks(ask: Ask, solution: _Solution) -> bool:
    return any(solution[ask.inputs.target.key, v.name] < ask.current(v) for v in ask.inputs.target.variants)


def _with_margin(ask: Ask) -> Ask:
    if ask.demand is None:
        return ask
    more = replace(ask.demand, requests_per_s=ask.demand.requests_per_s * (1.0 + DOWN_MARGIN))
    return replace(ask, demand=more)


class _Program:
    """Columns: for each variant n and up; for each ask split and short."""

    def __init__(self, asks: Sequence[Ask], inventory: Inventory, may_fall_short: bool) -> None:
        self._may_fall_short = may_fall_short
        self._columns = [(ask, variant) for ask in asks for variant in ask.inputs.target.variants]
        self._size = 2 * len(self._columns) + 2 * len(asks)
        self._rows: list[tuple[dict[int, float], float]] = []  # coefficients, lower bound
        self._cost = np.zeros(self._size)
        self._low = np.zeros(self._size)
        self._high = np.full(self._size, np.inf)
        for place, (ask, variant) in enumerate(self._columns):
            self._add_variant(place, ask, variant)
        for place, ask in enumerate(asks):
            self._add_target(place, ask)
        self._add_inventory(inventory)

    def solve(self) -> _Solution | None:
        """Replicas by target and variant; None where the program has no solution."""
        matrix = np.zeros((len(self._rows), self._size))
        for row, (coefficients, _) in enumerate(self._rows):
            for column, value in coefficients.items():
                matrix[row, column] = value
        lower = np.array([bound for _, bound in self._rows])
        whole = np.zeros(self._size)
        whole[: len(self._columns)] = 1
        result = milp(
            self._cost,
            integrality=whole,
            bounds=Bounds(self._low, self._high),
            constraints=LinearConstraint(matrix, lower, np.inf),
            options={"mip_rel_gap": GAP, "node_limit": NODE_LIMIT},
        )
        if result.x is None:
            return None
        return {
            (ask.inputs.target.key, variant.name): round(float(result.x[place]))
            for place, (ask, variant) in enumerate(self._columns)
        }

    def _add_variant(self, place: int, ask: Ask, variant: Variant) -> None:
        up = len(self._columns) + place
        current = ask.current(variant)
        if ask.demand is None:
            self._low[place] = self._high[place] = current
        else:
            self._low[place], self._high[place] = variant.min_replicas, ask.most(variant)
        usd = variant.usd_per_replica_hour
        measured = ask.inputs.cold_starts.get(variant.name) or default_cold_start(ask.inputs.target, variant)
        self._cost[place] = usd
        # A replica that starts is paid for its cold start before it serves; spread over an hour of use.
        self._cost[up] = usd * measured.p50_s / SECONDS_PER_HOUR
        self._rows.append(({up: 1.0, place: -1.0}, -float(current)))

    def _add_target(self, place: int, ask: Ask) -> None:
        if ask.demand is None:
            return
        split = 2 * len(self._columns) + 2 * place
        short = split + 1
        self._high[short] = np.inf if self._may_fall_short else 0.0
        own = [(i, v) for i, (a, v) in enumerate(self._columns) if a is ask]
        roles = {role: [(i, v) for i, v in own if v.role is role] for role in Role}
        rates = {role: {i: ask.rate(v) for i, v in columns} for role, columns in roles.items()}
        self._rows.append(({**rates[Role.BOTH], split: 1.0, short: 1.0}, ask.demand.requests_per_s))
        for role in (Role.PREFILL, Role.DECODE):
            self._rows.append(({**rates[role], split: -1.0}, 0.0))
        # From zero nothing wakes: without a replica no page says that somebody waits.
        for group in (roles[Role.BOTH] + roles[Role.PREFILL], roles[Role.BOTH] + roles[Role.DECODE]):
            if any(self._high[i] >= 1 for i, _ in group):
                self._rows.append(({i: 1.0 for i, _ in group}, 1.0))
        dearest = max((v.usd_per_replica_hour / ask.rate(v) for _, v in own if ask.rate(v) > 0), default=1.0)
        self._cost[short] = SHORT_PRICE * max(dearest, 1e-3)

    def _add_inventory(self, inventory: Inventory) -> None:
        for accelerator, gpus in inventory.gpus.items():
            own = [(i, v) for i, (_, v) in enumerate(self._columns) if v.accelerator == accelerator]
            # What must run or is left alone runs, even where the inventory has shrunk below it.
            least = sum(float(self._low[i]) * v.gpus_per_replica for i, v in own)
            if own:
                self._rows.append(({i: -float(v.gpus_per_replica) for i, v in own}, -max(float(gpus), least)))


def _plan(ask: Ask, solution: _Solution, inventory: Inventory, asks: Sequence[Ask]) -> Plan:
    target = ask.inputs.target
    replicas = {v.name: solution[target.key, v.name] for v in target.variants}
    cost = fleet_usd(target.variants, replicas)
    if ask.demand is None:
        return Plan(target.key, None, ask.capacities, replicas, cost, feasible=True)
    short = ask.demand.requests_per_s - carried(target.variants, replicas, ask.rate)
    feasible = short <= 1e-6 * max(1.0, ask.demand.requests_per_s)
    binding = "" if feasible else _binding(ask, replicas, solution, inventory, asks)
    alternatives = () if not feasible else _alternatives(ask, cost, replicas)
    return Plan(target.key, ask.demand, ask.capacities, replicas, cost, feasible, binding, alternatives)


def fleet_usd(variants: Sequence[Variant], replicas: Mapping[str, int]) -> float:
    """Dollars an hour of a fleet."""
    return sum(v.usd_per_replica_hour * replicas.get(v.name, 0) for v in variants)


def carried(variants: Sequence[Variant], replicas: Mapping[str, int], rate: Callable[[Variant], float]) -> float:
    """Requests/s that a fleet carries: Both replicas, and the smaller of the Prefill and the Decode side."""
    by_role = {role: sum(rate(v) * replicas.get(v.name, 0) for v in variants if v.role is role) for role in Role}
    return by_role[Role.BOTH] + min(by_role[Role.PREFILL], by_role[Role.DECODE])


def _binding(
    ask: Ask, replicas: Mapping[str, int], solution: _Solution, inventory: Inventory, asks: Sequence[Ask]
) -> str:
    """The bounds that kept the plan from carrying its demand, in words."""
    held = []
    for variant in ask.inputs.target.variants:
        if ask.rate(variant) <= 0:
            held.append(f"{variant.name} cannot meet the SLO")
        elif replicas[variant.name] >= variant.max_replicas:
            held.append(f"maxReplicas {variant.max_replicas} of {variant.name}")
        elif replicas[variant.name] >= ask.most(variant):
            held.append(f"{variant.name} is stocked out or failing")
    for accelerator in sorted({v.accelerator for v in ask.inputs.target.variants}):
        if accelerator not in inventory.gpus:
            continue
        used = sum(
            v.gpus_per_replica * solution[a.inputs.target.key, v.name]
            for a in asks
            for v in a.inputs.target.variants
            if v.accelerator == accelerator
        )
        least = min(v.gpus_per_replica for v in ask.inputs.target.variants if v.accelerator == accelerator)
        if inventory.gpus[accelerator] - used < least:
            held.append(f"{inventory.gpus[accelerator]} {accelerator} in all")
    return ", ".join(held) or "no variant is left"


def _alternatives(ask: Ask, cost: float, chosen: Mapping[str, int]) -> tuple[Alternative, ...]:
    """The fleets of one variant per role, and why each was not chosen."""
    variants = ask.inputs.target.variants
    singles = [(v,) for v in variants if v.role is Role.BOTH]
    pairs = [(p, d) for p in variants if p.role is Role.PREFILL for d in variants if d.role is Role.DECODE]
    found = []
    for fleet in (*singles, *pairs):
        replicas = _alone(ask, fleet)
        if replicas is None or all(chosen.get(v.name, 0) == replicas.get(v.name, 0) for v in variants):
            continue
        usd = fleet_usd(variants, replicas)
        over = [f"maxReplicas {v.max_replicas} of {v.name}" for v in fleet if replicas[v.name] > v.max_replicas]
        more = f"{usd - cost:+.2f} $/h" if abs(usd - cost) >= 0.005 else "costs the same; what runs was kept"
        if usd < cost - 0.005:
            more += f", but what shrinks must carry {DOWN_MARGIN:.0%} more, or a cold start is not worth it"
        found.append(Alternative(replicas, usd, f"breaks {', '.join(over)}" if over else more))
    return tuple(found)


def _alone(ask: Ask, fleet: tuple[Variant, ...]) -> dict[str, int] | None:
    """Replicas of these variants alone that carry the demand, minima of the others kept; None where one cannot."""
    assert ask.demand is not None
    if any(ask.rate(v) <= 0 for v in fleet):
        return None
    replicas = {v.name: v.min_replicas for v in ask.inputs.target.variants}
    for variant in fleet:
        needed = int(np.ceil(ask.demand.requests_per_s / ask.rate(variant) - 1e-9))
        replicas[variant.name] = max(needed, 1, variant.min_replicas)
    return replicas
