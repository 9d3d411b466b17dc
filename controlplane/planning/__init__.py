"""The decider: values in, values out, `now` is an argument. No I/O, no clock; the same inputs give the same outcome."""

from controlplane.planning.cold_starts import default_cold_start
from controlplane.planning.decision import PLANNER_VERSION, decide, validate
from controlplane.planning.explain import sentences
from controlplane.planning.replay import ReplayResult, replay_group

__all__ = [
    "PLANNER_VERSION",
    "ReplayResult",
    "decide",
    "default_cold_start",
    "replay_group",
    "sentences",
    "validate",
]
