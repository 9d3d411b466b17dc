"""NVIDIA Dynamo's SLA planner of 0.4 to 0.9 (utils/planner_core.py): profile, forecast and correction factors."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from controlplane.domain.target import Role, Slo
from controlplane.observing.histograms import mean
from controlplane.simulation.backtest import Policy
from controlplane.simulation.lifecycle import Workload
from controlplane.simulation.peers.dynamo_model import EngineModel, engine_model
from controlplane.simulation.peers.dynamo_predictors import PredictorName
from controlplane.simulation.peers.dynamo_traffic import Traffic, TrafficForecast
from controlplane.simulation.peers.increase import Increase, PoolCounters
from controlplane.simulation.peers.peer import Peer
from controlplane.simulation.peers.workload import PerVariant, Seen, serving_bounds
from controlplane.simulation.scenario import Scenario


@dataclass(frozen=True, slots=True)
class ClassicSettings:
    """Dynamo's SLAPlannerDefaults; TTFT and ITL are the target's own SLO."""

    interval_s: float = 180.0
    """adjustment_interval."""
    predictor: PredictorName = PredictorName.ARIMA
    """load_predictor."""
    correction: bool = True
    """Not no_correction."""
    sla_share: float = 1.0
    """Of the SLO that is aimed at: its means are held to the limit, so an operator may set them lower."""
    profiled: bool = True
    """It profiles the engine before the deployment; False leaves it the datasheets' step cost."""
    scrape_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Corrections:
    """What was measured over what the profile says."""

    prefill: float = 1.0
    decode: float = 1.0


def corrections(model: EngineModel, did: Increase, engines: int, window_s: float) -> Corrections | None:
    """The correction factors of an interval; None where a number is missing, and the tick is skipped."""
    ttft_s, itl_s = mean(did.ttft_s), mean(did.itl_s)
    prompt, answer = did.input_tokens, did.output_tokens
    if prompt is None or answer is None or ttft_s is None or not engines:
        return None
    prefill = ttft_s / model.prefill_s(prompt)
    if model.role is Role.PREFILL:
        return Corrections(prefill=prefill)
    if itl_s is None:
        return None
    in_flight = did.arrivals / engines * (ttft_s + answer * itl_s) / window_s
    expected_s = model.itl_s(in_flight, in_flight * (prompt + answer / 2.0))
    return Corrections(prefill, itl_s / expected_s)


def replicas(model: EngineModel, slo: Slo, coming: Traffic, found: Corrections, window_s: float) -> int:
    """Engines for the interval to come, at least one.

    A slow prefill is never corrected upwards: `min(1, factor)`. A target that is not split needs the sum of both
    parts; Dynamo's own planner has no such mode before 1.0.
    """
    need = 0.0
    if model.role is not Role.DECODE:
        need += coming.requests * model.prefill_s(coming.input_tokens) / window_s * min(1.0, found.prefill)
    if model.role is not Role.PREFILL:
        limit_s = slo.tpot_s / found.decode if found.decode > 0 else slo.tpot_s
        context = coming.input_tokens + coming.output_tokens / 2.0
        need += coming.requests * coming.output_tokens / window_s / model.decode_tokens_per_s(context, limit_s)
    return max(1, math.ceil(round(need, 9)))


class ClassicScaler:
    """One planner for one role's Deployment."""

    def __init__(self, workload: Workload, settings: ClassicSettings) -> None:
        self._settings = settings
        slo = workload.target.policy.slo
        self._slo = replace(slo, ttft_s=slo.ttft_s * settings.sla_share, tpot_s=slo.tpot_s * settings.sla_share)
        self._model = engine_model(workload, settings.profiled)
        self._bounds = serving_bounds(workload.variant)
        self._counters = PoolCounters(settings.interval_s)
        self._forecast = TrafficForecast(settings.predictor)
        self._due_at_s: float | None = None

    def step(self, seen: Seen) -> int:
        """See `Scaler`. It scrapes every time, and decides at the end of every interval."""
        now_s, window_s = seen.now_s, self._settings.interval_s
        self._counters.add(now_s, seen.samples)
        if self._due_at_s is None:
            self._due_at_s = now_s + window_s
        if now_s < self._due_at_s:
            return seen.desired
        self._due_at_s = now_s + window_s
        wanted = self._decide(self._counters.since(now_s - window_s), seen.ready)
        return seen.desired if wanted is None else self._bounds.clamp(wanted)

    def _decide(self, did: Increase, ready: int) -> int | None:
        window_s = self._settings.interval_s
        self._forecast.add(did)
        coming, found = self._forecast.next(), corrections(self._model, did, ready, window_s)
        if coming is None or found is None:
            return None
        return replicas(self._model, self._slo, coming, found if self._settings.correction else Corrections(), window_s)


def _make(scenario: Scenario, settings: ClassicSettings) -> Policy:
    return PerVariant("dynamo-classic", settings.scrape_s, scenario, lambda workload: ClassicScaler(workload, settings))


DEFAULTS = ClassicSettings()
DYNAMO_CLASSIC_PEER = Peer(
    "dynamo-classic",
    _make,
    DEFAULTS,
    (
        *(replace(DEFAULTS, sla_share=share) for share in (0.7, 0.5, 0.35)),
        *(replace(DEFAULTS, sla_share=share, interval_s=60.0) for share in (1.0, 0.7, 0.5)),
        *(replace(DEFAULTS, sla_share=s, interval_s=60.0, predictor=PredictorName.KALMAN) for s in (0.7, 0.5)),
        replace(DEFAULTS, sla_share=0.5, interval_s=60.0, predictor=PredictorName.CONSTANT),
        replace(DEFAULTS, sla_share=0.5, correction=False),
    ),
)
