"""The table of the README: `python -m benchmarks.azure_hour path/to/azure2023_conv.csv.gz`.

All rows are played side by side in one run; wall seconds are this machine's and only their ratios mean something.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from controlplane.simulation.backtest import BacktestResult, backtest
from controlplane.simulation.policies import policy_named

RATES = (1.0, 4.0)
POLICIES = ("tidegate", "static:1", "static:2", "static:3", "static:4", "static:5")
COLUMNS = ("rate", "policy", "met the SLO", "GPU-hours", "$", "TTFT p99", "TPOT p99", "ups / downs")
HEAD = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|"


def row(rate: float, result: BacktestResult) -> str:
    """One line of the table."""
    ttft, tpot = result.ttft_s.p99 or 0.0, result.tpot_s.p99 or 0.0
    return (
        f"| {rate:g}x | `{result.policy}` | {result.attainment:.2%} | {result.gpu_hours:.2f} | {result.cost_usd:.2f} "
        f"| {ttft:.2f} s | {tpot * 1000:.0f} ms | {result.scale_ups} / {result.scale_downs} |"
    )


def main(trace: Path) -> None:
    """Play every policy at every rate, and print."""
    print(HEAD)
    for rate in RATES:
        for policy in POLICIES:
            result = backtest(
                trace, "chat-8b", rate, lambda s, p=policy: policy_named(p, s), lambda _: None, time.perf_counter
            )
            print(row(rate, result), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
