"""How long the allocation takes and how far its plans are from a lower bound: `python -m benchmarks.allocation`.

The groups are made from a seed: rates and prices as of GPUs from an L4 to an H200, demands of 3 to 120 requests/s.
Times are of one call, wall and CPU (which other work on the machine does not stretch), the inputs made beforehand.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from controlplane.domain.decision import Capacity, CapacityBound, ColdStart, Demand, Memory, Plan, TargetInputs
from controlplane.domain.observation import Inventory, Observation, VariantObservation
from controlplane.domain.target import CapacityType, Mode, Policy, Role, ScaleTargetRef, Slo, Target, Variant
from controlplane.planning.allocation import Ask, allocate
from controlplane.planning.allocation.claim import Claim, claim_of
from controlplane.planning.allocation.exchange import Exchange
from controlplane.planning.allocation.group import down_margin

GPUS = {
    "H200": (5.2, 8.0),
    "MI300X": (4.4, 7.0),
    "H100": (4.0, 6.0),
    "A100-80": (3.5, 4.0),
    "A100-40": (2.5, 3.0),
    "L40S": (1.9, 2.2),
    "A10G": (1.2, 1.1),
    "L4": (0.8, 0.6),
}
"""$/h and requests/s of one replica, before each target's own factors."""
SINGLE_RUNS = 200
GROUP_RUNS = 5


def made_target(
    place: int, variants: Sequence[tuple[str, Role, CapacityType]], rng: np.random.Generator, priority: int = 0
) -> Ask:
    """One target with these variants, some of which run."""
    made, rates, counts = [], [], []
    for gpu, role, bought in variants:
        usd, rps = GPUS[gpu]
        half = 0.5 if bought is CapacityType.SPOT else 1.0
        name = f"{gpu}-{role}-{bought}".lower()
        ref = ScaleTargetRef("apps/v1", "Deployment", name)
        price = usd * half * float(rng.uniform(0.9, 1.1))
        made.append(Variant(name, ref, role, gpu, 1, bought, price, 0, 40))
        rates.append(rps * float(rng.uniform(0.8, 1.2)) * (1.0 if role is Role.BOTH else float(rng.uniform(1.2, 2.0))))
        counts.append(int(rng.integers(1, 10)) if rng.random() < 0.15 else 0)
    target = Target(
        "prod", f"t{place:03}", "llama-3.1-8b", tuple(made), Policy(Mode.LIVE, Slo(2, 0.1), priority=priority)
    )
    seen = tuple(VariantObservation(v.name, n, n, 0, 0, 0, n) for v, n in zip(made, counts, strict=True))
    observation = Observation(target.key, 0.0, 60.0, seen, 1.0, 1.0, None)
    starts = {v.name: ColdStart(180.0, 240.0, 5) for v in made}
    rps = float(rng.uniform(3.0, 120.0))
    demand = Demand(rps, rps, 0.0, 1000.0, 200.0, 250_000.0, 0.0, "benchmark")
    capacities = tuple(Capacity(v.name, rate, CapacityBound.TPOT, 1.0) for v, rate in zip(made, rates, strict=True))
    return Ask(TargetInputs(target, observation, None, starts, Memory()), demand, capacities)


def single(seed: int, roles: tuple[Role, ...] = (Role.PREFILL, Role.DECODE)) -> Ask:
    """8 accelerators x 2 roles x 2 capacity types."""
    rng = np.random.default_rng(seed)
    return made_target(0, [(g, r, c) for g in GPUS for r in roles for c in CapacityType], rng)


def group(seed: int, targets: int = 200, zones: int = 1) -> list[Ask]:
    """Targets x 8 variants; every fourth is split in two roles, every tenth has priority. In two zones, each has half
    of the accelerators, in either."""
    rng = np.random.default_rng(seed)
    asks = []
    for place in range(targets):
        if place % 4 == 0:
            gpus = rng.permutation(list(GPUS))[: 4 // zones]
            variants = [(str(g), r, CapacityType.ON_DEMAND) for g in gpus for r in (Role.PREFILL, Role.DECODE)]
        else:
            variants = [(g, Role.BOTH, CapacityType.ON_DEMAND) for g in list(GPUS)[::zones]]
        ask = made_target(place, variants, rng, priority=int(place % 10 == 0))
        asks.append(ask if zones == 1 else in_zones(ask))
    return asks


def in_one_of_two_zones(ask: Ask) -> Ask:
    """The same target with the accelerators in either zone by turns, and at most half of each role in one."""
    target = ask.inputs.target
    zones = {gpu: "ab"[place % 2] for place, gpu in enumerate(GPUS)}
    variants = tuple(replace(v, failure_domain=zones[v.accelerator]) for v in target.variants)
    spread = replace(target, variants=variants, policy=replace(target.policy, max_domain_share=0.5))
    return replace(ask, inputs=replace(ask.inputs, target=spread))


def in_zones(ask: Ask) -> Ask:
    """The same target with each variant in two zones, and at most half of each role in either."""
    target = ask.inputs.target
    made, counts, capacities = [], [], []
    for variant, seen, known in zip(target.variants, ask.inputs.observation.variants, ask.capacities, strict=True):
        for zone in ("a", "b"):
            name = f"{variant.name}-{zone}"
            made.append(replace(variant, name=name, failure_domain=zone))
            counts.append(replace(seen, variant=name))
            capacities.append(replace(known, variant=name))
    both = replace(target, variants=tuple(made), policy=replace(target.policy, max_domain_share=0.5))
    observation = replace(ask.inputs.observation, variants=tuple(counts))
    starts = {v.name: ColdStart(180.0, 240.0, 5) for v in made}
    inputs = replace(ask.inputs, target=both, observation=observation, cold_starts=starts)
    return replace(ask, inputs=inputs, capacities=tuple(capacities))


def used(asks: Sequence[Ask], inventory: Inventory) -> dict[str, int]:
    """GPUs by accelerator of the group's plan."""
    total = dict.fromkeys(GPUS, 0)
    for ask, plan in zip(asks, allocate(asks, inventory), strict=True):
        for variant in ask.inputs.target.variants:
            total[variant.accelerator] += plan.replicas[variant.name]
    return total


def scarce(asks: Sequence[Ask], share: float, rest: float) -> Inventory:
    """An inventory with `share` of what all want of the three best accelerators, and `rest` times of the others."""
    wanted = used(asks, Inventory())
    mean = sum(wanted.values()) / len(wanted)
    best = ("H200", "MI300X", "H100")
    return Inventory({g: int(n * share) if g in best else int((n + mean) * rest) for g, n in wanted.items()})


def over_bound(asks: Sequence[Ask], plans: Sequence[Plan], inventory: Inventory) -> float:
    """How far plans that carry everything are above the least that any could cost, starts included."""
    claims = [claim_of(ask, down_margin(ask)) for ask in asks]
    exchange = Exchange(claims, [claim.reach for claim in claims], inventory.gpus)
    exchange.run([claim.low for claim in claims])
    return sum(_usd(c, p) for c, p in zip(claims, plans, strict=True)) / exchange.bound_usd - 1.0


def _usd(claim: Claim, plan: Plan) -> float:
    return claim.cost([plan.replicas[v.name] for v in claim.variants])


def report(name: str, cases: Sequence[tuple[Sequence[Ask], Inventory]]) -> None:
    """One line: times, cost over the bound, and the targets that are carried."""
    seconds, busy, gaps, whole, total = [], [], [], 0, 0
    for asks, inventory in cases:
        start, start_busy = time.perf_counter(), time.process_time()
        plans = allocate(asks, inventory)
        seconds.append(time.perf_counter() - start)
        busy.append(time.process_time() - start_busy)
        whole += sum(plan.feasible for plan in plans)
        total += len(plans)
        if all(plan.feasible for plan in plans):
            gaps.append(over_bound(asks, plans, inventory))
    over = f"{np.mean(gaps):.2%} mean, {np.max(gaps):.2%} worst" if gaps else "-"
    times = " | ".join(f"{np.percentile(t, p) * 1e3:.0f} ms" for t in (seconds, busy) for p in (50, 99))
    print(f"| {name} | {len(cases)} | {times} | {over} | {whole / total:.1%} |", flush=True)


def main() -> None:
    """Print the table."""
    columns = ("case", "runs", "p50", "p99", "CPU p50", "CPU p99", "cost over the bound", "carried whole")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    single_runs = range(SINGLE_RUNS)
    free = Inventory()
    report("8 GPUs x 2 roles x 2 capacity types", [([single(s)], free) for s in single_runs])
    report("the same, one target short of GPUs", [([a], scarce([a], 0.5, 0.5)) for a in map(single, range(50))])
    report("the same, each GPU in one of 2 zones", [([in_one_of_two_zones(single(s))], free) for s in single_runs])
    report("the same, each GPU in both zones", [([in_zones(single(s))], free) for s in range(100)])
    groups = [group(s) for s in range(GROUP_RUNS)]
    report("200 targets x 8, enough of all", [(asks, free) for asks in groups])
    report("200 targets x 8, three GPUs short", [(asks, scarce(asks, 0.6, 3.0)) for asks in groups])
    report("200 targets x 8, all short", [(asks, scarce(asks, 0.7, 0.5)) for asks in groups])
    report("8 targets x 8, three GPUs short", [(a, scarce(a, 0.6, 2.0)) for a in (group(s, 8) for s in range(20))])
    report("25 targets x 8, three GPUs short", [(a, scarce(a, 0.6, 2.0)) for a in (group(s, 25) for s in range(10))])
    zoned = [group(s, zones=2) for s in range(GROUP_RUNS)]
    report("200 targets x 8 in 2 zones, enough of all", [(asks, free) for asks in zoned])
    report("200 targets x 8 in 2 zones, three GPUs short", [(asks, scarce(asks, 0.6, 3.0)) for asks in zoned])
    report("200 targets x 8 in 2 zones, all short", [(asks, scarce(asks, 0.7, 0.5)) for asks in zoned])


if __name__ == "__main__":
    main()
