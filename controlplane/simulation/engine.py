"""One replica's continuous batching, iteration by iteration.

A step first gives every decoding sequence one token, then spends what is left of the token budget on prompts, in
chunks, in order of arrival (vLLM V1's scheduler). Its duration is the replica's `StepCost`. Runs of steps in which
nothing can change but the contexts (no prompt, no end, no lack of KV blocks) are played in closed form: contexts grow
by one token a step, so the time of k steps is a quadratic in k.

A sequence that decodes is not touched each step. The engine counts decode steps; a sequence remembers the count at
which it would have had no token yet, so that its tokens are a difference, and its end is a key in a heap.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from controlplane.domain.target import Role
from controlplane.planning.roofline import BLOCK_SIZE_TOKENS, MAX_BATCHED_TOKENS, MAX_NUM_SEQS, StepCost
from controlplane.simulation.telemetry import Telemetry


@dataclass(slots=True, eq=False)
class Request:
    """One request on its way. Times are unix seconds on the fleet's clock; `first_token_at_s` is the client's."""

    arrived_at_s: float
    input_tokens: int
    output_tokens: int
    first_token_at_s: float | None = None


@dataclass(slots=True, eq=False)
class Sequence:
    """A request inside one engine. `goal` is the number of output tokens that this engine must reach."""

    request: Request
    order: int
    entered_at_s: float
    queued_at_s: float
    goal: int
    made: int
    """Output tokens that exist; while it decodes, as of the moment it joined."""
    prefill_left: int
    origin: int = 0
    """The engine's decode count at which it would have had no token."""
    blocks: int = 0
    """KV blocks held while it is not decoding."""
    scheduled_at_s: float | None = None
    first_here_at_s: float | None = None
    decoding: bool = False


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """The engine's flags, and the KV cache that the accelerator leaves it."""

    kv_blocks: int
    max_context_tokens: int
    max_num_seqs: int = MAX_NUM_SEQS
    max_batched_tokens: int = MAX_BATCHED_TOKENS
    block_tokens: int = BLOCK_SIZE_TOKENS


class Engine:
    """One replica. `on_done(request, at_s)` is called when a request leaves it whole: answered, or prefilled."""

    def __init__(
        self,
        role: Role,
        cost: StepCost,
        limits: EngineLimits,
        started_at_s: float,
        on_done: Callable[[Request, float], None],
    ) -> None:
        self.role = role
        self.cost = cost
        self.limits = limits
        self.started_at_s = started_at_s
        self.now_s = started_at_s
        self.telemetry = Telemetry(limits.max_context_tokens)
        self._on_done = on_done
        self._waiting: deque[Sequence] = deque()
        self._prefilling: list[Sequence] = []
        self._decoding: list[tuple[int, int, Sequence]] = []  # heap of (decode count at the end, order, sequence)
        self._live = 0  # sequences that decode; the heap may hold preempted ones besides
        self._context = 0  # tokens in the caches of the sequences that decode
        self._residues = [0] * limits.block_tokens  # decoding sequences by the step at which they need a block
        self._count = 0  # decode steps so far
        self._free_blocks = limits.kv_blocks
        self._orders = 0

    @property
    def running(self) -> int:
        """Sequences in the batch."""
        return self._live + len(self._prefilling)

    @property
    def waiting(self) -> int:
        """Sequences in the queue."""
        return len(self._waiting)

    @property
    def kv_usage(self) -> float:
        """Share of KV blocks in use."""
        return 1.0 - self._free_blocks / self.limits.kv_blocks

    def fits(self, request: Request) -> bool:
        """Whether a request could ever be served here."""
        tokens = request.input_tokens + request.output_tokens
        return tokens <= min(self.limits.max_context_tokens, self.limits.kv_blocks * self.limits.block_tokens)

    def submit(self, request: Request, at_s: float, handed_over_at_s: float | None = None) -> None:
        """Queue a request at `at_s`; with `handed_over_at_s` a prefill replica had made its KV cache at that time."""
        if not self.running and not self._waiting:
            self.now_s = max(self.now_s, at_s)
        goal = 1 if self.role is Role.PREFILL else request.output_tokens
        arrived_with_kv = handed_over_at_s is not None
        entered_at_s = at_s if handed_over_at_s is None else handed_over_at_s
        made, left = (1, 0) if arrived_with_kv else (0, request.input_tokens)
        self._orders += 1
        self._waiting.append(Sequence(request, self._orders, entered_at_s, at_s, goal, made, left))

    def evict_all(self) -> list[Request]:
        """Everything in the engine, to be served elsewhere from the start; the engine is empty afterwards."""
        alive = [s for _, _, s in self._decoding if s.decoding]
        requests = [s.request for s in (*alive, *self._prefilling, *self._waiting)]
        self._waiting.clear()
        self._prefilling.clear()
        self._decoding.clear()
        self._live = self._context = 0
        self._residues = [0] * self.limits.block_tokens
        self._free_blocks = self.limits.kv_blocks
        return requests

    def advance(self, until_s: float) -> None:
        """Play steps until the engine's time is `until_s` or later; a step in flight is ended."""
        while self.now_s < until_s and (self._waiting or self.running):
            self._admit()
            if self._prefilling:
                self._step_with_prompts()
            elif self._live:
                self._decode_run(until_s)

    # Admission and KV blocks

    def _admit(self) -> None:
        """Move sequences from the queue into the batch while there is room in it, in the step and in the cache."""
        budget = self.limits.max_batched_tokens - self._live - sum(s.prefill_left for s in self._prefilling)
        while self._waiting and budget > 0 and self.running < self.limits.max_num_seqs:
            sequence = self._waiting[0]
            tokens = sequence.request.input_tokens + sequence.made
            blocks = -(-tokens // self.limits.block_tokens)
            # One spare block a decoding sequence: what is admitted must not be preempted by the next step already.
            if blocks + self._live > self._free_blocks and self.running:
                return
            self._waiting.popleft()
            self._free_blocks -= blocks
            sequence.blocks = blocks
            budget -= max(1, sequence.prefill_left)
            if sequence.scheduled_at_s is None:
                sequence.scheduled_at_s = self.now_s
                self.telemetry.queue.observe(self.now_s - sequence.queued_at_s)
            if sequence.prefill_left:
                self._prefilling.append(sequence)
            else:
                self._arrive_with_kv(sequence)

    def _arrive_with_kv(self, sequence: Sequence) -> None:
        """A decode replica's share of TTFT ends when the sequence is admitted: its first token came with its cache."""
        sequence.first_here_at_s = self.now_s
        if sequence.request.first_token_at_s is None:
            sequence.request.first_token_at_s = self.now_s
        self.telemetry.ttft.observe(self.now_s - sequence.entered_at_s)
        self._join(sequence)

    def _join(self, sequence: Sequence) -> None:
        tokens = sequence.request.input_tokens + sequence.made
        sequence.origin = self._count - sequence.made
        sequence.decoding = True
        self._free_blocks += sequence.blocks - -(-tokens // self.limits.block_tokens)
        self._residues[self._residue(sequence)] += 1
        self._live += 1
        self._context += tokens
        heapq.heappush(self._decoding, (sequence.origin + sequence.goal, sequence.order, sequence))

    def _residue(self, sequence: Sequence) -> int:
        """The decode count, modulo the block, after which the sequence's tokens begin a new block."""
        return (1 - sequence.request.input_tokens + sequence.origin) % self.limits.block_tokens

    def _leave(self, sequence: Sequence) -> int:
        """Take a decoding sequence out of the batch and free its blocks; returns its output tokens."""
        made = self._count - sequence.origin
        tokens = sequence.request.input_tokens + made
        sequence.decoding = False
        self._residues[self._residue(sequence)] -= 1
        self._free_blocks += -(-tokens // self.limits.block_tokens)
        self._live -= 1
        self._context -= tokens
        return made

    def _blocks_for(self, steps: int) -> int:
        """New KV blocks that the next `steps` decode steps need."""
        whole, rest = divmod(steps, self.limits.block_tokens)
        size = self.limits.block_tokens
        return whole * self._live + sum(self._residues[(self._count + k) % size] for k in range(1, rest + 1))

    def _make_room(self) -> None:
        """Preempt the newest sequences until the next decode step has its blocks; they are computed again later."""
        while self._blocks_for(1) > self._free_blocks and self.running > 1:
            decoding = (s for _, _, s in self._decoding if s.decoding)
            newest = max((*decoding, *self._prefilling), key=lambda s: s.order)
            if newest.decoding:
                newest.made = self._leave(newest)
            else:
                self._prefilling.remove(newest)
                self._free_blocks += newest.blocks
            newest.prefill_left = newest.request.input_tokens + newest.made
            self.telemetry.preemptions_total += 1
            self._waiting.appendleft(newest)
        self._decoding = [entry for entry in self._decoding if entry[2].decoding]
        heapq.heapify(self._decoding)

    # Steps

    def _step_with_prompts(self) -> None:
        """One step in which prompts are read, beside one token for every decoding sequence."""
        if self._blocks_for(1) > self._free_blocks:
            self._make_room()
        budget = max(1, self.limits.max_batched_tokens - self._live)
        chunk = 0
        done: list[Sequence] = []
        for sequence in self._prefilling:
            part = min(sequence.prefill_left, budget - chunk)
            sequence.prefill_left -= part
            chunk += part
            if sequence.prefill_left == 0:
                done.append(sequence)
            if chunk >= budget:
                break
        seconds = self.cost.step_s(chunk, self._live, self._context)
        self._pass(1, seconds)
        self.telemetry.iteration_tokens.observe(chunk + self._live)
        if done:
            self._prefilling = [s for s in self._prefilling if s.prefill_left]
            for sequence in done:
                self._prompt_read(sequence)
        self._end_finished()

    def _prompt_read(self, sequence: Sequence) -> None:
        """The step that ends a prompt makes its next output token."""
        telemetry, request = self.telemetry, sequence.request
        telemetry.generation_tokens_total += 1
        if sequence.made == 0:
            telemetry.prompt_tokens_total += request.input_tokens
            telemetry.ttft.observe(self.now_s - sequence.entered_at_s)
        sequence.made += 1
        if sequence.first_here_at_s is None:
            sequence.first_here_at_s = self.now_s
        if request.first_token_at_s is None and self.role is not Role.PREFILL:
            request.first_token_at_s = self.now_s
        if sequence.made >= sequence.goal:
            self._free_blocks += sequence.blocks
            self._finish(sequence, sequence.made)
        else:
            self._join(sequence)

    def _decode_run(self, until_s: float) -> None:
        """As many decode-only steps as nothing interrupts: to the first end, to `until_s`, or to a lack of blocks."""
        if self._blocks_for(1) > self._free_blocks:
            self._make_room()
        while not self._decoding[0][2].decoding:
            heapq.heappop(self._decoding)
        live = self._live
        first_s = self.cost.step_s(0, live, self._context)
        growth_s = self.cost.d_s_per_token * live
        steps = min(self._decoding[0][0] - self._count, _steps_to_cover(until_s - self.now_s, first_s, growth_s))
        if self._waiting:
            steps = min(steps, 1)
        if self._blocks_for(steps) > self._free_blocks:
            steps = max(1, self.limits.block_tokens * (self._free_blocks // live))
            steps = steps if self._blocks_for(steps) <= self._free_blocks else 1
        seconds = steps * first_s + growth_s * steps * (steps - 1) / 2.0
        self._pass(steps, seconds)
        self.telemetry.iteration_tokens.observe(live, steps)
        self._end_finished()

    def _pass(self, steps: int, seconds: float) -> None:
        """Let `steps` steps of `seconds` in all go by for the decoding sequences."""
        live = self._live
        if live:
            self._free_blocks -= self._blocks_for(steps)
            self._count += steps
            self._context += live * steps
            self.telemetry.itl.observe(seconds / steps, live * steps)
            self.telemetry.generation_tokens_total += live * steps
        self.now_s += seconds

    def _end_finished(self) -> None:
        heap = self._decoding
        while heap and heap[0][0] <= self._count:
            sequence = heapq.heappop(heap)[2]
            if sequence.decoding:
                self._finish(sequence, self._leave(sequence))

    def _finish(self, sequence: Sequence, made: int) -> None:
        telemetry, now_s = self.telemetry, self.now_s
        first_s = sequence.first_here_at_s if sequence.first_here_at_s is not None else now_s
        scheduled_s = sequence.scheduled_at_s if sequence.scheduled_at_s is not None else now_s
        telemetry.finished_total += 1
        telemetry.prompt_tokens.observe(sequence.request.input_tokens)
        telemetry.generation_tokens.observe(made)
        telemetry.e2e.observe(now_s - sequence.entered_at_s)
        telemetry.inference.observe(now_s - scheduled_s)
        telemetry.prefill.observe(first_s - scheduled_s)
        telemetry.decode.observe(now_s - first_s)
        telemetry.tpot.observe((now_s - first_s) / (made - 1) if made > 1 else 0.0)
        self._on_done(sequence.request, now_s)


def _steps_to_cover(duration_s: float, first_s: float, growth_s: float) -> int:
    """The fewest steps whose time, `k*first + growth*k*(k-1)/2`, is at least `duration_s`; at least one."""
    if growth_s <= 0:
        return max(1, math.ceil(duration_s / first_s))
    half = first_s - growth_s / 2.0
    steps = (-half + math.sqrt(half * half + 2.0 * growth_s * max(duration_s, 0.0))) / growth_s
    return max(1, math.ceil(steps - 1e-9))
