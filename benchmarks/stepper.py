"""Wall time of a step of the third-party stepper: `python -m benchmarks.stepper [PAGE]`.

PAGE is a metrics page to give to every replica; without it, pages of the simulator's engines.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from controlplane.planning.third_party import ReplicaState, Stepper
from controlplane.simulation.backtest import START_S
from controlplane.simulation.fleet import Fleet
from controlplane.simulation.scenario import load_scenario

REPLICAS, STEPS = 30, 60
POLICY = """
apiVersion: tidegate.io/v1alpha1
kind: InferenceAutoscaler
metadata: {name: chat}
spec:
  model: llama-3.1-8b
  slo: {ttftSeconds: 2, tpotSeconds: 0.1}
  variants:
  - {name: h100, accelerator: H100, minReplicas: 30, maxReplicas: 60}
"""


def simulated_page() -> str:
    """The page of an idle engine of the simulator."""
    scenario = load_scenario("league-8b")
    fleet = Fleet(scenario.workloads, {}, scenario.inventory, START_S, scenario.seed)
    return fleet.metrics_page(fleet.pods()[0].name).decode()


def main() -> None:
    """Print the median and the slowest step."""
    page = Path(sys.argv[1]).read_text(encoding="utf-8") if len(sys.argv) > 1 else simulated_page()
    stepper = Stepper.from_yaml(POLICY)
    replicas = [ReplicaState(f"pod-{i}", "h100", "Ready") for i in range(REPLICAS)]
    took_ms = []
    for number in range(STEPS):
        began = time.perf_counter()
        stepper.step(15.0 * number, replicas, {replica.name: page for replica in replicas})
        took_ms.append((time.perf_counter() - began) * 1e3)
    size = len(page) / 1e3
    print(f"{REPLICAS} pages of {size:.0f} kB: median {statistics.median(took_ms):.1f} ms, most {max(took_ms):.1f} ms")


if __name__ == "__main__":
    main()
