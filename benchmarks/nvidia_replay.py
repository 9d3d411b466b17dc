"""Tidegate, constant fleets and Dynamo's planner in NVIDIA's simulator:

    python -m benchmarks.nvidia_replay --period 600 --duration 1200 --startup 60 --policy tidegate

Poisson arrivals on a sine of 2 to 14 requests/s that begins at its lowest, 3,000 tokens in, 150 out, TTFT <= 500 ms and
ITL <= 50 ms, from one replica. Needs the extra `peers`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from controlplane.domain.target import Slo
from controlplane.simulation.nvidia.replay import DYNAMO_MODES, ENGINES, NvidiaResult, Sine, replay


def main() -> None:
    """Play each policy that is named, print a line each."""
    options = _options()
    sine = Sine(options.period, options.duration, seed=options.seed)
    for policy in options.policy:
        with tempfile.TemporaryDirectory() as folder:
            slo = Slo(ttft_s=0.5, tpot_s=0.05)
            result = replay(policy, sine, options.startup, ENGINES[options.engine], slo, Path(folder))
        print(_line(result), flush=True)
        if options.timeline:
            _print_timeline(result, options.timeline)
        if options.json:
            Path(options.json).write_text(result.to_json())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--period", type=float, default=600.0, help="of the sine, seconds")
    parser.add_argument("--duration", type=float, default=1200.0, help="seconds")
    parser.add_argument("--startup", type=float, default=60.0, help="of a worker, seconds")
    policies = ", ".join(("static:N", "tidegate", *DYNAMO_MODES))
    parser.add_argument("--policy", action="append", required=True, help=f"one or more of {policies}")
    parser.add_argument("--engine", choices=ENGINES, default="polynomial")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeline", type=float, default=0.0, help="print a row every so many seconds")
    parser.add_argument("--json", help="where to write the (last) result with its timeline")
    return parser.parse_args()


def _line(result: NvidiaResult) -> str:
    return (
        f"{result.policy:18} goodput {result.goodput:7.2%}  {result.gpu_hours:.3f} GPU-h  "
        f"{result.scale_events} events  "
        f"TTFT p50 {result.ttft_p50_s * 1000:.0f} p99 {result.ttft_p99_s * 1000:.0f} ms  "
        f"ITL p50 {result.itl_p50_s * 1000:.0f} p99 {result.itl_p99_s * 1000:.0f} ms  {result.requests} requests"
    )


COLUMNS = (
    ("at_s", "7.0f"),
    ("offered_rps", "7.2f"),
    ("observed_rps", "7.2f"),
    ("forecast_p50_rps", "7.2f"),
    ("forecast_rps", "7.2f"),
    ("demand_rps", "7.2f"),
    ("capacity_rps", "7.2f"),
    ("calibration", "6.2f"),
    ("ready", "3d"),
    ("starting", "3d"),
    ("desired", "3d"),
    ("in_system", "6.0f"),
    ("waiting", "5.0f"),
    ("ttft_s", "7.3f"),
    ("tpot_s", "6.3f"),
)


def _print_timeline(result: NvidiaResult, every_s: float) -> None:
    print(" ".join(name for name, _ in COLUMNS), "reason")
    next_s = 0.0
    for row in result.timeline:
        if row.at_s >= next_s:
            next_s = row.at_s + every_s
            values = ((getattr(row, name), shape) for name, shape in COLUMNS)
            print(*("-".rjust(5) if value is None else format(value, shape) for value, shape in values), row.reason)


if __name__ == "__main__":
    main()
