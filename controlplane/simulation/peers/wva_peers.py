"""WVA with either of its analyzers: `wva-v1` and `wva-v2`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from controlplane.domain.target import Role
from controlplane.simulation.backtest import Policy
from controlplane.simulation.lifecycle import Workload
from controlplane.simulation.peers.peer import Peer
from controlplane.simulation.peers.wva import HPA_RULES, Scene, WvaPolicy, WvaSettings
from controlplane.simulation.peers.wva_optimizer import RoleNeed, optimise
from controlplane.simulation.peers.wva_v1 import V1Thresholds, decide
from controlplane.simulation.peers.wva_v2 import EngineArgs, TokenAnalyzer, V2Thresholds
from controlplane.simulation.scenario import Scenario


@dataclass(frozen=True, slots=True)
class WvaV1Settings:
    """WVA with the percentage analyzer (the default up to 0.8)."""

    thresholds: V1Thresholds = field(default_factory=V1Thresholds)
    loop: WvaSettings = field(default_factory=WvaSettings)


@dataclass(frozen=True, slots=True)
class WvaV2Settings:
    """WVA with the token analyzer (the default of 0.9)."""

    thresholds: V2Thresholds = field(default_factory=V2Thresholds)
    loop: WvaSettings = field(default_factory=WvaSettings)


class V1:
    """Role by role, by shares."""

    def __init__(self, thresholds: V1Thresholds) -> None:
        self._thresholds = thresholds

    def decide(self, scene: Scene) -> dict[str, int]:
        """See `Analyzer`."""
        wanted: dict[str, int] = {}
        for role, variants in scene.roles.items():
            wanted |= decide(scene.loads_of(role), variants, self._thresholds)
        return wanted


class V2:
    """All roles together, by tokens."""

    def __init__(self, thresholds: V2Thresholds, workloads: list[Workload]) -> None:
        self._thresholds = thresholds
        args = {w.variant.name: EngineArgs(w.limits.max_batched_tokens, w.limits.max_num_seqs) for w in workloads}
        kinds = {w.variant.name: f"{w.variant.accelerator} x {w.variant.gpus_per_replica}" for w in workloads}
        self._analyzer = TokenAnalyzer(thresholds, args, kinds)

    def decide(self, scene: Scene) -> dict[str, int]:
        """See `Analyzer`. Without any replica that answers it holds."""
        if not scene.loads:
            return {v.name: v.current for variants in scene.roles.values() for v in variants}
        return optimise({role: self._need(scene, role) for role in scene.roles})

    def _need(self, scene: Scene, role: Role) -> RoleNeed:
        variants = scene.roles[role]
        found = self._analyzer.analyse(scene.now_s, role, scene.loads_of(role), variants, scene.mix)
        return RoleNeed(variants, found.per_replica, found.required(self._thresholds), found.spare(self._thresholds))


def _make_v1(scenario: Scenario, settings: WvaV1Settings) -> Policy:
    return WvaPolicy("wva-v1", scenario, settings.loop, lambda _: V1(settings.thresholds))


def _make_v2(scenario: Scenario, settings: WvaV2Settings) -> Policy:
    return WvaPolicy("wva-v2", scenario, settings.loop, lambda workloads: V2(settings.thresholds, workloads))


_PROMPT = WvaSettings(
    interval_s=30.0,
    up=replace(HPA_RULES, stabilization_window_s=0.0),
    down=replace(HPA_RULES, stabilization_window_s=300.0),
)
"""Twice as often, up at once, down after HPA's usual five minutes."""
_V1, _V2 = WvaV1Settings(), WvaV2Settings()

WVA_V1_PEER = Peer(
    "wva-v1",
    _make_v1,
    _V1,
    (
        replace(_V1, loop=_PROMPT),
        *(
            WvaV1Settings(V1Thresholds(kv, queue, kv_spare, queue_spare), _PROMPT)
            for kv, queue, kv_spare, queue_spare in (
                (0.6, 5.0, 0.1, 3.0),
                (0.4, 5.0, 0.1, 3.0),
                (0.3, 3.0, 0.1, 2.0),
                (0.2, 2.0, 0.05, 1.0),
                (0.8, 5.0, 0.3, 3.0),
                (0.9, 10.0, 0.1, 3.0),
            )
        ),
    ),
)
WVA_V2_PEER = Peer(
    "wva-v2",
    _make_v2,
    _V2,
    (
        replace(_V2, loop=_PROMPT),
        *(
            WvaV2Settings(V2Thresholds(kv, queue, up, down), _PROMPT)
            for kv, queue, up, down in (
                (0.8, 5.0, 0.95, 0.8),
                (0.8, 5.0, 0.7, 0.5),
                (0.8, 5.0, 0.5, 0.35),
                (0.8, 5.0, 0.35, 0.2),
                (0.4, 5.0, 0.85, 0.7),
                (0.3, 5.0, 0.7, 0.5),
                (0.2, 5.0, 0.7, 0.5),
                (0.1, 5.0, 0.85, 0.7),
                (0.2, 50.0, 0.85, 0.7),
            )
        ),
    ),
)
