"""Dynamo 1.6's two loops as a policy: `dynamo-load`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from controlplane.domain.target import Role
from controlplane.simulation.backtest import Policy
from controlplane.simulation.lifecycle import Workload
from controlplane.simulation.peers.dynamo_load import (
    DECODE_LATENCY,
    DECODE_THROUGHPUT,
    PREFILL_LATENCY,
    PREFILL_THROUGHPUT,
    EngineLoad,
    LoadLoop,
    easy_step,
    engine_load,
    throughput_floor,
    typical,
)
from controlplane.simulation.peers.dynamo_model import engine_model
from controlplane.simulation.peers.dynamo_predictors import PredictorName
from controlplane.simulation.peers.dynamo_traffic import TrafficForecast
from controlplane.simulation.peers.increase import PoolCounters
from controlplane.simulation.peers.peer import Peer
from controlplane.simulation.peers.workload import PerVariant, Seen, serving_bounds
from controlplane.simulation.scenario import Scenario


class OptimizationTarget(StrEnum):
    """Dynamo's `optimization_target`; the last two are its easy ones, by thresholds and without the throughput loop."""

    SLA = "sla"
    THROUGHPUT = "throughput"
    LATENCY = "latency"


@dataclass(frozen=True, slots=True)
class DynamoLoadSettings:
    """Dynamo's PlannerConfig with target `sla` and both loops on; TTFT and ITL are the target's own SLO."""

    target: OptimizationTarget = OptimizationTarget.SLA
    throughput_scaling: bool = True
    throughput_interval_s: float = 180.0
    """throughput_adjustment_interval_seconds."""
    load_interval_s: float = 5.0
    """load_adjustment_interval_seconds."""
    sensitivity: float = 0.8
    """load_scaling_down_sensitivity, 80 of 100."""
    predictor: PredictorName = PredictorName.ARIMA
    sla_share: float = 1.0
    """Of the SLO that is aimed at, see ClassicSettings."""
    profiled: bool = True
    """It profiles the engine before the deployment; False leaves it the datasheets' step cost."""


class DynamoLoadScaler:
    """Both loops of one role's Deployment."""

    def __init__(self, workload: Workload, settings: DynamoLoadSettings) -> None:
        self._settings = settings
        slo = workload.target.policy.slo
        self._slo = replace(slo, ttft_s=slo.ttft_s * settings.sla_share, tpot_s=slo.tpot_s * settings.sla_share)
        self._model = engine_model(workload, settings.profiled)
        self._context_length = workload.limits.max_context_tokens
        self._loop = LoadLoop(self._model, self._slo, settings.sensitivity)
        self._bounds = serving_bounds(workload.variant)
        self._counters = PoolCounters(settings.throughput_interval_s)
        self._forecast = TrafficForecast(settings.predictor)
        self._floor = self._bounds.low
        self._due_at_s: float | None = None

    def step(self, seen: Seen) -> int:
        """See `Scaler`. While replicas are on their way neither loop acts."""
        self._counters.add(seen.now_s, seen.samples)
        if self._settings.throughput_scaling and self._settings.target is OptimizationTarget.SLA:
            self._raise_floor(seen)
        if seen.ready != seen.desired or len(seen.samples) != seen.ready or not seen.ready:
            return seen.desired
        return self._bounds.clamp(max(seen.ready + self._move(seen), self._floor))

    def _raise_floor(self, seen: Seen) -> None:
        window_s = self._settings.throughput_interval_s
        if self._due_at_s is None:
            self._due_at_s = seen.now_s + window_s
        if seen.now_s < self._due_at_s:
            return
        self._due_at_s = seen.now_s + window_s
        self._forecast.add(self._counters.since(seen.now_s - window_s))
        coming = self._forecast.next()
        if coming is not None:
            least = self._bounds.low
            self._floor = throughput_floor(self._model, self._slo, coming, window_s, seen.desired, least)

    def _move(self, seen: Seen) -> int:
        did = self._counters.since(seen.now_s - self._settings.throughput_interval_s)
        mean = typical(did, self._model.max_batched_tokens)
        if mean is None:
            return 0
        found = [engine_load(sample, self._model.role, did.input_tokens or 0.0) for sample in seen.samples]
        engines = [load for load in found if load is not None]
        if len(engines) < len(found):
            return 0
        return (
            self._loop.step(engines, mean) if self._settings.target is OptimizationTarget.SLA else self._easy(engines)
        )

    def _easy(self, engines: list[EngineLoad]) -> int:
        latency = self._settings.target is OptimizationTarget.LATENCY
        if self._model.role is Role.PREFILL:
            values = [e.queued_tokens / self._context_length for e in engines]
            return easy_step(values, PREFILL_LATENCY if latency else PREFILL_THROUGHPUT)
        values = [(e.kv_tokens + e.queued_tokens) / self._model.max_kv_tokens for e in engines]
        return easy_step(values, DECODE_LATENCY if latency else DECODE_THROUGHPUT)


def _make(scenario: Scenario, settings: DynamoLoadSettings) -> Policy:
    return PerVariant(
        "dynamo-load", settings.load_interval_s, scenario, lambda workload: DynamoLoadScaler(workload, settings)
    )


DEFAULTS = DynamoLoadSettings()
DYNAMO_LOAD_PEER = Peer(
    "dynamo-load",
    _make,
    DEFAULTS,
    (
        *(replace(DEFAULTS, sla_share=share) for share in (0.7, 0.5, 0.35)),
        *(replace(DEFAULTS, sla_share=share, throughput_interval_s=60.0) for share in (1.0, 0.7, 0.5)),
        replace(DEFAULTS, sla_share=0.5, throughput_interval_s=60.0, predictor=PredictorName.KALMAN),
        replace(DEFAULTS, sla_share=0.5, throughput_interval_s=60.0, sensitivity=0.5),
        replace(DEFAULTS, sla_share=0.5, throughput_scaling=False),
        replace(DEFAULTS, target=OptimizationTarget.THROUGHPUT),
        replace(DEFAULTS, target=OptimizationTarget.LATENCY),
    ),
)
