"""The simulated cluster as a process of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from controlplane.adapters.clock import clock_from_anchor
from controlplane.crds import inference_autoscaler
from controlplane.simulation.fleet import Fleet
from controlplane.simulation.scenario import Scenario, load_scenario
from controlplane.simulation.server import ClusterServer, read_state
from controlplane.simulation.traffic import Traffic, read_trace


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """What to simulate, and where to keep it."""

    scenario: str
    trace: Path | None
    state_dir: Path
    kubeconfig: Path
    clock_path: Path | None
    port: int = 0


async def run_cluster(options: ClusterOptions) -> None:
    """Simulate until cancelled.

    Raises:
        ScenarioError, TraceError, ClockError: if what to simulate cannot be read.
    """
    scenario = load_scenario(options.scenario)
    clock = clock_from_anchor(options.clock_path)
    now_s = clock.now_s()
    options.state_dir.mkdir(parents=True, exist_ok=True)
    state_path = options.state_dir / f"cluster-{scenario.name}.json"
    kept = read_state(state_path).get("replicas", {})
    traffic = _traffic(scenario, options, now_s)
    fleet = Fleet(scenario.workloads, traffic, scenario.inventory, now_s, scenario.seed, kept, scenario.stock_outs)
    server = ClusterServer(fleet, clock, inference_autoscaler(), scenario.manifests, state_path, options.port)
    await server.start()
    server.write_kubeconfig(options.kubeconfig)
    try:
        await server.wait()
    finally:
        await server.stop()


def _traffic(scenario: Scenario, options: ClusterOptions, now_s: float) -> dict[str, Traffic]:
    """The generated day, which knows what time it is; or the trace, from where it was left."""
    if options.trace is None:
        return scenario.generated()
    origin_path = options.state_dir / f"trace-{options.trace.name}.json"
    if origin_path.exists():
        origin_s = float(json.loads(origin_path.read_text(encoding="utf-8"))["origin_s"])
    else:
        origin_s = now_s
        origin_path.write_text(json.dumps({"origin_s": origin_s}), encoding="utf-8")
    return scenario.played(read_trace(options.trace), origin_s, repeat=True)
