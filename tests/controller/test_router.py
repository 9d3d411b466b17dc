"""What waits in a router in front of the replicas, on its way to the decider."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.adapters.clock import ManualClock
from controlplane.adapters.http_scraper import FakeScraper
from controlplane.controller import collector
from controlplane.domain.observation import Inventory, Replica, ReplicaPhase
from controlplane.domain.ports import ClusterState
from controlplane.domain.target import PoolSource
from tests.builders import NOW_S, make_target

HELD = (
    b"# TYPE inference_extension_flow_control_queue_size gauge\n"
    b'inference_extension_flow_control_queue_size{priority="0"} %d\n'
)


@pytest.mark.parametrize(
    ("pages", "queued"),
    [
        ({"epp-0": HELD % 7}, 7.0),
        ({"epp-0": HELD % 7, "epp-1": HELD % 2}, 9.0),
        ({"epp-0": HELD % 0}, 0.0),
        ({"epp-0": b"up 1\n"}, None),
        ({}, None),
    ],
)
async def test_its_queue_is_what_waits_and_silence_is_not_nought(pages: dict[str, bytes], queued: float | None) -> None:
    plain = make_target()
    target = replace(plain, metrics=replace(plain.metrics, pool=PoolSource("app=epp")))
    routers = tuple(
        Replica(name, "", ReplicaPhase.READY, NOW_S - 60, NOW_S - 30, "10.0.0.9") for name in ("epp-0", "epp-1")
    )
    state = ClusterState((target,), (), {target.key: {}}, {}, {}, Inventory(), routers={target.key: routers})
    seen = await collector.view(FakeScraper(ManualClock(NOW_S), pages), state, target, {})
    assert seen.surroundings.waiting_requests == queued
