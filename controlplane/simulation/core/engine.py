"""One replica's continuous batching, iteration by iteration.

A step first gives every decoding sequence one token, then spends what is left of the token budget on prompts, in
chunks, in order of arrival (vLLM V1's scheduler). Its duration is the replica's `StepCost`. Runs of steps in which
nothing can change but the contexts (no prompt, no end, no lack of KV blocks) are played in closed form: contexts grow
by one token a step, so the time of k steps is a quadratic in k.

A sequence that decodes is not touched each step. The engine counts decode steps; a sequence remembers the count at
which it would have had no token yet (ORIGIN), so that its tokens are a difference, and its end is a key in a heap.
"""

from __future__ import annotations

import math

import numpy as np

from controlplane.simulation.core import state as s
from controlplane.simulation.core.batch import blocks_for, blocks_of, join, leave, make_room, running
from controlplane.simulation.core.heaps import pop_key, push_timed
from controlplane.simulation.core.jit import jit
from controlplane.simulation.core.state import State


@jit
def observe(st: State, e: int, histogram: int, value: float, times: float) -> None:
    """Count `value` that many times."""
    bounds = st.bucket_bounds[histogram]
    low, high = 0, len(bounds)
    while low < high:
        middle = (low + high) >> 1
        if bounds[middle] < value:
            low = middle + 1
        else:
            high = middle
    st.bucket_counts[e, histogram, low] += times
    st.bucket_sums[e, histogram, 0] += value * times
    st.bucket_sums[e, histogram, 1] += times


@jit
def seen_running(st: State, e: int, at_s: float) -> int:
    """Sequences in the batch as a router sees them: a step in flight has ended nothing yet."""
    ending = st.engine_numbers[e, s.ENDING] if st.engine_times[e, s.NOW] > at_s else 0
    return running(st, e) + int(ending)


@jit
def submit(st: State, e: int, r: int, at_s: float, entered_at_s: float, with_kv: bool) -> None:
    """Queue request `r`; `with_kv` says that a prefill replica made its KV cache and its first token."""
    times, numbers, own = st.request_times, st.request_numbers, st.engine_numbers
    if running(st, e) == 0 and own[e, s.WAITING] == 0:
        st.engine_times[e, s.NOW] = max(st.engine_times[e, s.NOW], at_s)
    own[e, s.ORDERS] += 1
    numbers[r, s.ORDER] = own[e, s.ORDERS]
    numbers[r, s.GOAL] = 1 if own[e, s.ROLE] == s.PREFILL else numbers[r, s.OSL]
    numbers[r, s.MADE] = 1 if with_kv else 0
    numbers[r, s.LEFT] = 0 if with_kv else max(1, numbers[r, s.ISL] - numbers[r, s.CACHED])
    times[r, s.ENTERED], times[r, s.QUEUED] = entered_at_s, at_s
    times[r, s.SCHEDULED] = times[r, s.FIRST_HERE] = np.nan
    numbers[r, s.NEXT] = s.NONE
    if own[e, s.WAITING] == 0:
        own[e, s.HEAD] = r
    else:
        numbers[own[e, s.TAIL], s.NEXT] = r
    own[e, s.TAIL] = r
    own[e, s.WAITING] += 1
    st.engine_times[e, s.QUIET] = -math.inf


@jit
def advance(st: State, e: int, until_s: float) -> None:
    """Play steps until the engine's time is `until_s` or later; a step in flight is ended."""
    own, times = st.engine_numbers, st.engine_times
    times[e, s.SEEN] = until_s
    while times[e, s.NOW] < until_s and (own[e, s.WAITING] > 0 or running(st, e) > 0):
        if own[e, s.WAITING] > 0:
            _admit(st, e)
        if own[e, s.PREFILLING] > 0:
            _step_with_prompts(st, e)
        elif own[e, s.LIVE] > 0:
            _decode_run(st, e, until_s)
    times[e, s.QUIET] = _quiet_until(st, e)


@jit
def _quiet_until(st: State, e: int) -> float:
    """Until when advancing neither ends, admits nor preempts anything: one step before the next end."""
    own = st.engine_numbers
    if own[e, s.WAITING] > 0 or own[e, s.PREFILLING] > 0:
        return -math.inf
    if own[e, s.LIVE] == 0:
        return math.inf
    steps = (st.heap_keys[e, 0] >> 32) - own[e, s.COUNT] - 1
    # Blocks are counted on the safe side: a sequence begins a new one at most once in every BLOCK steps.
    steps = min(steps, own[e, s.BLOCK] * (own[e, s.FREE] // own[e, s.LIVE] - 1))
    if steps <= 0:
        return -math.inf
    return float(st.engine_times[e, s.NOW]) + _run_s(st, e, int(steps))


@jit
def _decode_step_s(st: State, e: int) -> float:
    own, times = st.engine_numbers, st.engine_times
    return float(times[e, s.COST_A] + times[e, s.COST_C] * own[e, s.LIVE] + times[e, s.COST_D] * own[e, s.CONTEXT])


@jit
def _run_s(st: State, e: int, steps: int) -> float:
    """Seconds of so many decode-only steps: contexts grow, so it is `k*first + growth*k*(k-1)/2`."""
    growth_s = st.engine_times[e, s.COST_D] * st.engine_numbers[e, s.LIVE]
    return float(steps * _decode_step_s(st, e) + growth_s * steps * (steps - 1) / 2.0)


@jit
def _steps_to_cover(st: State, e: int, duration_s: float) -> int:
    """The fewest decode steps whose time is at least `duration_s`; at least one."""
    first_s = _decode_step_s(st, e)
    growth_s = st.engine_times[e, s.COST_D] * st.engine_numbers[e, s.LIVE]
    if growth_s <= 0.0:
        return int(max(1, math.ceil(duration_s / first_s)))
    half = first_s - growth_s / 2.0
    steps = (-half + math.sqrt(half * half + 2.0 * growth_s * max(duration_s, 0.0))) / growth_s
    return int(max(1, math.ceil(steps - 1e-9)))


# Admission


@jit
def _admit(st: State, e: int) -> None:
    """Move sequences from the queue into the batch while there is room in it, in the step and in the cache."""
    own, numbers = st.engine_numbers, st.request_numbers
    budget = own[e, s.MAX_BATCHED] - own[e, s.LIVE]
    for place in range(own[e, s.PREFILLING]):
        budget -= numbers[st.prefilling[e, place], s.LEFT]
    while own[e, s.WAITING] > 0 and budget > 0 and running(st, e) < own[e, s.MAX_SEQS]:
        r = own[e, s.HEAD]
        blocks = blocks_of(st, e, numbers[r, s.ISL] + numbers[r, s.MADE])
        # One spare block a decoding sequence: what is admitted must not be preempted by the next step already.
        if blocks + own[e, s.LIVE] > own[e, s.FREE] and running(st, e) > 0:
            return
        own[e, s.HEAD] = numbers[r, s.NEXT]
        own[e, s.WAITING] -= 1
        own[e, s.FREE] -= blocks
        numbers[r, s.BLOCKS] = blocks
        budget -= max(1, numbers[r, s.LEFT])
        _scheduled(st, e, r)
        if numbers[r, s.LEFT] > 0:
            st.prefilling[e, own[e, s.PREFILLING]] = r
            own[e, s.PREFILLING] += 1
        else:
            _arrive_with_kv(st, e, r)


@jit
def _scheduled(st: State, e: int, r: int) -> None:
    if math.isnan(st.request_times[r, s.SCHEDULED]):
        now_s = st.engine_times[e, s.NOW]
        st.request_times[r, s.SCHEDULED] = now_s
        observe(st, e, s.QUEUE, now_s - st.request_times[r, s.QUEUED], 1.0)


@jit
def _arrive_with_kv(st: State, e: int, r: int) -> None:
    """A decode replica's share of TTFT ends when the sequence is admitted: its first token came with its cache."""
    now_s, times = st.engine_times[e, s.NOW], st.request_times
    times[r, s.FIRST_HERE] = now_s
    if math.isnan(times[r, s.FIRST]):
        times[r, s.FIRST] = now_s
    observe(st, e, s.TTFT, now_s - times[r, s.ENTERED], 1.0)
    join(st, e, r)


# Steps


@jit
def _step_with_prompts(st: State, e: int) -> None:
    """One step in which prompts are read, beside one token for every decoding sequence."""
    own, numbers, times = st.engine_numbers, st.request_numbers, st.engine_times
    if blocks_for(st, e, 1) > own[e, s.FREE]:
        make_room(st, e)
    budget = max(1, own[e, s.MAX_BATCHED] - own[e, s.LIVE])
    chunk, pairs, ended = 0, 0.0, 0
    for place in range(own[e, s.PREFILLING]):
        r = st.prefilling[e, place]
        part = min(numbers[r, s.LEFT], budget - chunk)
        before = numbers[r, s.ISL] + numbers[r, s.MADE] - numbers[r, s.LEFT]
        pairs += part * (before + part / 2.0)
        numbers[r, s.LEFT] -= part
        chunk += part
        ended += numbers[r, s.LEFT] == 0
        if chunk >= budget:
            break
    seconds = _decode_step_s(st, e) + times[e, s.COST_B] * chunk + times[e, s.COST_E] * pairs
    observe(st, e, s.ITERATION, float(chunk + own[e, s.LIVE]), 1.0)
    _pass(st, e, 1, seconds)
    # Prompts end in order of arrival, so those that ended are the first of the list.
    for place in range(ended):
        _prompt_read(st, e, st.prefilling[e, place])
    for place in range(ended, own[e, s.PREFILLING]):
        st.prefilling[e, place - ended] = st.prefilling[e, place]
    own[e, s.PREFILLING] -= ended
    _end_finished(st, e)


@jit
def _prompt_read(st: State, e: int, r: int) -> None:
    """The step that ends a prompt makes its next output token."""
    times, numbers, now_s = st.request_times, st.request_numbers, st.engine_times[e, s.NOW]
    st.counters[e, s.GENERATION_TOKENS] += 1
    if numbers[r, s.MADE] == 0:
        st.counters[e, s.PROMPT_TOKENS] += numbers[r, s.ISL]
        st.counters[e, s.CACHED_TOKENS] += numbers[r, s.CACHED]
        observe(st, e, s.TTFT, now_s - times[r, s.ENTERED], 1.0)
    numbers[r, s.MADE] += 1
    if math.isnan(times[r, s.FIRST_HERE]):
        times[r, s.FIRST_HERE] = now_s
    if math.isnan(times[r, s.FIRST]) and st.engine_numbers[e, s.ROLE] != s.PREFILL:
        times[r, s.FIRST] = now_s
    if numbers[r, s.MADE] >= numbers[r, s.GOAL]:
        st.engine_numbers[e, s.FREE] += numbers[r, s.BLOCKS]
        st.engine_numbers[e, s.ENDING_BLOCKS] += numbers[r, s.BLOCKS]
        numbers[r, s.BLOCKS] = 0
        _finish(st, e, r, numbers[r, s.MADE])
    else:
        join(st, e, r)


@jit
def _decode_run(st: State, e: int, until_s: float) -> None:
    """As many decode-only steps as nothing interrupts: to the first end, to `until_s`, or to a lack of blocks."""
    own = st.engine_numbers
    if blocks_for(st, e, 1) > own[e, s.FREE]:
        make_room(st, e)
    live = own[e, s.LIVE]
    steps = min(
        (st.heap_keys[e, 0] >> 32) - own[e, s.COUNT], _steps_to_cover(st, e, until_s - st.engine_times[e, s.NOW])
    )
    if own[e, s.WAITING] > 0:
        steps = min(steps, 1)
    if blocks_for(st, e, steps) > own[e, s.FREE]:
        steps = max(1, own[e, s.BLOCK] * (own[e, s.FREE] // live))
        steps = steps if blocks_for(st, e, steps) <= own[e, s.FREE] else 1
    observe(st, e, s.ITERATION, float(live), float(steps))
    _pass(st, e, steps, _run_s(st, e, steps))
    _end_finished(st, e)


@jit
def _pass(st: State, e: int, steps: int, seconds: float) -> None:
    """Let `steps` steps of `seconds` in all go by for the decoding sequences."""
    own = st.engine_numbers
    own[e, s.ENDING] = own[e, s.ENDING_BLOCKS] = 0
    live = own[e, s.LIVE]
    if live > 0:
        own[e, s.FREE] -= blocks_for(st, e, steps)
        own[e, s.COUNT] += steps
        own[e, s.CONTEXT] += live * steps
        observe(st, e, s.ITL, seconds / steps, float(live * steps))
        st.counters[e, s.GENERATION_TOKENS] += live * steps
    st.engine_times[e, s.NOW] += seconds


@jit
def _end_finished(st: State, e: int) -> None:
    own = st.engine_numbers
    while own[e, s.LIVE] > 0 and (st.heap_keys[e, 0] >> 32) <= own[e, s.COUNT]:
        r = pop_key(st.heap_keys[e], st.heap_requests[e], own[e, s.LIVE])
        free = own[e, s.FREE]
        made = leave(st, e, r)
        own[e, s.ENDING_BLOCKS] += own[e, s.FREE] - free
        _finish(st, e, r, made)


@jit
def _finish(st: State, e: int, r: int, made: int) -> None:
    times, now_s = st.request_times, st.engine_times[e, s.NOW]
    first_s, scheduled_s = times[r, s.FIRST_HERE], times[r, s.SCHEDULED]
    st.counters[e, s.FINISHED] += 1
    st.engine_numbers[e, s.ENDING] += 1
    observe(st, e, s.PROMPT_LENGTH, float(st.request_numbers[r, s.ISL]), 1.0)
    observe(st, e, s.ANSWER_LENGTH, float(made), 1.0)
    observe(st, e, s.E2E, now_s - times[r, s.ENTERED], 1.0)
    observe(st, e, s.INFERENCE, now_s - scheduled_s, 1.0)
    observe(st, e, s.PREFILL_TIME, first_s - scheduled_s, 1.0)
    observe(st, e, s.DECODE_TIME, now_s - first_s, 1.0)
    observe(st, e, s.TPOT, (now_s - first_s) / (made - 1) if made > 1 else 0.0, 1.0)
    if st.engine_numbers[e, s.ROLE] == s.PREFILL and st.request_numbers[r, s.OSL] > 1:
        _hand_over(st, e, r, now_s)
    else:
        conclude(st, r, now_s)


@jit
def _hand_over(st: State, e: int, r: int, now_s: float) -> None:
    """A prompt was read on a prefill replica: its KV cache travels to the decode side."""
    st.request_times[r, s.HANDED] = now_s
    arrives_s = now_s + st.engine_times[e, s.TRANSFER] * st.request_numbers[r, s.ISL]
    st.scalars[s.HANDOVER_NUMBER] += 1
    push_timed(st.handover_times, st.handovers, st.scalars[s.HANDOVERS], arrives_s, st.scalars[s.HANDOVER_NUMBER], r)
    st.scalars[s.HANDOVERS] += 1


@jit
def conclude(st: State, r: int, at_s: float) -> None:
    """A request is over, answered at `at_s` or refused (NaN): note it and free its slot."""
    times, numbers = st.request_times, st.request_numbers
    row = st.scalars[s.DONE]
    st.done[row, s.DONE_ARRIVED] = times[r, s.ARRIVED]
    st.done[row, s.DONE_FIRST] = at_s if math.isnan(times[r, s.FIRST]) else times[r, s.FIRST]
    st.done[row, s.DONE_END] = at_s
    st.done[row, s.DONE_ISL], st.done[row, s.DONE_OSL] = numbers[r, s.ISL], numbers[r, s.OSL]
    st.scalars[s.DONE] = row + 1
    st.free_requests[st.scalars[s.FREE_REQUESTS]] = r
    st.scalars[s.FREE_REQUESTS] += 1
