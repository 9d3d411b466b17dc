"""A benchmark's closed loop on one replica: so many users, each of whom asks again when answered."""

from __future__ import annotations

import math

from controlplane.simulation.core import state as s
from controlplane.simulation.core.batch import running
from controlplane.simulation.core.engine import advance, submit
from controlplane.simulation.core.jit import jit
from controlplane.simulation.core.state import Ints, State, borrowed_state


@jit
def play_closed(counted: State, e: int, users: int, pause_s: float, isl: Ints, osl: Ints, cached: Ints) -> None:
    """Play all requests on replica `e`: `users` of them at once, and the next one `pause_s` after each end.

    There must be a free slot for each request, and each must fit the replica.
    """
    st = borrowed_state(counted)
    start_s, heard, sent = st.engine_times[e, s.NOW], st.scalars[s.DONE], 0
    while sent < len(isl) or running(st, e) > 0 or st.engine_numbers[e, s.WAITING] > 0:
        at_s = math.inf
        if sent < len(isl) and sent < users:
            at_s = start_s
        elif sent < len(isl) and heard < st.scalars[s.DONE]:
            at_s = st.done[heard, s.DONE_END] + pause_s
        if math.isfinite(at_s):
            heard += sent >= users
            advance(st, e, at_s)
            _send(st, e, at_s, isl[sent], osl[sent], cached[sent])
            sent += 1
        else:
            # To the step before the next end, or one step: whoever is answered there asks again.
            now_s = st.engine_times[e, s.NOW]
            advance(st, e, max(st.engine_times[e, s.QUIET], math.nextafter(now_s, math.inf)))


@jit
def _send(st: State, e: int, at_s: float, isl: int, osl: int, cached: int) -> None:
    st.scalars[s.FREE_REQUESTS] -= 1
    r = st.free_requests[st.scalars[s.FREE_REQUESTS]]
    st.request_times[r, s.ARRIVED] = at_s
    st.request_times[r, s.FIRST] = math.nan
    st.request_numbers[r, s.ISL], st.request_numbers[r, s.OSL] = isl, osl
    st.request_numbers[r, s.CACHED] = min(cached, isl - 1)
    submit(st, e, r, at_s, at_s, False)
