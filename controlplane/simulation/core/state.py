"""The arrays, and the names of their columns.

Rows of `request_*` are slots of a pool, rows of `engine_*` one replica each. A request is in exactly one place: an
engine's queue (a list linked by NEXT), its prefilling list, its heap of decoding sequences, the hand-over heap, the
gateway's queue or the stranded queue.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from controlplane.simulation.core.jit import borrowed, jit
from controlplane.simulation.telemetry import BOUNDS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NONE = -1

# request_times
ARRIVED, FIRST, ENTERED, QUEUED, SCHEDULED, FIRST_HERE, HANDED = range(7)
REQUEST_TIMES = 7
# request_numbers
ISL, OSL, CACHED, GOAL, MADE, LEFT, ORIGIN, BLOCKS, ORDER, NEXT = range(10)
REQUEST_NUMBERS = 10

# engine_times: NOW is the end of its last step; until QUIET nothing can change but the contexts of what decodes. It was
# played up to SEEN: where that is before NOW, the last step is in flight.
NOW, QUIET, COST_A, COST_B, COST_C, COST_D, COST_E, TRANSFER, SEEN = range(9)
ENGINE_TIMES = 9
# engine_numbers
STATUS, ROLE, KV_BLOCKS, MAX_SEQS, MAX_BATCHED, BLOCK, MAX_CONTEXT = range(7)
COUNT, LIVE, CONTEXT, FREE, HEAD, TAIL, WAITING, PREFILLING, ORDERS = range(7, 16)
# What the last step ended: until its time has come it is in the batch for whoever looks from outside.
ENDING, ENDING_BLOCKS = range(16, 18)
ENGINE_NUMBERS = 18

# STATUS
ABSENT, OPEN, LEAVING = range(3)
# ROLE
BOTH, PREFILL, DECODE = range(3)

# engine_counters
PROMPT_TOKENS, CACHED_TOKENS, GENERATION_TOKENS, FINISHED, PREEMPTIONS = range(5)
ENGINE_COUNTERS = 5

# histograms, in the order of telemetry.BOUNDS
TTFT, ITL, TPOT, E2E, QUEUE, INFERENCE, PREFILL_TIME, DECODE_TIME, ITERATION, PROMPT_LENGTH, ANSWER_LENGTH = range(11)

# scalars
FREE_REQUESTS, GATEWAY_HEAD, GATEWAY_TAIL, STRANDED_HEAD, STRANDED_TAIL, HANDOVERS, HANDOVER_NUMBER, DONE = range(8)
ROUTING, NEXT_FRONT, NEXT_DECODER = range(8, 11)
SCALARS = 11

# done: one row for every request that is over. DONE_END is NaN for one that was refused.
DONE_ARRIVED, DONE_FIRST, DONE_END, DONE_ISL, DONE_OSL = range(5)
DONE_COLUMNS = 5

MAX_BLOCK_TOKENS = 64
"""Widest KV block that the arrays have room for; vLLM's is 16 by default."""


class State(NamedTuple):
    """Everything that changes. Grown by `core.Core`, changed in place by the kernels."""

    request_times: Floats
    request_numbers: Ints
    free_requests: Ints
    engine_times: Floats
    engine_numbers: Ints
    residues: Ints
    """Decoding sequences by the decode count, modulo the block, after which they need a new block."""
    prefilling: Ints
    heap_keys: Ints
    """Decode count at the end << 32 | order."""
    heap_requests: Ints
    counters: Floats
    bucket_bounds: Floats
    bucket_counts: Floats
    bucket_sums: Floats
    """Sum and count of each histogram."""
    handover_times: Floats
    handovers: Ints
    """Number and request."""
    done: Floats
    scalars: Ints


def allocate(requests: int, engines: int, sequences: int) -> State:
    """Arrays with room for so many requests, engines, and sequences in an engine's batch; all empty."""
    width = max(len(bounds) for bounds in BOUNDS.values())
    bounds = np.full((len(BOUNDS), width), np.inf)
    for row, values in enumerate(BOUNDS.values()):
        bounds[row, : len(values)] = values
    scalars = np.zeros(SCALARS, np.int64)
    scalars[FREE_REQUESTS] = requests
    for queue in (GATEWAY_HEAD, GATEWAY_TAIL, STRANDED_HEAD, STRANDED_TAIL):
        scalars[queue] = NONE
    return State(
        request_times=np.full((requests, REQUEST_TIMES), np.nan),
        request_numbers=np.zeros((requests, REQUEST_NUMBERS), np.int64),
        free_requests=np.arange(requests, dtype=np.int64)[::-1].copy(),
        engine_times=np.zeros((engines, ENGINE_TIMES)),
        engine_numbers=np.zeros((engines, ENGINE_NUMBERS), np.int64),
        residues=np.zeros((engines, MAX_BLOCK_TOKENS), np.int64),
        prefilling=np.zeros((engines, sequences), np.int64),
        heap_keys=np.zeros((engines, sequences), np.int64),
        heap_requests=np.zeros((engines, sequences), np.int64),
        counters=np.zeros((engines, ENGINE_COUNTERS)),
        bucket_bounds=bounds,
        bucket_counts=np.zeros((engines, len(BOUNDS), width + 1)),
        bucket_sums=np.zeros((engines, len(BOUNDS), 2)),
        handover_times=np.zeros(requests),
        handovers=np.zeros((requests, 2), np.int64),
        done=np.zeros((requests, DONE_COLUMNS)),
        scalars=scalars,
    )


def grown(state: State, requests: int, engines: int, sequences: int) -> State:
    """The same state in larger arrays; sizes are not below today's."""
    larger = allocate(requests, engines, sequences)
    for name, old, new in zip(State._fields, state, larger, strict=True):
        if name in ("free_requests", "bucket_bounds"):
            continue
        new[tuple(slice(0, size) for size in old.shape)] = old
    old_size, free = len(state.request_times), int(state.scalars[FREE_REQUESTS])
    more = requests - old_size
    larger.free_requests[:more] = np.arange(old_size, requests)[::-1]
    larger.free_requests[more : more + free] = state.free_requests[:free]
    larger.scalars[FREE_REQUESTS] = free + more
    return larger


@jit
def borrowed_state(st: State) -> State:
    """The same arrays, not counted: for the length of a call from outside, whose caller holds them."""
    return State(
        borrowed(st.request_times),
        borrowed(st.request_numbers),
        borrowed(st.free_requests),
        borrowed(st.engine_times),
        borrowed(st.engine_numbers),
        borrowed(st.residues),
        borrowed(st.prefilling),
        borrowed(st.heap_keys),
        borrowed(st.heap_requests),
        borrowed(st.counters),
        borrowed(st.bucket_bounds),
        borrowed(st.bucket_counts),
        borrowed(st.bucket_sums),
        borrowed(st.handover_times),
        borrowed(st.handovers),
        borrowed(st.done),
        borrowed(st.scalars),
    )
