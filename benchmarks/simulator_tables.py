"""How far the simulator's latencies are from measured ones: `python -m benchmarks.simulator_tables ../shared/profiles`.

Of every deployment (model, accelerator, tensor-parallel width) a seeded half of the rows fits the step cost; the other
half is played with it, and only its errors are printed. `--seed` draws other halves, `--quick` plays the first table
alone, `--protocols` prints the errors of the fitted halves under other guesses of how that table was measured.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.measured_tables import (
    MeasuredRequest,
    Point,
    aggregated_points,
    dynamo_points,
    measured_requests,
    splitwise_points,
)
from benchmarks.recorded_run import run_errors
from benchmarks.step_cost_fit import Protocol, errors, fitted

SEED = 1
AGGREGATED = Protocol(rounds=10, means=True, max_batched_tokens=8192)
"""Equal lengths, all users at once, ten requests each, means; and vLLM's own budget on GPUs of 70 GB and more. Of the
protocols tried on the fitted halves (docs/simulator.md) this one is nearest."""
ONE_WAVE = Protocol(rounds=1, means=True, max_batched_tokens=8192)
WHOLE_PROMPTS = replace(ONE_WAVE, max_batched_tokens=1_000_000)
"""The vLLM of 2023 read all prompts that wait in one step."""
PROTOCOLS = {
    "equal lengths, ten waves, means": AGGREGATED,
    "medians": replace(AGGREGATED, means=False),
    "lengths of 0.8 to 1 of the stated, means": replace(AGGREGATED, least_share=0.8),
    "lengths of 0.8 to 1 of the stated, medians": replace(AGGREGATED, least_share=0.8, means=False),
    "three waves": replace(AGGREGATED, rounds=3),
    "one wave": replace(AGGREGATED, rounds=1),
    "2,048 tokens a step": replace(AGGREGATED, max_batched_tokens=2048),
    "16,384 tokens a step": replace(AGGREGATED, max_batched_tokens=16384),
    "without the attention term e": replace(AGGREGATED, attention=False),
}
COLUMNS = ("table", "rows fitted", "rows played", "TTFT median", "TTFT p90", "TPOT median", "TPOT p90")
HEAD = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|"

Item = TypeVar("Item", Point, MeasuredRequest)


def halves(items: Sequence[Item], seed: int) -> tuple[list[Item], list[Item]]:
    """A seeded half to fit, the larger where they are odd, and the rest."""
    order = np.random.default_rng(seed).permutation(len(items))
    middle = (len(items) + 1) // 2
    return [items[i] for i in order[:middle]], [items[i] for i in order[middle:]]


def grouped(items: Iterable[Item], key: Callable[[Item], object]) -> list[list[Item]]:
    """Items of one key together, in order of first appearance."""
    groups: dict[object, list[Item]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return list(groups.values())


def held_out(points: Sequence[Point], protocol: Protocol, seed: int) -> tuple[int, np.ndarray]:
    """Rows that were fitted, and log errors of the others; a deployment of one row has none to play and is left."""
    fit_rows, played = 0, [np.empty((0, 2))]
    for group in grouped(points, lambda p: p.deployment):
        known, unknown = halves(group, seed)
        if unknown:
            played.append(errors(fitted(known, protocol), unknown, protocol))
            fit_rows += len(known)
    return fit_rows, np.concatenate(played)


def line(name: str, fit_rows: int, logs: np.ndarray) -> str:
    """One row of the table: quantiles of |played / measured - 1|."""
    off = np.abs(np.exp(logs) - 1.0)
    cells = [_quantiles(off[~np.isnan(off[:, column]), column]) for column in (0, 1)]
    return f"| {name} | {fit_rows} | {len(logs)} | {' | '.join(cells)} |"


def _quantiles(off: np.ndarray) -> str:
    return f"{np.median(off):.1%} | {np.quantile(off, 0.9):.1%}" if len(off) else "- | -"


def report(name: str, points: Sequence[Point], protocol: Protocol, seed: int) -> None:
    """Fit, play and print one table."""
    print(line(f"{name}", *held_out(points, protocol, seed)), flush=True)


def report_models(points: Sequence[Point], seed: int) -> None:
    """The aggregated vLLM rows: all, and by model and by GPU."""
    parts = [
        (group[0].deployment, held_out(group, AGGREGATED, seed)) for group in grouped(points, lambda p: p.deployment)
    ]

    def merged(name: str, chosen: Callable[[tuple[str, ...]], bool]) -> None:
        own = [part for deployment, part in parts if chosen(deployment) and len(part[1])]
        if own:
            print(line(name, sum(n for n, _ in own), np.concatenate([e for _, e in own])), flush=True)

    merged("**measured_e2e_agg, vLLM, H100/H200/B200**", lambda _: True)
    for place in (1, 0):
        for value in dict.fromkeys(d[place] for d, _ in parts):
            merged(f"&nbsp; {value}", lambda d, p=place, v=value: d[p] == v)  # type: ignore[misc]


def by_setting(points: Sequence[Point]) -> list[Point]:
    """The same rows, with coefficients for each precision and each way to spread experts and attention."""
    return [replace(p, deployment=(*p.deployment, *p.setting)) for p in points]


def report_protocols(points: Sequence[Point], seed: int) -> None:
    """Errors of the rows that were fitted, under each protocol: the choice may not see the others."""
    known = [halves(group, seed)[0] for group in grouped(points, lambda p: p.deployment)]
    for name, protocol in PROTOCOLS.items():
        logs = np.concatenate([errors(fitted(group, protocol), group, protocol) for group in known])
        print(line(name, len(logs), logs), flush=True)


def main(folder: Path, seed: int, quick: bool) -> None:
    """Print the table."""
    vllm = aggregated_points(folder)
    print(HEAD)
    report_models(vllm, seed)
    if quick:
        return
    report("&nbsp; the same, fitted per precision and EP/DP too", by_setting(vllm), AGGREGATED, seed)
    for backend in ("sglang", "trtllm"):
        report(f"measured_e2e_agg, {backend}, same GPUs", aggregated_points(folder, backend), AGGREGATED, seed)
    report(
        "measured_e2e_agg, vLLM, B300/GB200", aggregated_points(folder, "vllm", ("b300_sxm", "gb200")), AGGREGATED, seed
    )
    report("dynamo_h200 (8B FP8: idle TTFT, ITL)", dynamo_points(folder), ONE_WAVE, seed)
    report("splitwise_sim_medians", splitwise_points(folder), WHOLE_PROMPTS, seed)
    runs = [(group, halves(group, seed)) for group in grouped(measured_requests(folder), lambda r: r.deployment)]
    logs = [(group[0].deployment, len(known), run_errors(group, known, unknown)) for group, (known, unknown) in runs]
    every = np.concatenate([off for _, _, off in logs])
    print(line("llmservingsim requests (overload)", sum(n for _, n, _ in logs), every), flush=True)
    for deployment, fit_rows, off in logs:
        print(line(f"&nbsp; {deployment[0]} on {deployment[1]}", fit_rows, off), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--protocols", action="store_true")
    options = parser.parse_args()
    if options.protocols:
        print(HEAD)
        report_protocols(aggregated_points(options.folder), options.seed)
        raise SystemExit
    main(options.folder, options.seed, options.quick)
