"""NVIDIA Dynamo's planner of 1.6: a throughput loop that sets the floor, and a load loop that moves by one.

Sources: planner/core/throughput_scaling.py, load_scaling.py and state_machine.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.domain.observation import Sample
from controlplane.domain.target import Role, Slo
from controlplane.simulation.peers.dynamo_model import EngineModel
from controlplane.simulation.peers.dynamo_traffic import Traffic

MOST_PER_INTERVAL = 8
"""The throughput loop's floor moves by no more replicas than this at a time (max_throughput_scaling_replicas)."""


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """One engine's last forward pass: tokens of queued prompts, and the batch that decodes with its KV."""

    queued_tokens: float
    seqs: float
    kv_tokens: float


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Of the easy targets: one engine at `up` or above asks for more; all at `down` or below leave some to spare."""

    up: float
    down: float


PREFILL_THROUGHPUT, DECODE_THROUGHPUT = Thresholds(1.0, 0.1), Thresholds(1.0, 0.6)
"""optimization_target `throughput`: queued tokens over the context length; KV in use over capacity."""
PREFILL_LATENCY, DECODE_LATENCY = Thresholds(0.1, 0.0), Thresholds(0.4, 0.1)
"""optimization_target `latency`."""


def throughput_floor(
    model: EngineModel, slo: Slo, coming: Traffic, window_s: float, current: int, least: int = 1
) -> int:
    """The throughput loop: forecast requests/s over what an engine does within the SLA. No headroom, no queue."""
    rps = model.capacity_rps(coming.input_tokens, coming.output_tokens, slo.ttft_s, slo.tpot_s)
    if rps <= 0:
        return max(current, least)
    wanted = max(math.ceil(round(coming.requests / window_s / rps, 9)), least)
    return max(min(max(wanted, current - MOST_PER_INTERVAL), current + MOST_PER_INTERVAL), least)


def engine_load(sample: Sample, role: Role, prompt_tokens: float) -> EngineLoad | None:
    """A page's numbers as a forward pass' metrics; None where one is missing.

    What waits is prompts at a prefill or a whole engine, and ready KV caches at a decode engine.
    """
    running, waiting, usage, capacity = sample.running, sample.waiting, sample.kv_usage, sample.kv_capacity_tokens
    if running is None or waiting is None or usage is None or capacity is None:
        return None
    if role is Role.DECODE:
        return EngineLoad(0.0, running + waiting, usage * capacity + waiting * prompt_tokens)
    return EngineLoad(waiting * prompt_tokens, 0.0 if role is Role.PREFILL else running, usage * capacity)


@dataclass(frozen=True, slots=True)
class LoadLoop:
    """The load loop under the SLA target. `sensitivity` is load_scaling_down_sensitivity / 100."""

    model: EngineModel
    slo: Slo
    sensitivity: float

    def step(self, engines: Sequence[EngineLoad], prompt_tokens: float, answer_tokens: float) -> int:
        """+1, 0 or -1. Of a whole engine's two verdicts one is enough for up, and down needs both."""
        role = self.model.role
        prompt = 0 if role is Role.DECODE else self._prefill(engines, prompt_tokens)
        if role is Role.PREFILL:
            return prompt
        decode = self._decode(engines, prompt_tokens + answer_tokens / 2.0)
        if role is Role.DECODE:
            return decode
        return 1 if max(prompt, decode) > 0 else max(prompt, decode)

    def _prefill(self, engines: Sequence[EngineLoad], prompt: float) -> int:
        if all(self._ttft_s(e, 1.0, prompt) > self.slo.ttft_s for e in engines):
            return 1
        return -1 if len(engines) > 1 and all(self._prefill_spare(e, len(engines), prompt) for e in engines) else 0

    def _prefill_spare(self, engine: EngineLoad, count: int, prompt: float) -> bool:
        """Whether one engine fewer would leave this one's queue within the budget that a lone prompt leaves."""
        alone_s = self._ttft_s(EngineLoad(0.0, engine.seqs, engine.kv_tokens), 1.0, prompt)
        budget_s = (self.slo.ttft_s - alone_s) * self.sensitivity
        return budget_s > 0 and self._ttft_s(engine, count / (count - 1), prompt) - alone_s < budget_s

    def _ttft_s(self, engine: EngineLoad, crowding: float, prompt: float) -> float:
        if self.model.role is Role.PREFILL:
            return self.model.prefill_s(engine.queued_tokens * crowding + prompt)
        return self.model.prefill_s(engine.queued_tokens * crowding + prompt, engine.seqs, engine.kv_tokens)

    def _decode(self, engines: Sequence[EngineLoad], mean_context: float) -> int:
        if all(self.model.itl_s(e.seqs + 1, e.kv_tokens + mean_context) > self.slo.tpot_s for e in engines):
            return 1
        return -1 if len(engines) > 1 and all(self._decode_spare(e, len(engines), mean_context) for e in engines) else 0

    def _decode_spare(self, engine: EngineLoad, count: int, mean_context: float) -> bool:
        """Queued prompts count as KV to come."""
        crowding = count / (count - 1)
        kv_tokens = (engine.kv_tokens + engine.queued_tokens) * crowding
        if kv_tokens >= self.model.max_kv_tokens:
            return False
        itl_s = self.model.itl_s(engine.seqs * crowding + 1, kv_tokens + mean_context)
        return itl_s < self.slo.tpot_s * self.sensitivity


def easy_step(values: Sequence[float], thresholds: Thresholds) -> int:
    """The easy targets: +1, 0 or -1; not down where one engine fewer would be at the upper threshold (since 1.6)."""
    count = len(values)
    if any(value >= thresholds.up for value in values):
        return 1
    if count > 1 and all(value <= thresholds.down for value in values):
        return -1 if max(values) * count / (count - 1) < thresholds.up else 0
    return 0
