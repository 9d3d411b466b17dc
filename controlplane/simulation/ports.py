"""The line between the fleet and the HTTP server in front of it: the server sees the fleet through this alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


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


class SimulatedFleet(Protocol):
    """What the simulated cluster needs of a fleet."""

    def advance(self, until_s: float) -> None:
        """Play the load and the replicas up to `until_s`."""
        ...

    def set_replicas(self, workload: str, replicas: int, delete_first: Sequence[str] = ()) -> None:
        """Want that many replicas from now on; going down, not-ready ones go first, then those in `delete_first`."""
        ...

    def replicas_wanted(self, workload: str) -> int:
        """What was last wanted of a workload."""
        ...

    def pods(self) -> list[SimulatedPod]:
        """Every pod that exists, draining ones included, oldest first."""
        ...

    def metrics_page(self, pod: str) -> bytes:
        """The vLLM metrics page of a pod that is Ready or Terminating.

        Raises:
            KeyError: if there is no such pod or its engine is not up yet.
        """
        ...
