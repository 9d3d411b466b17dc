"""One target's requests on their way: the gateway's queue, routing, and the hand-over from prefill to decode."""

from __future__ import annotations

import math

import numpy as np

from controlplane.simulation.core import state as s
from controlplane.simulation.core.engine import advance, conclude, seen_running, submit
from controlplane.simulation.core.heaps import pop_timed
from controlplane.simulation.core.jit import jit
from controlplane.simulation.core.state import Floats, Ints, State, borrowed_state

# ROUTING
LEAST_LOADED, LEAST_REQUESTS, ROUND_ROBIN = range(3)


@jit
def play(counted: State, until_s: float, at_s: Floats, isl: Ints, osl: Ints, cached: Ints) -> None:
    """Let the requests arrive, and play every replica up to `until_s`. There must be a free slot for each request."""
    st = borrowed_state(counted)
    for i in range(len(at_s)):
        _bring_to(st, at_s[i], False)
        st.scalars[s.FREE_REQUESTS] -= 1
        r = st.free_requests[st.scalars[s.FREE_REQUESTS]]
        st.request_times[r, s.ARRIVED] = at_s[i]
        st.request_times[r, s.FIRST] = np.nan
        st.request_numbers[r, s.ISL], st.request_numbers[r, s.OSL] = isl[i], osl[i]
        st.request_numbers[r, s.CACHED] = min(cached[i], isl[i] - 1)
        enter(st, r, at_s[i])
    _bring_to(st, until_s, True)


@jit
def _bring_to(st: State, until_s: float, wholly: bool) -> None:
    """Play the replicas up to `until_s`, prompts first: what they hand over reaches the decode side in order.

    Unless `wholly`, replicas in which nothing ends until then are left for later.
    """
    _advance_side(st, until_s, wholly, False)
    while st.scalars[s.HANDOVERS] > 0 and st.handover_times[0] <= until_s:
        arrives_s = st.handover_times[0]
        r = pop_timed(st.handover_times, st.handovers, st.scalars[s.HANDOVERS])
        st.scalars[s.HANDOVERS] -= 1
        _advance_side(st, arrives_s, False, True)
        decode(st, r, arrives_s)
    _advance_side(st, until_s, wholly, True)


@jit
def _advance_side(st: State, until_s: float, wholly: bool, decoders: bool) -> None:
    for e in range(len(st.engine_numbers)):
        if st.engine_numbers[e, s.STATUS] == s.ABSENT or (st.engine_numbers[e, s.ROLE] == s.DECODE) != decoders:
            continue
        if wholly or st.engine_times[e, s.QUIET] < until_s:
            advance(st, e, until_s)


@jit
def _chosen(st: State, decoders: bool, at_s: float) -> int:
    """The replica that takes the next request of its side; NONE where none is open.

    Least loaded weighs a replica's requests by its speed, so that a slow GPU gets fewer.
    """
    routing = st.scalars[s.ROUTING]
    place = s.NEXT_DECODER if decoders else s.NEXT_FRONT
    size = len(st.engine_numbers)
    start = (st.scalars[place] % size) if routing == ROUND_ROBIN else 0
    best, least = s.NONE, math.inf
    for i in range(size):
        e = (start + i) % size
        if st.engine_numbers[e, s.STATUS] != s.OPEN or (st.engine_numbers[e, s.ROLE] == s.DECODE) != decoders:
            continue
        if routing == ROUND_ROBIN:
            st.scalars[place] = e + 1
            return e
        load = float(seen_running(st, e, at_s) + st.engine_numbers[e, s.WAITING] + 1)
        if routing == LEAST_LOADED:
            load *= st.engine_times[e, s.COST_A]
        if load < least:
            best, least = e, load
    return best


@jit
def _fits(st: State, e: int, r: int) -> bool:
    """Whether a request could ever be served there."""
    tokens = st.request_numbers[r, s.ISL] + st.request_numbers[r, s.OSL]
    own = st.engine_numbers
    return bool(tokens <= min(own[e, s.MAX_CONTEXT], own[e, s.KV_BLOCKS] * own[e, s.BLOCK]))


@jit
def enter(st: State, r: int, at_s: float) -> None:
    """To a Ready replica that reads prompts, or to the gateway's queue while there is none."""
    e = _chosen(st, False, at_s)
    if e == s.NONE:
        _append(st, s.GATEWAY_HEAD, r)
    elif _fits(st, e, r):
        advance(st, e, at_s)
        submit(st, e, r, at_s, at_s, False)
    else:
        conclude(st, r, np.nan)


@jit
def decode(st: State, r: int, at_s: float) -> None:
    """To a Ready decode replica, with the KV cache that came; it is stranded while there is none."""
    e = _chosen(st, True, at_s)
    if e == s.NONE:
        _append(st, s.STRANDED_HEAD, r)
    elif _fits(st, e, r):
        advance(st, e, at_s)
        submit(st, e, r, at_s, st.request_times[r, s.HANDED], True)
    else:
        conclude(st, r, np.nan)


@jit
def _append(st: State, head: int, r: int) -> None:
    """To the end of a queue whose head and tail are the scalars at `head` and after it."""
    st.request_numbers[r, s.NEXT] = s.NONE
    if st.scalars[head] == s.NONE:
        st.scalars[head] = r
    else:
        st.request_numbers[st.scalars[head + 1], s.NEXT] = r
    st.scalars[head + 1] = r


@jit
def release(counted: State, e: int, at_s: float) -> None:
    """Replica `e` became Ready: it takes what waits for its side."""
    st = borrowed_state(counted)
    decoders = st.engine_numbers[e, s.ROLE] == s.DECODE
    head = s.STRANDED_HEAD if decoders else s.GATEWAY_HEAD
    r = st.scalars[head]
    st.scalars[head] = s.NONE
    while r != s.NONE:
        following = st.request_numbers[r, s.NEXT]
        if decoders:
            decode(st, r, at_s)
        else:
            enter(st, r, at_s)
        r = following


@jit
def evict(counted: State, e: int, at_s: float) -> None:
    """Replica `e` is gone: what it still had begins again elsewhere."""
    st = borrowed_state(counted)
    own, numbers = st.engine_numbers, st.request_numbers
    own[e, s.STATUS] = s.ABSENT
    for i in range(own[e, s.LIVE]):
        enter(st, st.heap_requests[e, i], at_s)
    for i in range(own[e, s.PREFILLING]):
        enter(st, st.prefilling[e, i], at_s)
    r = own[e, s.HEAD] if own[e, s.WAITING] > 0 else s.NONE
    while r != s.NONE:
        following = numbers[r, s.NEXT]
        enter(st, r, at_s)
        r = following
    own[e, s.LIVE] = own[e, s.PREFILLING] = own[e, s.WAITING] = 0
