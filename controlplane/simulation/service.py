"""One target's requests and replicas: the readable surface of the compiled core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from controlplane.domain import catalog
from controlplane.domain.target import Role, Target
from controlplane.planning.roofline import kv_transfer_s
from controlplane.simulation.core import closed_loop, routing
from controlplane.simulation.core import state as s
from controlplane.simulation.core.state import State, allocate, grown
from controlplane.simulation.engine import Engine
from controlplane.simulation.lifecycle import Workload
from controlplane.simulation.meters import RequestMeter
from controlplane.simulation.traffic import Arrivals

_ROLES: Mapping[Role, int] = {Role.BOTH: s.BOTH, Role.PREFILL: s.PREFILL, Role.DECODE: s.DECODE}


class Routing(IntEnum):
    """Who gets the next request. Least loaded weighs requests by the replica's speed; least requests and round robin,
    the defaults of most gateways, do not."""

    LEAST_LOADED = routing.LEAST_LOADED
    LEAST_REQUESTS = routing.LEAST_REQUESTS
    ROUND_ROBIN = routing.ROUND_ROBIN


@dataclass(slots=True, eq=False)
class Service:
    """Plays one target. Where no replica is Ready, requests wait at the gateway. Times are unix seconds and never go
    back."""

    target: Target
    meter: RequestMeter
    routing: Routing = Routing.LEAST_LOADED
    _state: State = field(default_factory=lambda: allocate(requests=256, engines=8, sequences=256))
    _engines: dict[int, Engine] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.route_by(self.routing)

    def route_by(self, routing: Routing) -> None:
        """Choose replicas in another way from now on."""
        self.routing = routing
        self._state.scalars[s.ROUTING] = routing

    def play(self, until_s: float, arrivals: Arrivals) -> None:
        """Let the requests arrive, which are in order and before `until_s`, and play every replica up to then."""
        self.meter.arrived += len(arrivals.at_s)
        self._make_room(requests=len(arrivals.at_s))
        routing.play(
            self._state, until_s, arrivals.at_s, arrivals.input_tokens, arrivals.output_tokens, arrivals.cached_tokens
        )
        self._collect()

    def play_closed(
        self, users: int, pause_s: float, inputs: np.ndarray, outputs: np.ndarray, cached: np.ndarray
    ) -> None:
        """Play a benchmark's closed loop on the one replica there is: `users` requests at once, the next one `pause_s`
        after each end, until all are answered."""
        self.meter.arrived += len(inputs)
        self._make_room(requests=len(inputs))
        (engine,) = self._engines.values()
        closed_loop.play_closed(self._state, engine.number, users, pause_s, inputs, outputs, cached)
        self._collect()

    def open(self, workload: Workload, at_s: float) -> Engine:
        """A replica became Ready: it takes what waits."""
        number = self._free_number()
        self._make_room(engine=number, sequences=workload.limits.max_num_seqs)
        engine = Engine(workload.variant.role, workload.cost, workload.limits, at_s, self._state, number)
        self._engines[number] = engine
        self._reset(engine, self._transfer_s_per_token(workload))
        routing.release(self._state, number, at_s)
        self._collect()
        return engine

    def close(self, engine: Engine) -> None:
        """A replica drains from now on: it takes nothing new and finishes what it has."""
        self._state.engine_numbers[engine.number, s.STATUS] = s.LEAVING

    def drop(self, engine: Engine, at_s: float) -> None:
        """A replica is gone; what it still had begins again elsewhere."""
        del self._engines[engine.number]
        self._make_room(requests=0)
        routing.evict(self._state, engine.number, at_s)
        self._collect()

    @property
    def between_replicas(self) -> int:
        """Requests that are in no replica: at the gateway, with KV caches on their way, or without a decode replica."""
        queued = sum(self._length(head) for head in (s.GATEWAY_HEAD, s.STRANDED_HEAD))
        return queued + int(self._state.scalars[s.HANDOVERS])

    def _length(self, head: int) -> int:
        place, count = int(self._state.scalars[head]), 0
        while place != s.NONE:
            place, count = int(self._state.request_numbers[place, s.NEXT]), count + 1
        return count

    def _collect(self) -> None:
        rows = int(self._state.scalars[s.DONE])
        if rows:
            self.meter.conclude(self._state.done[:rows])
            self._state.scalars[s.DONE] = 0

    def _free_number(self) -> int:
        return next(number for number in range(len(self._engines) + 1) if number not in self._engines)

    def _make_room(self, requests: int = 0, engine: int = 0, sequences: int = 0) -> None:
        """Grow the arrays by halves where they are too small; every engine's view is made anew on the new arrays."""
        state = self._state
        pool, engines, width = len(state.request_times), *state.heap_keys.shape
        in_use = pool - int(state.scalars[s.FREE_REQUESTS])
        wanted = (in_use + requests, engine + 1, sequences)
        if all(need <= size for need, size in zip(wanted, (pool, engines, width), strict=True)):
            return
        sizes = [
            max(size, need + need // 2 if need > size else size)
            for need, size in zip(wanted, (pool, engines, width), strict=True)
        ]
        self._state = grown(state, *sizes)
        for view in self._engines.values():
            view.move_to(self._state)

    def _reset(self, engine: Engine, transfer_s_per_token: float) -> None:
        state, number, limits = self._state, engine.number, engine.limits
        if limits.block_tokens > s.MAX_BLOCK_TOKENS:
            raise ValueError(f"blockTokens is {limits.block_tokens}; allowed: at most {s.MAX_BLOCK_TOKENS}")
        for rows in (state.residues, state.counters, state.bucket_counts, state.bucket_sums, state.engine_numbers):
            rows[number] = 0
        cost = engine.cost
        state.engine_times[number] = (
            *(engine.started_at_s, np.inf, cost.a_s, cost.b_s_per_token, cost.c_s_per_sequence, cost.d_s_per_token),
            *(cost.e_s_per_token_pair, transfer_s_per_token, engine.started_at_s),
        )
        own = state.engine_numbers[number]
        own[[s.STATUS, s.ROLE, s.KV_BLOCKS, s.FREE]] = s.OPEN, _ROLES[engine.role], limits.kv_blocks, limits.kv_blocks
        own[[s.MAX_SEQS, s.MAX_BATCHED, s.BLOCK]] = limits.max_num_seqs, limits.max_batched_tokens, limits.block_tokens
        own[s.MAX_CONTEXT] = limits.max_context_tokens

    def _transfer_s_per_token(self, workload: Workload) -> float:
        """Of KV cache, over the slower of the two links."""
        if workload.variant.role is not Role.PREFILL:
            return 0.0
        receiver = next(v.accelerator for v in self.target.variants if v.role is Role.DECODE)
        gpus = [catalog.accelerator(name) for name in (workload.variant.accelerator, receiver)]
        return kv_transfer_s(catalog.model(self.target.model), 1.0, *gpus)
