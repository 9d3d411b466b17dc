"""What a simulated pod is to the HTTP server in front of the fleet."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PodStage(StrEnum):
    """Where a simulated replica is. UNSCHEDULABLE: no GPU is free. The four cold-start stages come in this order."""

    UNSCHEDULABLE = "Unschedulable"
    NODE = "Node"
    IMAGE = "Image"
    LOAD = "Load"
    WARM_UP = "WarmUp"
    READY = "Ready"
    TERMINATING = "Terminating"


@dataclass(frozen=True, slots=True)
class SimulatedPod:
    """One replica of one workload (`namespace/deployment`). Times are unix seconds of the fleet's clock."""

    name: str
    workload: str
    stage: PodStage
    accelerator: str
    gpus: int
    created_at_s: float
    stage_since_s: float
    ready_at_s: float | None
    deleted_at_s: float | None
    node: str | None
