"""One target's requests on their way: the gateway's queue, routing, and the hand-over from prefill to decode."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field

from controlplane.domain import catalog
from controlplane.domain.target import Role, Target
from controlplane.planning.roofline import kv_transfer_s
from controlplane.simulation.engine import Engine, Request
from controlplane.simulation.lifecycle import Pod
from controlplane.simulation.meters import RequestMeter


@dataclass(slots=True)
class Service:
    """Routes to the Ready replica with the fewest requests; where there is none, requests wait at the gateway."""

    target: Target
    meter: RequestMeter
    fronts: list[Pod] = field(default_factory=list)
    """Ready replicas that take new requests: Prefill and Both."""
    decoders: list[Pod] = field(default_factory=list)
    """Ready replicas of role Decode."""
    leaving: list[Pod] = field(default_factory=list)
    """Draining replicas: they take nothing new and finish what they have."""
    gateway: deque[Request] = field(default_factory=deque)
    _handovers: list[tuple[float, int, float, Request]] = field(default_factory=list)
    """Heap of (arrival at the decode side, number, prefill's end, request)."""
    _stranded: deque[tuple[float, Request]] = field(default_factory=deque)
    """Prefilled requests for which there was no decode replica: (prefill's end, request)."""
    _numbers: int = 0

    def arrive(self, request: Request) -> None:
        """Take one new request; `advance` must have brought the replicas to its arrival."""
        self.meter.arrived += 1
        self._enter(request, request.arrived_at_s)

    def advance(self, until_s: float) -> None:
        """Play the replicas up to `until_s`, prompts first: what they hand over reaches the decode side in order."""
        for pod in (*self.fronts, *self.leaving):
            engine = _engine(pod)
            if engine.role is not Role.DECODE:
                engine.advance(until_s)
        while self._handovers and self._handovers[0][0] <= until_s:
            at_s, _, handed_s, request = heapq.heappop(self._handovers)
            self._advance_decoders(at_s)
            self._decode(request, at_s, handed_s)
        self._advance_decoders(until_s)

    def open(self, pod: Pod, at_s: float) -> None:
        """A replica became Ready: it takes what waits."""
        if pod.workload.variant.role is Role.DECODE:
            self.decoders.append(pod)
            while self._stranded:
                handed_s, request = self._stranded.popleft()
                self._decode(request, at_s, handed_s)
            return
        self.fronts.append(pod)
        waiting, self.gateway = self.gateway, deque()
        for request in waiting:
            self._enter(request, at_s)

    def close(self, pod: Pod) -> None:
        """A replica drains from now on."""
        self._forget(pod)
        self.leaving.append(pod)

    def drop(self, pod: Pod, at_s: float) -> None:
        """A replica is gone; what it still had begins again elsewhere."""
        self._forget(pod)
        for request in _engine(pod).evict_all():
            self._enter(request, at_s)

    def prefilled(self, pod: Pod, request: Request, at_s: float) -> None:
        """A prompt was read on a prefill replica: its KV cache travels to the decode side."""
        if request.output_tokens <= 1:
            if request.first_token_at_s is None:
                request.first_token_at_s = at_s
            self.meter.finish(request, at_s)
            return
        self._numbers += 1
        transfer_s = kv_transfer_s(
            catalog.model(self.target.model),
            request.input_tokens,
            catalog.accelerator(pod.workload.variant.accelerator),
            self._receiver(),
        )
        heapq.heappush(self._handovers, (at_s + transfer_s, self._numbers, at_s, request))

    def answered(self, request: Request, at_s: float) -> None:
        """A request's last token was made."""
        self.meter.finish(request, at_s)

    def _receiver(self) -> catalog.Accelerator:
        decoding = next(v for v in self.target.variants if v.role is Role.DECODE)
        return catalog.accelerator(decoding.accelerator)

    def _advance_decoders(self, until_s: float) -> None:
        for pod in (*self.decoders, *self.leaving):
            engine = _engine(pod)
            if engine.role is Role.DECODE:
                engine.advance(until_s)

    def _enter(self, request: Request, at_s: float) -> None:
        if not self.fronts:
            self.gateway.append(request)
            return
        engine = _least_loaded(self.fronts)
        if engine.fits(request):
            engine.submit(request, at_s)
        else:
            self.meter.reject()

    def _decode(self, request: Request, at_s: float, handed_over_at_s: float) -> None:
        if not self.decoders:
            self._stranded.append((handed_over_at_s, request))
            return
        engine = _least_loaded(self.decoders)
        if engine.fits(request):
            engine.submit(request, at_s, handed_over_at_s)
        else:
            self.meter.reject()

    def _forget(self, pod: Pod) -> None:
        for pods in (self.fronts, self.decoders, self.leaving):
            if pod in pods:
                pods.remove(pod)


def _engine(pod: Pod) -> Engine:
    assert pod.engine is not None, f"{pod.name} is not Ready"
    return pod.engine


def _least_loaded(pods: list[Pod]) -> Engine:
    """Fewest requests, weighed by the speed of the replica's decode step, so that a slow GPU gets fewer."""
    return min((_engine(pod) for pod in pods), key=lambda e: (e.running + e.waiting + 1) * e.cost.a_s)
