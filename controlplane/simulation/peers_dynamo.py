"""Dynamo's own planner code (`ai-dynamo==1.5.1`) as a policy of our simulator, to check our account of it against.

Its replay adapter is asked exactly as NVIDIA's simulator asks it: once per load interval, with the newest forward pass
of each worker and the traffic since the last tick. Both are made here from what our engines' pages say.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from controlplane.domain import catalog
from controlplane.domain.observation import Histogram, Replica, ReplicaPhase, Sample
from controlplane.domain.target import Target
from controlplane.observing.histograms import difference
from controlplane.planning.roofline import BLOCK_SIZE_TOKENS, MAX_BATCHED_TOKENS, MAX_NUM_SEQS, kv_capacity_tokens
from controlplane.simulation.backtest import FleetView
from controlplane.simulation.scenario import Scenario, ScenarioError

LOAD_INTERVAL_S = 5.0
"""Dynamo's `load_adjustment_interval_seconds`."""


class Adapter(Protocol):
    """Dynamo's `ReplayPlannerAdapter`, as far as it is used; times are milliseconds since the start."""

    def initial_tick_ms(self) -> float:
        """When to be asked first."""
        ...

    def on_tick(self, result: dict[str, Any]) -> Mapping[str, float | int | None]:
        """`target_decode` (None: as it is) and `next_tick_ms`."""
        ...


def installed() -> bool:
    """Whether Dynamo's planner can be imported."""
    if importlib.util.find_spec("dynamo") is None:
        return False
    return importlib.util.find_spec("dynamo.planner") is not None and importlib.util.find_spec("sklearn") is not None


class DynamoCodePolicy:
    """Dynamo's aggregated planner on the first variant of a target; the other variants are kept at none.

    `mode` is Dynamo's `optimization_target`: `throughput` (its default) and `latency` watch queues and KV cache, `sla`
    the limits, here without the performance tables of aiconfigurator.
    """

    name = "dynamo-code"
    interval_s = LOAD_INTERVAL_S

    def __init__(self, scenario: Scenario, adapter: Adapter | None = None, mode: str = "throughput") -> None:
        self._target = scenario.targets[0]
        if self._target.split:
            raise ScenarioError(f"{self.name} plays targets whose roles are all Both; {self._target.key} splits them")
        self._variant = self._target.variants[0]
        self._adapter = adapter or _adapter(self._target, self._variant.gpus_per_replica, mode)
        self._next_s = self._adapter.initial_tick_ms() / 1000.0
        self._began_s: float | None = None
        self._ticks = TickMaker(self._variant.name)
        self._wanted = {v.name: 0 for v in self._target.variants}

    def step(self, view: FleetView) -> Mapping[str, Mapping[str, int]]:
        """See `Policy`."""
        if self._began_s is None:
            self._began_s = view.now_s
            self._wanted[self._variant.name] = max(1, view.desired(self._target.key).get(self._variant.name, 1))
        at_s = view.now_s - self._began_s
        if at_s >= self._next_s:
            tick = self._ticks.make(at_s, view.replicas(self._target.key), view.samples(self._target.key))
            answer = self._adapter.on_tick(tick)
            wanted, next_ms = answer["target_decode"], answer["next_tick_ms"]
            if wanted is not None:
                self._wanted[self._variant.name] = min(max(int(wanted), 1), self._variant.max_replicas)
            self._next_s = float("inf") if next_ms is None else float(next_ms) / 1000.0
        return {self._target.key: dict(self._wanted)}


def _adapter(target: Target, gpus: int, mode: str) -> Adapter:
    if not installed():
        words = "pip install 'tidegate[peers]', then pip install --no-deps ai-dynamo==1.5.1 aiconfigurator-core==0.12.0"
        raise ScenarioError(f"{DynamoCodePolicy.name} needs Dynamo's planner: {words}")
    planner = importlib.import_module("dynamo.replay.planner")
    slo, gpu = target.policy.slo, catalog.accelerator(target.variants[0].accelerator)
    config = {
        "mode": "agg",
        "backend": "vllm",
        "environment": "virtual",
        "optimization_target": mode,
        "ttft_ms": slo.ttft_s * 1000.0,
        "itl_ms": slo.tpot_s * 1000.0,
        "decode_engine_num_gpu": gpus,
        "max_gpu_budget": target.variants[0].max_replicas * gpus,
    }
    engine = importlib.import_module("dynamo.mocker").MockEngineArgs(
        num_gpu_blocks=kv_capacity_tokens(catalog.model(target.model), gpu, gpus) // BLOCK_SIZE_TOKENS,
        block_size=BLOCK_SIZE_TOKENS,
        max_num_seqs=MAX_NUM_SEQS,
        max_num_batched_tokens=MAX_BATCHED_TOKENS,
    )
    prepared: Adapter = planner.prepare_planner_replay(engine, None, None, json.dumps(config), capture_details=False)
    return prepared


class TickMaker:
    """Our samples as NVIDIA's simulator would tell them. Workers are numbered in the order in which they appear."""

    def __init__(self, variant: str) -> None:
        self._variant = variant
        self._numbers: dict[str, int] = {}
        self._before: dict[str, Sample] = {}
        self._at_s = 0.0
        self._count = 0

    def make(self, at_s: float, replicas: Iterable[Replica], samples: Iterable[Sample]) -> dict[str, Any]:
        """The tick at `at_s` seconds after the start."""
        own = [s for s in samples if s.variant == self._variant]
        # A worker that is new did all that it did since the last tick.
        steps = [(s, self._before.get(s.replica) or Sample(s.replica, s.variant, s.at_s)) for s in own]
        active = [self._number(s.replica) for s in own]
        ids = {p: self._ids(replicas, p) for p in ReplicaPhase}
        tick = {
            "tick_ordinal": self._count,
            "now_ms": at_s * 1000.0,
            **_pool("prefill", [], [], []),
            **_pool("decode", active, ids[ReplicaPhase.PENDING], ids[ReplicaPhase.TERMINATING]),
            "prefill_fpm_snapshots": [],
            "decode_fpm_snapshots": [forward_pass(self._number(s.replica), s, b) for s, b in steps],
            "traffic": traffic(at_s - self._at_s, steps),
        }
        self._before, self._at_s = {s.replica: s for s in own}, at_s
        self._count += 1
        return tick

    def _ids(self, replicas: Iterable[Replica], phase: ReplicaPhase) -> list[int]:
        return [self._number(r.name) for r in replicas if r.variant == self._variant and r.phase is phase]

    def _number(self, replica: str) -> int:
        return self._numbers.setdefault(replica, len(self._numbers))


def _pool(name: str, active: list[int], starting: list[int], draining: list[int]) -> dict[str, Any]:
    return {
        f"active_{name}_ids": active,
        f"active_{name}_count": len(active),
        f"starting_{name}_ids": starting,
        f"draining_{name}_ids": draining,
        f"non_draining_{name}_count": len(active) + len(starting),
    }


def forward_pass(worker: int, now: Sample, before: Sample) -> dict[str, Any]:
    """The mean step since `before` and the queue now. A page tells no variances and no tokens of the queue."""
    itl = _grown(now.itl_s, before.itl_s)
    steps = _grown(now.iteration_tokens, before.iteration_tokens)
    prompts = _less(now.prompt_tokens_total, before.prompt_tokens_total)
    chunk = round(prompts / steps[1]) if steps[1] else 0
    running, waiting = round(now.running or 0.0), round(now.waiting or 0.0)
    length = _mean(now.prompt_tokens)
    return {
        "worker_id": worker,
        "dp_rank": 0,
        "wall_time": _ratio(itl),
        "num_prefill_requests": 1 if chunk else 0,
        "sum_prefill_tokens": chunk,
        "var_prefill_length": 0.0,
        "sum_prefill_kv_tokens": 0,
        "num_decode_requests": running,
        "sum_decode_kv_tokens": round((now.kv_usage or 0.0) * (now.kv_capacity_tokens or 0.0)),
        "var_decode_kv_tokens": 0.0,
        "num_queued_prefill": waiting,
        "sum_queued_prefill_tokens": round(waiting * length),
        "var_queued_prefill_length": 0.0,
        "num_queued_decode": 0,
        "sum_queued_decode_kv_tokens": 0,
        "var_queued_decode_kv_tokens": 0.0,
    }


def traffic(seconds: float, steps: Sequence[tuple[Sample, Sample]]) -> dict[str, Any]:
    """What came and what was finished between two samples of each worker; arrivals by flow conservation."""
    finished = sum(_less(now.finished_total, old.finished_total) for now, old in steps)
    held = sum(_held(now) - _held(old) for now, old in steps)
    prompts = _total(_grown(now.prompt_tokens, old.prompt_tokens) for now, old in steps)
    answers = _total(_grown(now.generation_tokens, old.generation_tokens) for now, old in steps)
    ttft = _total(_grown(now.ttft_s, old.ttft_s) for now, old in steps)
    tpot = _total(_grown(now.tpot_s, old.tpot_s) for now, old in steps)
    return {
        "duration_s": seconds,
        "num_req": max(0.0, finished + held),
        "avg_isl": _ratio(prompts),
        "avg_osl": _ratio(answers),
        "avg_ttft_ms": _ratio(ttft) * 1000.0,
        "avg_itl_ms": _ratio(tpot) * 1000.0,
        "shape_count": prompts[1],
        "ttft_count": ttft[1],
        "itl_count": tpot[1],
        "avg_accept_length": None,
        "avg_kv_hit_rate": 0.0,
        "hit_rate_count": 0,
        "accept_length_forward_count": 0,
    }


def _held(sample: Sample) -> float:
    return (sample.running or 0.0) + (sample.waiting or 0.0)


def _less(newer: float | None, older: float | None) -> float:
    return max(0.0, (newer or 0.0) - (older or 0.0))


def _grown(newer: Histogram | None, older: Histogram | None) -> tuple[float, float]:
    """Sum and count of what was observed since."""
    grown = None if newer is None else difference(newer, older)
    return (0.0, 0.0) if grown is None else (grown.sum, grown.count)


def _total(pairs: Iterable[tuple[float, float]]) -> tuple[float, float]:
    known = list(pairs)
    return sum(total for total, _ in known), sum(count for _, count in known)


def _ratio(sum_and_count: tuple[float, float]) -> float:
    """The mean; nought of nothing, as Dynamo tells it, beside a count that says so."""
    total, count = sum_and_count
    return total / count if count else 0.0


def _mean(histogram: Histogram | None) -> float:
    return _ratio((histogram.sum, histogram.count)) if histogram is not None else 0.0
