"""WVA's saturation analyzer V2 (llm-d-workload-variant-autoscaler 0.9): capacity and demand in tokens."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from controlplane.domain.target import Role
from controlplane.simulation.peers.wva_v1 import ReplicaLoad, VariantState

HISTORY = 10
"""Observations of a compute bound that its rolling mean holds."""
HISTORY_S = 24 * 3600.0
"""After this long without a new one they are forgotten."""


@dataclass(frozen=True, slots=True)
class V2Thresholds:
    """Defaults of deploy/configmap-saturation-scaling.yaml in 0.9."""

    kv_cache: float = 0.80
    queue_length: float = 5.0
    scale_up: float = 0.85
    """scaleUpThreshold: demand above this share of the capacity asks for more."""
    scale_down: float = 0.70
    """scaleDownBoundary: demand below this share of the capacity leaves some to spare."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Mean tokens of a request over five minutes; None where none ended."""

    input_tokens: float | None
    output_tokens: float | None


@dataclass(frozen=True, slots=True)
class EngineArgs:
    """What WVA reads of a variant's container arguments."""

    max_batched_tokens: int
    max_num_seqs: int


@dataclass(frozen=True, slots=True)
class Analysis:
    """A role's tokens. `per_replica` is the capacity of one replica by variant, nought where nothing is known."""

    per_replica: Mapping[str, float]
    supply: float
    anticipated: float
    """Supply with the replicas that are on their way."""
    demand: float

    def required(self, thresholds: V2Thresholds) -> float:
        """Tokens of capacity to add."""
        return max(0.0, self.demand / thresholds.scale_up - self.anticipated)

    def spare(self, thresholds: V2Thresholds) -> float:
        """Tokens of capacity that may go."""
        return max(0.0, self.supply - self.demand / thresholds.scale_down)


class TokenAnalyzer:
    """The analyzer with its memory: compute bounds that were observed, and the last capacity of every variant."""

    def __init__(self, thresholds: V2Thresholds, args: Mapping[str, EngineArgs], kinds: Mapping[str, str]) -> None:
        """`args` and `kinds` are by variant; variants of one kind (accelerator and GPUs) share observations."""
        self._thresholds = thresholds
        self._args, self._kinds = args, kinds
        self._observed: dict[tuple[str, str], deque[float]] = {}
        self._observed_at_s: dict[tuple[str, str], float] = {}
        self._last: dict[str, float] = {}

    def analyse(
        self, now_s: float, role: Role, replicas: Sequence[ReplicaLoad], variants: Sequence[VariantState], mix: Mix
    ) -> Analysis:
        """One role of one model at one moment."""
        per_replica: dict[str, float] = {}
        demand = supply = anticipated = 0.0
        for variant in variants:
            loads = [r for r in replicas if r.variant == variant.name]
            sums = [s for s in (self._replica(now_s, role, load, mix) for load in loads) if s is not None]
            if sums:
                self._last[variant.name] = median(capacity for capacity, _ in sums)
            one = per_replica[variant.name] = self._capacity(variant.name, mix)
            demand += sum(wanted for _, wanted in sums)
            supply += len(sums) * one
            anticipated += (len(sums) + variant.pending) * one
        return Analysis(per_replica, supply, anticipated, demand)

    def _replica(self, now_s: float, role: Role, load: ReplicaLoad, mix: Mix) -> tuple[float, float] | None:
        """(capacity, demand) of a replica that answers, tokens; None while its KV capacity is not known."""
        if not load.kv_tokens:
            return None
        in_use = float(round(load.kv_usage * load.kv_tokens))
        memory_bound = float(int(load.kv_tokens * self._thresholds.kv_cache))
        compute_bound = self._compute_bound(now_s, load, in_use, memory_bound, mix)
        return min(memory_bound, compute_bound), in_use + _waiting_tokens(load.queue, role, mix)

    def _compute_bound(self, now_s: float, load: ReplicaLoad, in_use: float, memory_bound: float, mix: Mix) -> float:
        """Observed now, else observed before, else of the arguments, else none but memory.

        What is in use while the queue is long is taken for the bound. In a cold burst that is far too little, and
        stays in the mean for a day: a known fault, kept.
        """
        key = (self._kinds[load.variant], _bucket(mix.output_tokens))
        if now_s - self._observed_at_s.get(key, now_s) > HISTORY_S:
            del self._observed[key], self._observed_at_s[key]
        if load.queue >= self._thresholds.queue_length and in_use > 0:
            self._observed.setdefault(key, deque(maxlen=HISTORY)).append(in_use)
            self._observed_at_s[key] = now_s
            return in_use
        if key in self._observed:
            return fmean(self._observed[key])
        derived = derived_capacity(self._args[load.variant], mix)
        return memory_bound if derived is None else derived

    def _capacity(self, variant: str, mix: Mix) -> float:
        """Of a variant's replicas as last seen; of its arguments where it never ran."""
        if variant in self._last:
            return self._last[variant]
        return derived_capacity(self._args[variant], mix) or 0.0


def derived_capacity(args: EngineArgs, mix: Mix) -> float | None:
    """Tokens that a steady batch holds by the engine's arguments: B*O/(I+O) requests, at most S, of I + O/2 tokens."""
    if not mix.output_tokens or mix.input_tokens is None:
        return None
    whole = mix.input_tokens + mix.output_tokens
    requests = min(args.max_batched_tokens * mix.output_tokens / whole, args.max_num_seqs)
    return float(int(requests * (mix.input_tokens + mix.output_tokens / 2.0)))


def _waiting_tokens(queue: float, role: Role, mix: Mix) -> float:
    """The footprint that queued requests will have at its peak; prompts alone in a prefill role."""
    answer = 0.0 if role is Role.PREFILL else mix.output_tokens or 0.0
    return float(int(queue * ((mix.input_tokens or 0.0) + answer)))


def _bucket(output_tokens: float | None) -> str:
    tokens = output_tokens or 0.0
    return "short" if tokens < 100 else "medium" if tokens < 500 else "long"
