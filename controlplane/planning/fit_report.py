"""What fits where: a model on accelerators and tensor-parallel widths, what it carries within an SLO, its price."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from controlplane.domain import catalog
from controlplane.domain.catalog import Accelerator, Model
from controlplane.domain.decision import Calibration, CapacityBound, Demand
from controlplane.domain.observation import LENGTH_LEVELS
from controlplane.domain.target import CapacityType, Mode, Policy, Role, ScaleTargetRef, Slo, Target, Variant
from controlplane.planning.calibration import PRIOR
from controlplane.planning.capacity import capacity
from controlplane.planning.lora_slots import LoraSlots
from controlplane.planning.model_shape import ModelShape
from controlplane.planning.roofline import (
    MAX_BATCHED_TOKENS,
    MAX_NUM_SEQS,
    DoesNotFit,
    StepCost,
    kv_capacity_tokens,
    prior,
)

SECONDS_PER_HOUR = 3600.0
MILLION = 1e6
OVER_PCIE = "over PCIe: slower than predicted"
"""The prior counts the latency of an all-reduce, not its bytes: a prompt's are nothing on NVLink and much on PCIe."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Mean lengths of the requests, tokens."""

    input_tokens: int
    output_tokens: int

    @property
    def total_tokens(self) -> int:
        """Of a finished request."""
        return self.input_tokens + self.output_tokens

    @property
    def context_tokens_weighted(self) -> float:
        """`OSL * (ISL + OSL/2)`: token-steps of context that one request reads."""
        return self.output_tokens * (self.input_tokens + self.output_tokens / 2.0)


@dataclass(frozen=True, slots=True)
class FitRow:
    """One accelerator at one tensor-parallel width. What cannot be said is None; `why` says what stands against it.

    `caution` is what the prediction leaves out; `lora_bytes` is what the slots of LoRA adapters take, on all GPUs.
    `ttft_s` is that of an idle replica, `tpot_s` the mean at `requests_per_s`, which is what one replica carries within
    the SLO. `sequences` fit into the cache at full length, or are the engine's limit.
    """

    accelerator: str
    gpus: int
    weight_bytes: float
    kv_bytes_per_token: float
    usd_per_hour: float
    fits: bool = False
    why: str | None = None
    kv_tokens: int | None = None
    sequences: int | None = None
    ttft_s: float | None = None
    tpot_s: float | None = None
    requests_per_s: float | None = None
    bound: str | None = None
    usd_per_million_output: float | None = None
    usd_per_million_tokens: float | None = None
    cheapest: bool = False
    caution: str | None = None
    lora_bytes: float | None = None


def fit_rows(
    shape: ModelShape,
    accelerators: Iterable[Accelerator],
    widths: Iterable[int],
    workload: Workload,
    slo: Slo,
    lora: LoraSlots | None = None,
) -> tuple[FitRow, ...]:
    """A row per accelerator and width; the one with the cheapest tokens within the SLO is marked.

    With `lora` every request is taken to have an adapter, and every slot to be in use.

    Raises:
        LoraError: if the size of the model's adapters is not known.
    """
    wide = tuple(widths)
    rows = tuple(_row(shape, gpu, gpus, workload, slo, lora) for gpu in accelerators for gpus in wide)
    priced = [row.usd_per_million_tokens for row in rows if row.usd_per_million_tokens is not None]
    if not priced:
        return rows
    best = next(row for row in rows if row.usd_per_million_tokens == min(priced))
    return tuple(replace(row, cheapest=True) if row is best else row for row in rows)


def best_widths(rows: Iterable[FitRow]) -> tuple[FitRow, ...]:
    """One row per accelerator: its width with the cheapest tokens, else its widest; the cheapest accelerator first."""
    best: dict[str, FitRow] = {}
    for row in rows:
        before = best.get(row.accelerator)
        if before is None or _rank(row) <= _rank(before):
            best[row.accelerator] = row
    return tuple(sorted(best.values(), key=_rank))


def _rank(row: FitRow) -> tuple[bool, float]:
    return not row.fits, math.inf if row.usd_per_million_tokens is None else row.usd_per_million_tokens


def _row(
    shape: ModelShape, gpu: Accelerator, gpus: int, workload: Workload, slo: Slo, lora: LoraSlots | None
) -> FitRow:
    base = shape.model(workload.total_tokens, gpus)
    model = base if lora is None else lora.held(shape, base, gpus)
    row = FitRow(gpu.name, gpus, base.weight_bytes, model.kv_bytes_per_token, gpu.usd_per_hour * gpus)
    row = row if lora is None else replace(row, lora_bytes=model.weight_bytes - base.weight_bytes)
    if gpus > 1 and gpu.peer_bytes_per_s is None:
        row = replace(row, caution=OVER_PCIE)
    against = _impossible(shape, gpus, workload)
    if against is not None:
        return replace(row, why=against)
    try:
        kv_tokens = kv_capacity_tokens(model, gpu, gpus)
    except DoesNotFit as error:
        slots = f"; {row.lora_bytes / 1e9:.1f} GB of the need are LoRA slots" if row.lora_bytes is not None else ""
        return replace(row, why=f"{error}{slots}")
    row = replace(row, kv_tokens=kv_tokens)
    if kv_tokens < workload.total_tokens:
        return replace(row, why=f"the KV cache holds {kv_tokens} tokens; one request has {workload.total_tokens}")
    known = replace(PRIOR, deviation=0.0, factors=() if lora is None else lora.factors(shape))
    alone = prior(model, gpu, gpus)
    cost = alone if lora is None else lora.slowed(alone, shape)
    row = replace(
        row,
        fits=True,
        sequences=min(MAX_NUM_SEQS, kv_tokens // workload.total_tokens),
        ttft_s=idle_ttft_s(cost, workload.input_tokens),
    )
    return _with_rate(row, cost, model, known, workload, slo)


def _impossible(shape: ModelShape, gpus: int, workload: Workload) -> str | None:
    if workload.total_tokens > shape.max_context_tokens:
        return f"ISL + OSL is {workload.total_tokens}; the model's context is {shape.max_context_tokens}"
    if shape.attention_heads % gpus:
        return f"{shape.attention_heads} attention heads do not divide by {gpus}"
    if max(shape.kv_heads, gpus) % min(shape.kv_heads, gpus):
        return f"{shape.kv_heads} KV heads and {gpus} ranks do not divide"
    return None


def idle_ttft_s(cost: StepCost, input_tokens: float) -> float:
    """Time to first token on an idle replica: the prompt's chunks, one step each, and its attention."""
    steps_s = cost.a_s * math.ceil(input_tokens / MAX_BATCHED_TOKENS)
    return steps_s + cost.b_s_per_token * input_tokens + cost.e_s_per_token_pair * input_tokens**2 / 2.0


def mean_tpot_s(cost: StepCost, workload: Workload, requests_per_s: float) -> float | None:
    """`a / (1 - r*S)` with `S = b*ISL + c*OSL + d*W` (see `planning.capacity`); None where the replica is overrun."""
    work_s = (
        cost.b_s_per_token * workload.input_tokens
        + cost.c_s_per_sequence * workload.output_tokens
        + cost.d_s_per_token * workload.context_tokens_weighted
    )
    left = 1.0 - requests_per_s * work_s
    return cost.a_s / left if left > 0 else None


def _with_rate(row: FitRow, cost: StepCost, model: Model, known: Calibration, workload: Workload, slo: Slo) -> FitRow:
    rate, bound = _planned_rate(row, model, known, workload, slo)
    if not rate > 0:
        return replace(row, why=_out_of_reach(row, cost, slo))
    usd_per_s = row.usd_per_hour / SECONDS_PER_HOUR
    return replace(
        row,
        tpot_s=mean_tpot_s(cost, workload, rate),
        requests_per_s=rate,
        bound=bound.value,
        usd_per_million_output=usd_per_s / (rate * workload.output_tokens) * MILLION,
        usd_per_million_tokens=usd_per_s / (rate * workload.total_tokens) * MILLION,
    )


def _out_of_reach(row: FitRow, cost: StepCost, slo: Slo) -> str:
    """Why a replica that runs carries nothing within the SLO."""
    if row.ttft_s is not None and row.ttft_s > slo.ttft_s:
        return f"a prompt takes {row.ttft_s:.2f} s on an idle replica; the TTFT limit is {slo.ttft_s:g} s"
    if cost.a_s > slo.tpot_s:
        return f"one step takes {cost.a_s * 1e3:.0f} ms; the TPOT limit is {slo.tpot_s * 1e3:g} ms"
    return f"no margin is left within TTFT {slo.ttft_s:g} s and TPOT {slo.tpot_s * 1e3:g} ms"


def _planned_rate(
    row: FitRow, model: Model, known: Calibration, workload: Workload, slo: Slo
) -> tuple[float, CapacityBound]:
    """What the planner itself would count on, so that this table and a plan never disagree."""
    variant = Variant(
        name="fit",
        ref=ScaleTargetRef("apps/v1", "Deployment", "fit"),
        role=Role.BOTH,
        accelerator=row.accelerator,
        gpus_per_replica=row.gpus,
        capacity_type=CapacityType.ON_DEMAND,
        usd_per_replica_hour=row.usd_per_hour,
        min_replicas=1,
        max_replicas=1,
    )
    target = Target("fit", model.name, model.name, (variant,), Policy(Mode.SHADOW, slo))
    demand = Demand(
        requests_per_s=0.0,
        low_requests_per_s=0.0,
        backlog_rps=0.0,
        input_tokens=workload.input_tokens,
        output_tokens=workload.output_tokens,
        context_tokens_weighted=workload.context_tokens_weighted,
        cached_share=0.0,
        source="fit",
        input_tokens_squared=float(workload.input_tokens) ** 2,
        input_lengths=(float(workload.input_tokens),) * len(LENGTH_LEVELS),
        output_lengths=(float(workload.output_tokens),) * len(LENGTH_LEVELS),
    )
    with catalog.also(model):
        found = capacity(target, variant, demand, known)
    rate = 0.0 if found.bound is CapacityBound.INFEASIBLE else found.requests_per_s
    return rate, found.bound
