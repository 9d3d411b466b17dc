"""The simulated fleet: pods that come and go, and the requests that they serve, on a clock that others drive."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from controlplane.domain.observation import Inventory, Replica, ReplicaPhase, Sample
from controlplane.simulation.lifecycle import Nodes, Pod, StockOut, Workload
from controlplane.simulation.meters import RequestMeter, VariantMeter, meter_of
from controlplane.simulation.ports import PodStage, SimulatedPod
from controlplane.simulation.service import Service
from controlplane.simulation.traffic import Arrivals, Traffic
from controlplane.simulation.vllm_page import render_page, sample_of

DRAIN_CHECK_S = 1.0
"""A draining replica is looked at on multiples of this, as a kubelet would."""
_NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' own alphabet of generated names: no vowels, so no words."""


@dataclass(frozen=True, slots=True)
class SimulatedNode:
    """One machine of the simulated cluster."""

    name: str
    accelerator: str
    gpus: int


class Fleet:
    """What the simulated cluster puts HTTP in front of; also gives samples and replicas without text, for backtests."""

    def __init__(
        self,
        workloads: Sequence[Workload],
        traffic: Mapping[str, Traffic],
        inventory: Mapping[str, int],
        start_s: float,
        seed: int,
        replicas: Mapping[str, int] | None = None,
        stock_outs: Sequence[StockOut] = (),
    ) -> None:
        self.now_s = self._start_s = start_s
        self._stock_outs = tuple(stock_outs)
        self.workloads = {w.key: w for w in workloads}
        targets = {w.target.key: w.target for w in workloads}
        self.services = {key: Service(target, meter_of(target)) for key, target in targets.items()}
        self.meters = {
            w.key: VariantMeter(w.variant.usd_per_replica_hour, w.variant.gpus_per_replica) for w in workloads
        }
        self._traffic = dict(traffic)
        self._random = np.random.default_rng(seed)
        self._nodes = Nodes.of(dict(inventory))
        self._pods: dict[str, Pod] = {}
        self._wanted = {w.key: (replicas or {}).get(w.key, w.initial_replicas) for w in workloads}
        for workload in workloads:
            self._start_warm(workload)

    # What the cluster sees

    def advance(self, until_s: float) -> None:
        """Play the load and the replicas up to `until_s`; going back is not possible and does nothing."""
        while self.now_s < until_s:
            step_s = min([until_s, *self._due_times()])
            self._serve(step_s)
            self._pass_time(step_s)
            self._turn_pods()

    def set_replicas(self, workload: str, replicas: int, delete_first: Sequence[str] = ()) -> None:
        """Want that many replicas from now on; going down, not-ready ones go first, then those in `delete_first`."""
        if replicas < 0:
            raise ValueError(f"replicas of {workload} is {replicas}; allowed: 0 or more")
        self.meters[workload].scale(self._wanted[workload], replicas, self.now_s)
        self._wanted[workload] = replicas
        self._reconcile(self.workloads[workload], delete_first)

    def replicas_wanted(self, workload: str) -> int:
        """What was last wanted of a workload."""
        return self._wanted[workload]

    def pods(self) -> list[SimulatedPod]:
        """Every pod that exists, draining ones included, oldest first."""
        return [self._simulated(pod) for pod in self._pods.values()]

    def nodes(self) -> list[SimulatedNode]:
        """The machines of the inventory."""
        return [SimulatedNode(name, *size) for name, size in self._nodes.sizes.items()]

    def metrics_page(self, pod: str) -> bytes:
        """The vLLM metrics page of a pod that is Ready or Terminating.

        Raises:
            KeyError: if there is no such pod or its engine is not up yet.
        """
        engine = self._pods[pod].engine
        if engine is None:
            raise KeyError(f"the engine of {pod} is not up yet")
        return render_page(engine, self._pods[pod].workload.target.model)

    def reclaim(self, pod: str) -> None:
        """Take a replica's machine back: it drains for its notice, and its place is filled by a new one."""
        victim = self._pods[pod]
        victim.grace_s = victim.workload.hazards.reclaim_notice_s
        self._delete(victim)
        self._reconcile(victim.workload, ())

    def crash(self, pod: str) -> None:
        """Kill a pod at once: what it served begins again elsewhere, and its place is filled by a new one."""
        victim = self._pods[pod]
        self._remove(victim)
        self._reconcile(victim.workload, ())
        self._place_waiting()

    # What a backtest sees

    def samples(self, target: str) -> list[Sample]:
        """The Samples that scraping every Ready replica of a target would give now."""
        ready = (p for p in self._of_target(target) if p.engine is not None and p.deleted_at_s is None)
        return [sample_of(p.engine, p.name, p.workload.variant.name, self.now_s) for p in ready if p.engine]

    def replicas(self, target: str) -> tuple[Replica, ...]:
        """A target's replicas as a cluster would report them."""
        return tuple(self._replica(pod) for pod in self._of_target(target))

    def desired(self, target: str) -> dict[str, int]:
        """Replicas wanted by variant."""
        return {w.variant.name: self._wanted[w.key] for w in self.workloads.values() if w.target.key == target}

    def inventory(self) -> Inventory:
        """GPUs by accelerator."""
        gpus: dict[str, int] = {}
        for accelerator, size in self._nodes.sizes.values():
            gpus[accelerator] = gpus.get(accelerator, 0) + size
        return Inventory(gpus)

    def request_meter(self, target: str) -> RequestMeter:
        """A target's requests so far."""
        return self.services[target].meter

    # Time

    def _due_times(self) -> list[float]:
        """Times at which a pod's stage changes what is served: Ready, or the end of its grace."""
        times = []
        for pod in self._pods.values():
            if pod.due_at_s is not None:
                times.append(pod.due_at_s)
            elif pod.deleted_at_s is not None:
                times.append(
                    min(pod.deleted_at_s + pod.grace_s, math.floor(self.now_s / DRAIN_CHECK_S + 1) * DRAIN_CHECK_S)
                )
            elif pod.struck_at_s < math.inf:
                times.append(pod.struck_at_s)
        times.extend(self._start_s + out.until_s for out in self._stock_outs)
        return [t for t in times if t > self.now_s]

    def _serve(self, until_s: float) -> None:
        for key, service in self.services.items():
            traffic = self._traffic.get(key)
            service.play(until_s, traffic.arrivals(self.now_s, until_s) if traffic else Arrivals.none())

    def _pass_time(self, until_s: float) -> None:
        for meter in self.meters.values():
            meter.pass_time(until_s - self.now_s)
        self.now_s = until_s

    def _turn_pods(self) -> None:
        freed = any(self._start_s + out.until_s == self.now_s for out in self._stock_outs)
        for pod in list(self._pods.values()):
            if pod.deleted_at_s is not None:
                if self._drained(pod) or self.now_s >= pod.deleted_at_s + pod.grace_s:
                    self._remove(pod)
                    freed = True
            elif pod.struck_at_s <= self.now_s:
                (self.reclaim if pod.is_reclaim else self.crash)(pod.name)
            elif pod.due_at_s is not None and pod.due_at_s <= self.now_s:
                self._make_ready(pod)
        if freed:
            self._place_waiting()

    def _drained(self, pod: Pod) -> bool:
        """Whether it has nothing left to do; looked at on whole seconds alone, so that slices of time do not matter."""
        if self.now_s % DRAIN_CHECK_S != 0:
            return False
        return pod.engine is None or not (pod.engine.running or pod.engine.waiting)

    # Pods

    def _start_warm(self, workload: Workload) -> None:
        """The replicas that the scenario begins with are Ready from the start."""
        for _ in range(self._wanted[workload.key]):
            pod = self._create(workload)
            self._place(pod)
            if pod.node is not None:
                pod.stage_ends_at_s = (self.now_s,) * len(pod.stage_ends_at_s)
                self._make_ready(pod)

    def _reconcile(self, workload: Workload, delete_first: Sequence[str]) -> None:
        standing = [p for p in self._pods.values() if p.workload is workload and p.deleted_at_s is None]
        missing = self._wanted[workload.key] - len(standing)
        for _ in range(missing):
            self._place(self._create(workload))
        rank = {name: place for place, name in enumerate(delete_first)}
        # A ReplicaSet deletes not-ready pods first, then by deletion cost, then the newest.
        standing.sort(key=lambda p: (p.engine is not None, rank.get(p.name, len(rank)), -p.created_at_s))
        for pod in standing[: max(0, -missing)]:
            self._delete(pod)

    def _create(self, workload: Workload) -> Pod:
        letters = self._random.choice(list(_NAME_ALPHABET), 5)
        name = f"{workload.variant.ref.name}-{''.join(letters)}"
        pod = self._pods[name] = Pod(name, workload, self.now_s)
        return pod

    def _place(self, pod: Pod) -> None:
        variant = pod.workload.variant
        if self._is_out(variant.accelerator):
            return
        node = self._nodes.take(variant.accelerator, variant.gpus_per_replica)
        if node is not None:
            pod.schedule(node, self.now_s, pod.workload.cold_start.draw(self._random))
            self.meters[pod.workload.key].place(+1)

    def _is_out(self, accelerator: str) -> bool:
        """Whether no more machines of that accelerator can be had now."""
        since_s = self.now_s - self._start_s
        return any(o.accelerator == accelerator and o.from_s <= since_s < o.until_s for o in self._stock_outs)

    def _place_waiting(self) -> None:
        for pod in self._pods.values():
            if pod.node is None and pod.deleted_at_s is None:
                self._place(pod)

    def _make_ready(self, pod: Pod) -> None:
        pod.ready_at_s = self.now_s
        pod.struck_at_s, pod.is_reclaim = pod.workload.hazards.draw(self._random, self.now_s)
        pod.engine = self.services[pod.workload.target.key].open(pod.workload, self.now_s)

    def _delete(self, pod: Pod) -> None:
        pod.deleted_at_s = self.now_s
        if pod.engine is None:
            self._remove(pod)
            self._place_waiting()
        else:
            self.services[pod.workload.target.key].close(pod.engine)

    def _remove(self, pod: Pod) -> None:
        del self._pods[pod.name]
        if pod.engine is not None:
            self.services[pod.workload.target.key].drop(pod.engine, self.now_s)
        if pod.node is not None:
            self._nodes.give_back(pod.node, pod.workload.variant.gpus_per_replica)
            self.meters[pod.workload.key].place(-1)

    # Views

    def _of_target(self, target: str) -> list[Pod]:
        return [pod for pod in self._pods.values() if pod.workload.target.key == target]

    def _simulated(self, pod: Pod) -> SimulatedPod:
        variant = pod.workload.variant
        return SimulatedPod(
            name=pod.name,
            workload=pod.workload.key,
            stage=pod.stage(self.now_s),
            accelerator=variant.accelerator,
            gpus=variant.gpus_per_replica,
            created_at_s=pod.created_at_s,
            stage_since_s=pod.stage_since_s(self.now_s),
            ready_at_s=pod.ready_at_s,
            deleted_at_s=pod.deleted_at_s,
            node=pod.node,
        )

    def _replica(self, pod: Pod) -> Replica:
        stage = pod.stage(self.now_s)
        replica = Replica(pod.name, pod.workload.variant.name, ReplicaPhase.PENDING, pod.created_at_s)
        if stage is PodStage.READY:
            return replace(replica, phase=ReplicaPhase.READY, ready_at_s=pod.ready_at_s)
        if stage is PodStage.TERMINATING:
            return replace(replica, phase=ReplicaPhase.TERMINATING, reason="Terminating")
        return replace(replica, reason="Unschedulable" if stage is PodStage.UNSCHEDULABLE else "ContainerCreating")
