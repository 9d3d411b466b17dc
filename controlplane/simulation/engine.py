"""One simulated replica as others see it. What it does is in `core`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from controlplane.domain.observation import Histogram
from controlplane.domain.target import Role
from controlplane.planning.roofline import BLOCK_SIZE_TOKENS, MAX_BATCHED_TOKENS, MAX_NUM_SEQS, StepCost
from controlplane.simulation.core import state as s
from controlplane.simulation.core.state import State
from controlplane.simulation.telemetry import BOUNDS, BucketCounts, Telemetry


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """The engine's flags, and the KV cache that the accelerator leaves it."""

    kv_blocks: int
    max_context_tokens: int
    max_num_seqs: int = MAX_NUM_SEQS
    max_batched_tokens: int = MAX_BATCHED_TOKENS
    block_tokens: int = BLOCK_SIZE_TOKENS


_ROWS = {name: row for row, name in enumerate(BOUNDS)}


@dataclass(slots=True, eq=False)
class Engine:
    """Engine number `number` of a core's state; it reads, and changes nothing."""

    role: Role
    cost: StepCost
    limits: EngineLimits
    started_at_s: float
    state: State
    number: int

    def move_to(self, state: State) -> None:
        """Read from other arrays from now on: those it had were too small."""
        self.state = state

    @property
    def now_s(self) -> float:
        """The end of its last step."""
        return float(self.state.engine_times[self.number, s.NOW])

    @property
    def _in_flight(self) -> bool:
        times = self.state.engine_times[self.number]
        return bool(times[s.NOW] > times[s.SEEN])

    @property
    def running(self) -> int:
        """Sequences in the batch; a step in flight has ended nothing yet."""
        own = self.state.engine_numbers[self.number]
        return int(own[s.LIVE] + own[s.PREFILLING] + (own[s.ENDING] if self._in_flight else 0))

    @property
    def waiting(self) -> int:
        """Sequences in the queue."""
        return int(self.state.engine_numbers[self.number, s.WAITING])

    @property
    def kv_usage(self) -> float:
        """Share of KV blocks in use; a step in flight has freed none yet."""
        own = self.state.engine_numbers[self.number]
        free = int(own[s.FREE]) - (int(own[s.ENDING_BLOCKS]) if self._in_flight else 0)
        return 1.0 - free / self.limits.kv_blocks

    def counter(self, column: int) -> float:
        """One counter by its column."""
        return float(self.state.counters[self.number, column])

    def histogram(self, name: str) -> Histogram:
        """One histogram as a metrics page shows it; lengths are told apart up to the engine's context."""
        counts = self._counts(name)
        return Histogram(counts.bounds, tuple(accumulate(counts.counts[:-1])), counts.sum, counts.count)

    @property
    def telemetry(self) -> Telemetry:
        """Every counter and histogram now."""
        return Telemetry(
            prompt_tokens_total=self.counter(s.PROMPT_TOKENS),
            cached_tokens_total=self.counter(s.CACHED_TOKENS),
            generation_tokens_total=self.counter(s.GENERATION_TOKENS),
            finished_total=self.counter(s.FINISHED),
            preemptions_total=self.counter(s.PREEMPTIONS),
            **{name: self._counts(name) for name in BOUNDS},
        )

    def _counts(self, name: str) -> BucketCounts:
        row = _ROWS[name]
        bounds = BOUNDS[name]
        counts = self.state.bucket_counts[self.number, row].tolist()
        counts = [*counts[: len(bounds)], sum(counts[len(bounds) :])]
        if name in ("prompt_tokens", "generation_tokens"):
            kept = tuple(b for b in bounds if b <= self.limits.max_context_tokens)
            counts = [*counts[: len(kept)], sum(counts[len(kept) :])]
            bounds = kept
        total, count = self.state.bucket_sums[self.number, row].tolist()
        return BucketCounts(bounds, counts, total, count)
