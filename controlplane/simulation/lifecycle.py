"""A simulated replica's life: waiting for a GPU, the stages of its cold start, Ready, draining."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from controlplane.domain.target import Target, Variant
from controlplane.planning.roofline import StepCost
from controlplane.simulation.engine import Engine, EngineLimits
from controlplane.simulation.ports import PodStage

SECONDS_PER_HOUR = 3600.0
DRAIN_S = 120.0
"""Seconds that a deleted replica may still finish what it has: terminationGracePeriodSeconds of the workloads."""
GPUS_PER_NODE = 8
"""The usual size of a GPU machine."""
COLD_START_STAGES = (PodStage.NODE, PodStage.IMAGE, PodStage.LOAD, PodStage.WARM_UP)


@dataclass(frozen=True, slots=True)
class ColdStartStages:
    """Mean seconds of each stage; `jitter` is the relative standard deviation of the whole."""

    node_s: float = 60.0
    image_s: float = 45.0
    load_s: float = 55.0
    warm_up_s: float = 20.0
    jitter: float = 0.1

    def draw(self, random: np.random.Generator) -> tuple[float, ...]:
        """Seconds of each stage of one cold start; never below a third of the mean."""
        factor = max(1 / 3, 1.0 + self.jitter * float(random.standard_normal()))
        return tuple(factor * s for s in (self.node_s, self.image_s, self.load_s, self.warm_up_s))


@dataclass(frozen=True, slots=True)
class Hazards:
    """What happens to Ready replicas: events per replica and hour. A reclaimed one has its notice to finish in."""

    crashes_per_hour: float = 0.0
    reclaims_per_hour: float = 0.0
    reclaim_notice_s: float = 120.0
    """Of spot capacity: AWS gives two minutes, GCP and Azure half a minute."""

    def draw(self, random: np.random.Generator, now_s: float) -> tuple[float, bool]:
        """When the first of the two strikes (unix seconds; infinite where none can), and whether it is a reclaim."""
        crash_s, reclaim_s = (
            float(random.exponential(SECONDS_PER_HOUR / rate)) if rate > 0 else math.inf
            for rate in (self.crashes_per_hour, self.reclaims_per_hour)
        )
        return now_s + min(crash_s, reclaim_s), reclaim_s < crash_s


@dataclass(frozen=True, slots=True)
class StockOut:
    """Seconds from the scenario's start in which no more machines of an accelerator can be had."""

    accelerator: str
    from_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class Workload:
    """One Deployment: its variant, its true step cost, its engine's limits and its cold start."""

    key: str
    target: Target
    variant: Variant
    cost: StepCost
    limits: EngineLimits
    cold_start: ColdStartStages
    initial_replicas: int
    hazards: Hazards = Hazards()


@dataclass(slots=True, eq=False)
class Pod:
    """One replica. `stage_ends_at_s` are the ends of its cold-start stages, empty until it is scheduled."""

    name: str
    workload: Workload
    created_at_s: float
    stage_ends_at_s: tuple[float, ...] = ()
    scheduled_at_s: float | None = None
    ready_at_s: float | None = None
    deleted_at_s: float | None = None
    grace_s: float = DRAIN_S
    """Seconds that it may still finish what it has, once it is deleted."""
    struck_at_s: float = math.inf
    """When it will crash or be reclaimed."""
    is_reclaim: bool = False
    node: str | None = None
    engine: Engine | None = None

    def stage(self, now_s: float) -> PodStage:
        """Where it is at `now_s`."""
        if self.deleted_at_s is not None:
            return PodStage.TERMINATING
        if self.engine is not None:
            return PodStage.READY
        if self.scheduled_at_s is None:
            return PodStage.UNSCHEDULABLE
        for stage, end_s in zip(COLD_START_STAGES, self.stage_ends_at_s, strict=True):
            if now_s < end_s:
                return stage
        return PodStage.WARM_UP

    def stage_since_s(self, now_s: float) -> float:
        """When that stage began."""
        if self.deleted_at_s is not None:
            return self.deleted_at_s
        if self.ready_at_s is not None:
            return self.ready_at_s
        if self.scheduled_at_s is None:
            return self.created_at_s
        return max((self.scheduled_at_s, *(end for end in self.stage_ends_at_s if end <= now_s)))

    def schedule(self, node: str, at_s: float, stages_s: tuple[float, ...]) -> None:
        """Place it on a node: its cold start begins."""
        ends = np.cumsum((at_s, *stages_s))[1:]
        self.node, self.scheduled_at_s = node, at_s
        self.stage_ends_at_s = tuple(float(end) for end in ends)

    @property
    def due_at_s(self) -> float | None:
        """When it will be Ready; None before it is scheduled and once it is Ready."""
        if self.engine is not None or self.deleted_at_s is not None or not self.stage_ends_at_s:
            return None
        return self.stage_ends_at_s[-1]


@dataclass(slots=True)
class Nodes:
    """Machines by accelerator, and the GPUs that are free on each."""

    free: dict[str, dict[str, int]] = field(default_factory=dict)
    sizes: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Accelerator and GPUs of every node by its name."""

    @classmethod
    def of(cls, inventory: dict[str, int]) -> Nodes:
        """Whole machines of eight GPUs, and a smaller one for the rest."""
        nodes = cls()
        for accelerator, gpus in inventory.items():
            for index, first in enumerate(range(0, gpus, GPUS_PER_NODE)):
                name = f"{accelerator.lower()}-{index}"
                size = min(GPUS_PER_NODE, gpus - first)
                nodes.sizes[name] = (accelerator, size)
                nodes.free.setdefault(accelerator, {})[name] = size
        return nodes

    def take(self, accelerator: str, gpus: int) -> str | None:
        """The fullest node that still has that many GPUs, which are then taken; None where there is none."""
        fitting = [(free, name) for name, free in self.free.get(accelerator, {}).items() if free >= gpus]
        if not fitting:
            return None
        name = min(fitting)[1]
        self.free[accelerator][name] -= gpus
        return name

    def give_back(self, node: str, gpus: int) -> None:
        """Free them again."""
        self.free[self.sizes[node][0]][node] += gpus
