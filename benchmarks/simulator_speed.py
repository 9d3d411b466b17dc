"""Requests a minute that the simulator plays on one core:
`python -m benchmarks.simulator_speed ../shared/traces/azure2023_conv.csv.gz`.

CPU time of this process, which is one thread and which other work on the machine does not stretch. A first play, not
counted, compiles the core.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from controlplane.simulation.backtest import BacktestResult, play
from controlplane.simulation.policies import policy_named
from controlplane.simulation.scenario import load_scenario
from controlplane.simulation.traffic import Trace, read_trace

ASKED = 5_000_000
"""Requests a minute that are asked for."""
SCENARIO = "chat-8b"
WARM_UP_S = 120.0


def played(trace: Trace, replicas: int) -> BacktestResult:
    """The trace on a fleet of that many replicas."""
    scenario = load_scenario(SCENARIO)
    return play(scenario, trace, policy_named(f"static:{replicas}", scenario), lambda _: None, lambda: 0.0)


def main(path: Path, rate: float, replicas: int, runs: int) -> None:
    """Print one line a run."""
    trace = read_trace(path).scaled(rate)
    played(trace.window(0.0, WARM_UP_S), replicas)
    print("| requests | tokens | replicas | TTFT p50 | CPU s | requests a minute | of 5 million |")
    print("|---|---|---|---|---|---|---|")
    for _ in range(runs):
        began_s = time.process_time()
        result = played(trace, replicas)
        spent_s = time.process_time() - began_s
        rate_per_minute = result.requests / spent_s * 60.0
        tokens = int(trace.input_tokens.sum() + trace.output_tokens.sum())
        ttft_s = result.ttft_s.p50 or 0.0
        print(
            f"| {result.requests} | {tokens / 1e6:.0f} M | {replicas} | {ttft_s:.3f} s | {spent_s:.2f} "
            f"| {rate_per_minute / 1e6:.2f} M | {rate_per_minute / ASKED:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", type=Path)
    parser.add_argument("--rate", type=float, default=8.0)
    parser.add_argument("--replicas", type=int, default=16)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    main(options.trace, options.rate, options.replicas, options.runs)
