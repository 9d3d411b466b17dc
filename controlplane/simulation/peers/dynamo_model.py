"""Dynamo's performance model of one engine: what its profiler measured before the deployment, and the sums on it.

Dynamo interpolates in tables (classic) or asks an estimator for the time of a forward pass (1.6). Here both are the
step cost, exactly: a profile without any error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controlplane.domain import catalog
from controlplane.domain.target import Role
from controlplane.planning.roofline import StepCost, prior
from controlplane.simulation.lifecycle import Workload

GRID = 128
"""Batch sizes that 1.6 tries: all of them up to here, else so many evenly spaced ones."""
CELLS = 100
"""KV-usage cells of the classic planner's decode table."""


@dataclass(frozen=True, slots=True)
class Point:
    """A batch size's latencies in seconds, those that the role has, and its requests/s."""

    rps: float
    ttft_s: float | None = None
    itl_s: float | None = None


@dataclass(frozen=True, slots=True)
class EngineModel:
    """One engine of one role."""

    role: Role
    cost: StepCost
    max_kv_tokens: float
    max_num_seqs: int
    max_batched_tokens: int

    def prefill_s(self, tokens: float, decode_seqs: float = 0.0, kv_tokens: float = 0.0) -> float:
        """T(n): `tokens` of prompts in chunks of the token budget, beside a batch that decodes."""
        whole, rest = divmod(tokens, self.max_batched_tokens)
        chunks = whole * self.cost.step_s(self.max_batched_tokens, decode_seqs, kv_tokens)
        return chunks + (self.cost.step_s(rest, decode_seqs, kv_tokens) if rest > 0 else 0.0)

    def itl_s(self, seqs: float, kv_tokens: float, prefill_tokens: float = 0.0) -> float:
        """A decode step's time."""
        return self.cost.step_s(prefill_tokens, seqs, kv_tokens)

    # 1.6: the best batch size within the SLA

    def capacity_rps(self, input_tokens: float, output_tokens: float, ttft_sla_s: float, itl_sla_s: float) -> float:
        """Requests/s of one engine within the SLA; outside of it where no batch size is within (`_select_capacity`)."""
        points = self._points(input_tokens, max(1.0, output_tokens))
        within = [p for p in points if (p.ttft_s or 0.0) <= ttft_sla_s and (p.itl_s or 0.0) <= itl_sla_s]
        return max((p.rps for p in within or points), default=0.0)

    def _points(self, input_tokens: float, output_tokens: float) -> list[Point]:
        prompt = max(1, math.ceil(input_tokens))
        if self.role is Role.PREFILL:
            return _over(self._prefill_batches(prompt), lambda b: self._prefill_point(b, prompt))
        context = input_tokens + output_tokens // 2
        most = max(1, min(self.max_num_seqs, int(self.max_kv_tokens // context)))
        if self.role is Role.DECODE:
            return _over(most, lambda b: self._decode_point(b, context, output_tokens))
        return _over(
            min(most, self.max_batched_tokens - 1), lambda b: self._both_point(b, prompt, context, output_tokens)
        )

    def _prefill_batches(self, prompt: int) -> int:
        if prompt > self.max_batched_tokens:
            return 1
        return min(self.max_num_seqs, self.max_batched_tokens // prompt)

    def _prefill_point(self, batch: int, prompt: int) -> Point:
        ttft_s = self.prefill_s(batch * prompt)
        return Point(batch / ttft_s, ttft_s=ttft_s)

    def _decode_point(self, batch: int, context: float, output_tokens: float) -> Point:
        itl_s = self.itl_s(batch, batch * context)
        return Point(batch / (output_tokens * itl_s), itl_s=itl_s)

    def _both_point(self, batch: int, prompt: int, context: float, output_tokens: float) -> Point | None:
        """Each step reads what a steady stream brings per step; a batch for which that is too much is left out."""
        beside = math.ceil(batch * prompt / output_tokens)
        if beside > self.max_batched_tokens - batch:
            return None
        itl_s = self.itl_s(batch, batch * context, min(self.max_batched_tokens, beside))
        ttft_s = self.prefill_s(beside + prompt, batch, batch * context)
        return Point(batch / (output_tokens * itl_s), ttft_s, itl_s)

    # Classic: throughput at a latency

    def decode_tokens_per_s(self, context: float, itl_limit_s: float) -> float:
        """Tokens/s at the fullest KV cell whose step is within the limit; at the emptiest where none is."""
        for cell in range(CELLS, 0, -1):
            seqs = self._seqs(cell / CELLS, context)
            itl_s = self.itl_s(seqs, seqs * context)
            if itl_s <= itl_limit_s:
                return seqs / itl_s
        seqs = self._seqs(1 / CELLS, context)
        return seqs / self.itl_s(seqs, seqs * context)

    def _seqs(self, kv_usage: float, context: float) -> float:
        return max(1.0, min(self.max_num_seqs, kv_usage * self.max_kv_tokens / context))


def _over(most: int, point: Callable[[int], Point | None]) -> list[Point]:
    return [p for p in (point(batch) for batch in _batches(most)) if p is not None]


def _batches(most: int) -> Sequence[int]:
    if most <= GRID:
        return range(1, most + 1)
    return [1 + step * (most - 1) // (GRID - 1) for step in range(GRID)]


def engine_model(workload: Workload, profiled: bool) -> EngineModel:
    """The model of a workload's engine: its true cost where it was profiled, the datasheets' otherwise."""
    variant, limits = workload.variant, workload.limits
    gpu = catalog.accelerator(variant.accelerator)
    cost = workload.cost if profiled else prior(catalog.model(workload.target.model), gpu, variant.gpus_per_replica)
    tokens = float(limits.kv_blocks * limits.block_tokens)
    return EngineModel(variant.role, cost, tokens, limits.max_num_seqs, limits.max_batched_tokens)
