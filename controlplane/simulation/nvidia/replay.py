"""Plays a sine of requests through NVIDIA's simulator under a policy. Needs the extra `peers`."""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from controlplane.domain import catalog
from controlplane.domain.target import CapacityType, Mode, Policy, Role, ScaleTargetRef, Slo, Target, Variant
from controlplane.simulation.nvidia.bridge import ScalingPolicy, TidegateInNvidia, TimelineRow

HASH_BLOCK_TOKENS = 512
"""Prompts are hashes of blocks of so many tokens (the mooncake format); no two share one, so nothing is cached."""

Engine = Mapping[str, str | int | float]
ENGINES: dict[str, Engine] = {
    # The simulator's built-in polynomials, slowed down so that three replicas just carry the peak of 14 requests/s.
    "polynomial": {"speedup_ratio": 0.55},
    # aiconfigurator's measured tables; needs aiconfigurator-core.
    "b200-qwen3-32b": {
        "aic_backend": "vllm",
        "aic_system": "b200_sxm",
        "aic_model_path": "Qwen/Qwen3-32B",
        "aic_tp_size": 1,
    },
}
DYNAMO_MODES: dict[str, Mapping[str, str | bool | int]] = {
    "dynamo-throughput": {"optimization_target": "throughput"},
    "dynamo-latency": {"optimization_target": "latency"},
    "dynamo-sla": {"optimization_target": "sla"},
    "dynamo-sla-load": {"optimization_target": "sla", "enable_load_scaling": True},
}


class PeersMissing(RuntimeError):
    """NVIDIA's packages are not installed."""


@dataclass(frozen=True, slots=True)
class Sine:
    """Poisson arrivals whose rate is a sine from `low_rps`, where it begins, to `high_rps`."""

    period_s: float
    duration_s: float
    low_rps: float = 2.0
    high_rps: float = 14.0
    input_tokens: int = 3000
    output_tokens: int = 150
    seed: int = 0

    def rate(self, at_s: float) -> float:
        """Requests/s expected at `at_s`."""
        half = (self.high_rps - self.low_rps) / 2.0
        return self.low_rps + half * (1.0 - math.cos(2.0 * math.pi * at_s / self.period_s))

    def arrivals_s(self) -> list[float]:
        """Arrival times by thinning (Lewis & Shedler 1979), ascending."""
        rng = np.random.default_rng(self.seed)
        count = int(rng.poisson(self.high_rps * self.duration_s))
        times = np.sort(rng.uniform(0.0, self.duration_s, count))
        kept = rng.uniform(0.0, self.high_rps, count) < np.array([self.rate(float(t)) for t in times])
        return [float(t) for t in times[kept]]

    def write(self, path: Path) -> None:
        """The trace in the mooncake format, one JSON object a line."""
        blocks = math.ceil(self.input_tokens / HASH_BLOCK_TOKENS)
        with path.open("w") as file:
            for place, at_s in enumerate(self.arrivals_s()):
                hashes = list(range(place * blocks, (place + 1) * blocks))
                row = {"timestamp": round(at_s * 1000.0, 3), "input_length": self.input_tokens}
                file.write(json.dumps({**row, "output_length": self.output_tokens, "hash_ids": hashes}) + "\n")


@dataclass(frozen=True, slots=True)
class NvidiaResult:
    """`goodput` is the share of all requests that met TTFT and ITL, by the simulator's own count; so are GPU-hours,
    which begin when a worker starts and not when it is ready."""

    policy: str
    requests: int
    goodput: float
    gpu_hours: float
    scale_events: int
    ttft_p50_s: float
    ttft_p99_s: float
    itl_p50_s: float
    itl_p99_s: float
    timeline: tuple[TimelineRow, ...] = ()

    def to_json(self) -> str:
        """The result as a JSON object, indented."""
        return json.dumps(asdict(self), indent=2)


def installed() -> bool:
    """Whether the simulator can be imported."""
    return importlib.util.find_spec("dynamo") is not None and importlib.util.find_spec("dynamo._core") is not None


def target(slo: Slo, most: int) -> Target:
    """A target for the simulator's workers. The simulator's engine is nobody's GPU: the prior is an 8B model on an
    H100, and what is wrong with it has to be learned."""
    gpu = catalog.accelerator("H100")
    ref = ScaleTargetRef("apps/v1", "Deployment", "worker")
    variant = Variant(
        "worker",
        ref,
        Role.BOTH,
        gpu.name,
        1,
        CapacityType.ON_DEMAND,
        gpu.usd_per_hour,
        min_replicas=1,
        max_replicas=most,
    )
    return Target("default", "nvidia", "llama-3.1-8b", (variant,), Policy(Mode.LIVE, slo))


def replay(
    policy: str, sine: Sine, startup_s: float, engine: Engine, slo: Slo, folder: Path, most: int = 16
) -> NvidiaResult:
    """Play the sine from one replica (`static:N`: from N). The trace is written into `folder`.

    Raises:
        PeersMissing: if NVIDIA's packages are not installed.
        ValueError: if the policy is unknown.
    """
    workers = _workers(policy)
    if not installed():
        raise PeersMissing("NVIDIA's simulator is not installed; pip install 'tidegate[peers]'")
    core = importlib.import_module("dynamo._core")
    arguments = core.MockEngineArgs(startup_time=startup_s, **engine)
    trace = folder / "trace.jsonl"
    sine.write(trace)

    def play(workers: int, scaling: ScalingPolicy | None) -> Any:
        return core.run_mocker_trace_replay(
            [str(trace)],
            extra_engine_args=arguments,
            num_workers=workers,
            trace_block_size=HASH_BLOCK_TOKENS,
            sla_ttft_ms=slo.ttft_s * 1000.0,
            sla_itl_ms=slo.tpot_s * 1000.0,
            scaling_policy=scaling,
        ).summary

    if policy.startswith("static:"):
        return _result(policy, play(workers, None), 0)
    if policy == "tidegate":
        bridge = TidegateInNvidia(target(slo, most), float(arguments.num_gpu_blocks * arguments.block_size))
        summary = play(workers, bridge)
        return _result(policy, summary, len(bridge.events), tuple(bridge.timeline))
    return _dynamo(policy, arguments, slo, most, play)


def _workers(policy: str) -> int:
    """How many workers a policy begins with."""
    kind, _, number = policy.partition(":")
    if kind == "static" and number.isdigit() and int(number) >= 1:
        return int(number)
    if policy == "tidegate" or policy in DYNAMO_MODES:
        return 1
    raise ValueError(f"policy is {policy!r}; allowed: static:N, tidegate, {', '.join(DYNAMO_MODES)}")


def _dynamo(policy: str, arguments: Any, slo: Slo, most: int, play: Any) -> NvidiaResult:
    """Dynamo's own planner code, as its own replay command runs it."""
    planner = importlib.import_module("dynamo.replay.planner")
    config = {
        "mode": "agg",
        "backend": "vllm",
        "environment": "virtual",
        "ttft_ms": slo.ttft_s * 1000.0,
        "itl_ms": slo.tpot_s * 1000.0,
        "decode_engine_num_gpu": 1,
        "max_gpu_budget": most,
        **DYNAMO_MODES[policy],
    }
    with planner.planner_replay_adapter(arguments, None, None, json.dumps(config), capture_details=False) as adapter:
        summary = play(1, adapter)
        return _result(policy, summary, len(adapter.finalize([]).scaling_events))


def _result(
    policy: str, summary: Mapping[str, Any], events: int, timeline: tuple[TimelineRow, ...] = ()
) -> NvidiaResult:
    return NvidiaResult(
        policy=policy,
        requests=int(summary["num_requests"]),
        goodput=summary["goodput_completed_requests"] / summary["num_requests"],
        gpu_hours=summary["gpu_hours"],
        scale_events=events,
        ttft_p50_s=summary["median_ttft_ms"] / 1000.0,
        ttft_p99_s=summary["p99_ttft_ms"] / 1000.0,
        itl_p50_s=summary["median_tpot_ms"] / 1000.0,
        itl_p99_s=summary["p99_tpot_ms"] / 1000.0,
        timeline=timeline,
    )
