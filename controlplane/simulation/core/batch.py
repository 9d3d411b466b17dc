"""Who is in one replica's batch, and the KV blocks it holds: joining, leaving, and preemption for want of blocks."""

from __future__ import annotations

from controlplane.simulation.core import state as s
from controlplane.simulation.core.heaps import push_key, remove_value
from controlplane.simulation.core.jit import jit
from controlplane.simulation.core.state import State


@jit
def running(st: State, e: int) -> int:
    """Sequences in the batch."""
    return int(st.engine_numbers[e, s.LIVE] + st.engine_numbers[e, s.PREFILLING])


@jit
def blocks_of(st: State, e: int, tokens: int) -> int:
    """KV blocks that so many tokens fill, the last one in part."""
    return int(-(-tokens // st.engine_numbers[e, s.BLOCK]))


@jit
def join(st: State, e: int, r: int) -> None:
    """Let a sequence whose prompt is read decode: its tokens are counted from here on, and its end is in the heap."""
    own, numbers = st.engine_numbers, st.request_numbers
    tokens = numbers[r, s.ISL] + numbers[r, s.MADE]
    numbers[r, s.ORIGIN] = own[e, s.COUNT] - numbers[r, s.MADE]
    own[e, s.FREE] += numbers[r, s.BLOCKS] - blocks_of(st, e, tokens)
    numbers[r, s.BLOCKS] = 0
    st.residues[e, _residue(st, e, r)] += 1
    end = numbers[r, s.ORIGIN] + numbers[r, s.GOAL]
    push_key(st.heap_keys[e], st.heap_requests[e], own[e, s.LIVE], (end << 32) | numbers[r, s.ORDER], r)
    own[e, s.LIVE] += 1
    own[e, s.CONTEXT] += tokens


@jit
def _residue(st: State, e: int, r: int) -> int:
    """The decode count, modulo the block, after which the sequence's tokens begin a new block."""
    numbers = st.request_numbers
    return int((1 - numbers[r, s.ISL] + numbers[r, s.ORIGIN]) % st.engine_numbers[e, s.BLOCK])


@jit
def leave(st: State, e: int, r: int) -> int:
    """Free the blocks of a sequence that was taken from the heap; returns its output tokens."""
    own, numbers = st.engine_numbers, st.request_numbers
    made = own[e, s.COUNT] - numbers[r, s.ORIGIN]
    tokens = numbers[r, s.ISL] + made
    st.residues[e, _residue(st, e, r)] -= 1
    own[e, s.FREE] += blocks_of(st, e, tokens)
    own[e, s.LIVE] -= 1
    own[e, s.CONTEXT] -= tokens
    return int(made)


@jit
def blocks_for(st: State, e: int, steps: int) -> int:
    """New KV blocks that the next `steps` decode steps need."""
    own = st.engine_numbers
    size = own[e, s.BLOCK]
    needed = (steps // size) * own[e, s.LIVE]
    for k in range(1, steps % size + 1):
        needed += st.residues[e, (own[e, s.COUNT] + k) % size]
    return int(needed)


@jit
def make_room(st: State, e: int) -> None:
    """Preempt the newest sequences until the next decode step has its blocks; they are computed again later."""
    own, numbers = st.engine_numbers, st.request_numbers
    while blocks_for(st, e, 1) > own[e, s.FREE] and running(st, e) > 1:
        newest, place = s.NONE, s.NONE
        for i in range(own[e, s.LIVE]):
            r = st.heap_requests[e, i]
            if newest == s.NONE or numbers[r, s.ORDER] > numbers[newest, s.ORDER]:
                newest = r
        for i in range(own[e, s.PREFILLING]):
            r = st.prefilling[e, i]
            if newest == s.NONE or numbers[r, s.ORDER] > numbers[newest, s.ORDER]:
                newest, place = r, i
        if place == s.NONE:
            remove_value(st.heap_keys[e], st.heap_requests[e], own[e, s.LIVE], newest)
            numbers[newest, s.MADE] = leave(st, e, newest)
        else:
            for i in range(place, own[e, s.PREFILLING] - 1):
                st.prefilling[e, i] = st.prefilling[e, i + 1]
            own[e, s.PREFILLING] -= 1
            own[e, s.FREE] += numbers[newest, s.BLOCKS]
        _requeue(st, e, newest)


@jit
def _requeue(st: State, e: int, r: int) -> None:
    """To the head of the queue: what was preempted comes first, and its tokens are read anew."""
    own, numbers = st.engine_numbers, st.request_numbers
    numbers[r, s.LEFT] = numbers[r, s.ISL] + numbers[r, s.MADE]
    numbers[r, s.BLOCKS] = 0
    st.counters[e, s.PREEMPTIONS] += 1
    numbers[r, s.NEXT] = own[e, s.HEAD] if own[e, s.WAITING] > 0 else s.NONE
    if own[e, s.WAITING] == 0:
        own[e, s.TAIL] = r
    own[e, s.HEAD] = r
    own[e, s.WAITING] += 1
