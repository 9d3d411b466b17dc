"""Work that people ask workers for, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from controlplane.domain.target import Slo


class JobKind(StrEnum):
    """Replay: a recorded window under a policy. WhatIf: recorded decisions under a change."""

    REPLAY = "Replay"
    WHAT_IF = "WhatIf"


class JobStatus(StrEnum):
    """Queued and Running are under way; the others are final."""

    QUEUED = "Queued"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


FINAL = frozenset((JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED))
RUN_JOB = "tidegate.run_job"
"""The task's name: those who send it do not know the workers."""


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """Play `[since_s, until_s)` of a target (`namespace/name`) under `policy`: `live`, `version`, `static:N` or a
    peer's name. `spec` is the version's, and `version` what people call it."""

    target: str
    since_s: float
    until_s: float
    policy: str
    seed: int = 1
    spec: Mapping[str, Any] | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class StockOutRequest:
    """No new replica of a variant in `[since_s, until_s)`."""

    variant: str
    since_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class WhatIfRequest:
    """Decide `[since_s, until_s)` of a target again under a change; what is None or empty stays as it was."""

    target: str
    since_s: float
    until_s: float
    slo: Slo | None = None
    prices: Mapping[str, float] = field(default_factory=dict)
    cold_start_factor: float = 1.0
    load_factor: float = 1.0
    stock_outs: tuple[StockOutRequest, ...] = ()
