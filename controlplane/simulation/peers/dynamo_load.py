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
from controlplane.simulation.peers.increase import Increase

MOST_PER_INTERVAL = 8
"""The throughput loop's floor moves by no more replicas than this at a time (max_throughput_scaling_replicas)."""


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """One engine's last forward pass: requests and tokens of queued prompts, and the batch that decodes with its KV."""

    queued_seqs: float
    queued_tokens: float
    seqs: float
    kv_tokens: float


@dataclass(frozen=True, slots=True)
class Typical:
    """Means over the last forward passes, those without prompts included, as the planner takes them."""

    prompt_tokens: float
    """Of a prompt in a pass (`avg_isl`): less than a prompt's length, and far less where most passes read none."""
    context_tokens: float
    """KV of a sequence that decodes (`avg_decode_length`)."""
    beside_tokens: float
    """Of all prompts in a pass: what a whole engine's decode steps read beside."""


def typical(did: Increase, chunk_tokens: int) -> Typical | None:
    """What the passes of an interval were like; None before any request has ended."""
    prompt, answer = did.input_tokens, did.output_tokens
    if prompt is None or answer is None or did.iterations <= 0:
        return None
    passes_with_prompts = did.prompt_tokens / prompt * math.ceil(prompt / chunk_tokens)
    share = min(1.0, passes_with_prompts / did.iterations)
    return Typical(min(prompt, chunk_tokens) * share, prompt + answer / 2.0, did.prompt_tokens / did.iterations)


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
        return EngineLoad(0.0, 0.0, running + waiting, usage * capacity + waiting * prompt_tokens)
    return EngineLoad(waiting, waiting * prompt_tokens, 0.0 if role is Role.PREFILL else running, usage * capacity)


@dataclass(frozen=True, slots=True)
class LoadLoop:
    """The load loop under the SLA target. `sensitivity` is load_scaling_down_sensitivity / 100."""

    model: EngineModel
    slo: Slo
    sensitivity: float

    def step(self, engines: Sequence[EngineLoad], mean: Typical) -> int:
        """+1, 0 or -1. Of a whole engine's two verdicts one is enough for up, and down needs both."""
        role = self.model.role
        prompt = 0 if role is Role.DECODE else self._prefill(engines, mean)
        if role is Role.PREFILL:
            return prompt
        decode = self._decode(engines, mean)
        if role is Role.DECODE:
            return decode
        return 1 if max(prompt, decode) > 0 else max(prompt, decode)

    def _prefill(self, engines: Sequence[EngineLoad], mean: Typical) -> int:
        if all(self._ttft_s(e, e.queued_tokens, 1.0, mean) > self.slo.ttft_s for e in engines):
            return 1
        return -1 if len(engines) > 1 and all(self._prefill_spare(e, len(engines), mean) for e in engines) else 0

    def _prefill_spare(self, engine: EngineLoad, count: int, mean: Typical) -> bool:
        """Whether one engine fewer would leave this one's queue within the budget that a lone prompt leaves."""
        crowding = count / (count - 1)
        alone_s = self._ttft_s(engine, 0.0, crowding, mean)
        budget_s = (self.slo.ttft_s - alone_s) * self.sensitivity
        queued_s = self._ttft_s(engine, engine.queued_tokens * crowding, crowding, mean) - alone_s
        return budget_s > 0 and queued_s < budget_s

    def _ttft_s(self, engine: EngineLoad, queued_tokens: float, crowding: float, mean: Typical) -> float:
        """Of the next prompt behind `queued_tokens`; a whole engine's batch decodes beside it."""
        tokens = queued_tokens + mean.prompt_tokens
        if self.model.role is Role.PREFILL:
            return self.model.prefill_s(tokens)
        return self.model.prefill_s(tokens, engine.seqs * crowding, engine.kv_tokens * crowding)

    def _decode(self, engines: Sequence[EngineLoad], mean: Typical) -> int:
        if all(self._itl_s(e.seqs, e.kv_tokens, mean) > self.slo.tpot_s for e in engines):
            return 1
        return -1 if len(engines) > 1 and all(self._decode_spare(e, len(engines), mean) for e in engines) else 0

    def _decode_spare(self, engine: EngineLoad, count: int, mean: Typical) -> bool:
        """Whether one engine fewer would leave room for the KV, queued prompts included, and time for its steps."""
        crowding = count / (count - 1)
        kv_tokens = (engine.kv_tokens + engine.queued_tokens) * crowding
        seqs = (engine.seqs + engine.queued_seqs) * crowding
        fits = kv_tokens < self.model.max_kv_tokens
        return fits and self._itl_s(seqs, kv_tokens, mean) < self.slo.tpot_s * self.sensitivity

    def _itl_s(self, seqs: float, kv_tokens: float, mean: Typical) -> float:
        """Of a step with one more sequence in it."""
        beside = mean.beside_tokens if self.model.role is Role.BOTH else 0.0
        return self.model.itl_s(seqs + 1, kv_tokens + mean.context_tokens, beside)


def easy_step(values: Sequence[float], thresholds: Thresholds) -> int:
    """The easy targets: +1, 0 or -1; not down where one engine fewer would be at the upper threshold (since 1.6)."""
    count = len(values)
    if any(value >= thresholds.up for value in values):
        return 1
    if count > 1 and all(value <= thresholds.down for value in values):
        return -1 if max(values) * count / (count - 1) < thresholds.up else 0
    return 0
