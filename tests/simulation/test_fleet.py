"""Laws of the fleet: nothing is lost, stages come in order, GPUs are not shared, seeds decide."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.domain import catalog
from controlplane.domain.target import Role
from controlplane.simulation.core import state as s
from controlplane.simulation.fleet import Fleet
from controlplane.simulation.lifecycle import Hazards, StockOut
from controlplane.simulation.ports import PodStage
from controlplane.simulation.scenario import load_scenario
from controlplane.simulation.traffic import Arrivals

T0 = 1_767_600_000.0


def fleet_of(name: str, seed: int = 1, inventory: dict[str, int] | None = None) -> Fleet:
    s = load_scenario(name)
    return Fleet(s.workloads, s.generated(), inventory or s.inventory, T0, seed)


def books(fleet: Fleet) -> list[tuple[int, int, int, int]]:
    return [(m.arrived, m.finished, m.rejected, m.in_system) for m in (s.meter for s in fleet.services.values())]


def really_inside(fleet: Fleet, key: str) -> int:
    service = fleet.services[key]
    pods = [p for p in fleet._pods.values() if p.engine is not None and p.workload.target.key == key]
    columns = [s.LIVE, s.PREFILLING, s.WAITING]  # not `running`, which a step in flight has ended nothing of
    return sum(int(p.engine.state.engine_numbers[p.engine.number, columns].sum()) for p in pods) + (
        service.between_replicas
    )


OPS = st.lists(st.tuples(st.floats(0.5, 60), st.integers(0, 5), st.integers(0, 4), st.booleans()), max_size=8)


@settings(max_examples=25, deadline=None)
@given(OPS, st.integers(0, 5))
def test_every_request_is_somewhere(ops: list[tuple[float, int, int, bool]], seed: int) -> None:
    fleet = fleet_of("demo", seed)
    keys = sorted(fleet.workloads)
    for seconds, which, replicas, crash in ops:
        fleet.advance(fleet.now_s + seconds)
        fleet.set_replicas(keys[which], replicas)
        if crash and fleet.pods():
            fleet.crash(fleet.pods()[which % len(fleet.pods())].name)
        for key in fleet.services:
            m = fleet.services[key].meter
            assert m.arrived == m.finished + m.rejected + really_inside(fleet, key)


def test_the_same_seed_is_the_same_fleet() -> None:
    a, b = fleet_of("demo", 3), fleet_of("demo", 3)
    for f in (a, b):
        f.advance(T0 + 120)
    assert books(a) == books(b)
    assert [p.name for p in a.pods()] == [p.name for p in b.pods()]


def test_slices_of_advance_are_the_same_as_one() -> None:
    a, b = fleet_of("chat-8b"), fleet_of("chat-8b")
    for f in (a, b):
        f.advance(T0 + 30)
        f.set_replicas("default/chat-h100", 1)
    a.advance(T0 + 200)
    for k in range(1, 171):
        b.advance(T0 + 30 + k)
    assert books(a) == books(b)
    assert a.meters["default/chat-h100"].gpu_hours == pytest.approx(b.meters["default/chat-h100"].gpu_hours)


def test_stages_in_order() -> None:
    fleet = fleet_of("chat-8b")
    old = {p.name for p in fleet.pods()}
    fleet.set_replicas("default/chat-h100", 3)
    seen: list[PodStage] = []
    for k in range(1, 260):
        fleet.advance(T0 + k)
        (new,) = [p for p in fleet.pods() if p.name not in old]
        if not seen or seen[-1] is not new.stage:
            seen.append(new.stage)
    assert seen == [PodStage.NODE, PodStage.IMAGE, PodStage.LOAD, PodStage.WARM_UP, PodStage.READY]


def test_crash_of_a_draining_pod_frees_its_gpu_for_one_that_waits() -> None:
    fleet = fleet_of("chat-8b", inventory={"H100": 2, "L40S": 1})
    fleet.advance(T0 + 20)
    before = {p.name for p in fleet.pods()}
    fleet.set_replicas("default/chat-h100", 1)
    fleet.set_replicas("default/chat-h100", 2)
    waiting = [p for p in fleet.pods() if p.name not in before]
    assert [p.stage for p in waiting] == [PodStage.UNSCHEDULABLE]
    draining = next(p for p in fleet.pods() if p.stage is PodStage.TERMINATING)
    fleet.crash(draining.name)
    fleet.advance(T0 + 40)
    assert next(p for p in fleet.pods() if p.name == waiting[0].name).stage is not PodStage.UNSCHEDULABLE


def test_a_split_request_pays_for_prefill_transfer_and_decode() -> None:
    scenario = load_scenario("demo")
    fleet = Fleet(scenario.workloads, {"default/assistant": _Once(T0 + 1.0, 1600, 50)}, scenario.inventory, T0, 1)
    fleet.advance(T0 + 60.0)
    meter = fleet.request_meter("default/assistant")
    prefill = [w.cost for w in scenario.workloads if w.variant.role is Role.PREFILL]
    model = catalog.model("llama-3.1-70b")
    transfer_s = 1600 * model.kv_bytes_per_token / catalog.accelerator("H200").link_bytes_per_s
    slower_link_s = 1600 * model.kv_bytes_per_token / catalog.accelerator("A100-80").link_bytes_per_s
    reading = [c.step_s(1600, 0, 0, 1600 * 800) for c in prefill]
    assert meter.finished == 1
    low, high = min(reading) + transfer_s, max(reading) + slower_link_s
    assert low - 1e-6 <= meter.ttft_s[0] <= high + 1e-6


class _Once:
    """Traffic of one request."""

    def __init__(self, at_s: float, input_tokens: int, output_tokens: int) -> None:
        self._request = (at_s, input_tokens, output_tokens)

    def arrivals(self, from_s: float, until_s: float) -> Arrivals:
        if from_s <= self._request[0] < until_s:
            return Arrivals.of(*(np.array([value]) for value in self._request))
        return Arrivals.none()


def test_requests_wait_at_the_gateway_until_a_replica_is_ready() -> None:
    scenario = load_scenario("chat-8b")
    nobody = {w.key: 0 for w in scenario.workloads}
    fleet = Fleet(scenario.workloads, {"default/chat": _Once(T0 + 1.0, 10, 5)}, scenario.inventory, T0, 1, nobody)
    fleet.advance(T0 + 10.0)
    assert fleet.request_meter("default/chat").in_system == 1
    fleet.set_replicas("default/chat-h100", 1)
    fleet.advance(T0 + 400.0)
    assert fleet.request_meter("default/chat").finished == 1
    assert fleet.request_meter("default/chat").ttft_s[0] > 60.0


def test_deletion_takes_unready_pods_first_then_those_that_are_named() -> None:
    fleet = fleet_of("chat-8b")
    ready = [p.name for p in fleet.pods() if p.workload == "default/chat-h100"]
    fleet.set_replicas("default/chat-h100", 3)
    fleet.set_replicas("default/chat-h100", 2)
    assert [p.name for p in fleet.pods() if p.workload == "default/chat-h100"] == ready
    fleet.set_replicas("default/chat-h100", 1, [ready[1]])
    assert [p.name for p in fleet.pods() if p.stage is PodStage.TERMINATING] == [ready[1]]


def test_cost_runs_from_placement_to_the_end() -> None:
    scenario = load_scenario("chat-8b")
    fleet = Fleet(scenario.workloads, {}, scenario.inventory, T0, 1)
    fleet.advance(T0 + 3600.0)
    meter = fleet.meters["default/chat-h100"]
    assert (meter.gpu_hours, meter.cost_usd) == (pytest.approx(2.0), pytest.approx(8.0))


def test_negative_replicas_are_refused() -> None:
    with pytest.raises(ValueError, match="replicas of default/chat-h100 is -1"):
        fleet_of("chat-8b").set_replicas("default/chat-h100", -1)


def hazardous(**rates: float) -> Fleet:
    s = load_scenario("chat-8b")
    workloads = [replace(w, hazards=Hazards(**rates)) for w in s.workloads]
    return Fleet(workloads, s.generated(), s.inventory, T0, 1)


def test_reclaimed_replicas_drain_for_their_notice_and_are_replaced() -> None:
    fleet = hazardous(reclaims_per_hour=20.0, reclaim_notice_s=30.0)
    first = {p.name for p in fleet.pods()}
    leaving: dict[str, float] = {}
    for k in range(1, 2400):
        fleet.advance(T0 + k)
        for pod in fleet.pods():
            if pod.deleted_at_s is not None:
                leaving[pod.name] = fleet.now_s - pod.deleted_at_s
        standing = [p for p in fleet.pods() if p.deleted_at_s is None and p.workload == "default/chat-h100"]
        assert len(standing) == fleet.replicas_wanted("default/chat-h100")
    assert first <= leaving.keys()
    assert max(leaving.values()) <= 30.0
    m = fleet.request_meter("default/chat")
    assert m.arrived == m.finished + m.rejected + really_inside(fleet, "default/chat")


def test_crashes_take_a_replica_at_once() -> None:
    fleet = hazardous(crashes_per_hour=60.0)
    first = {p.name for p in fleet.pods()}
    for k in range(1, 1200):
        fleet.advance(T0 + k)
        assert all(p.deleted_at_s is None for p in fleet.pods())
    assert not first & {p.name for p in fleet.pods()}


def test_during_a_stock_out_nothing_is_placed_and_after_it_what_waits_is() -> None:
    s = load_scenario("chat-8b")
    out = StockOut("H100", 60.0, 600.0)
    fleet = Fleet(s.workloads, {}, s.inventory, T0, 1, stock_outs=[out])
    fleet.advance(T0 + 100.0)
    fleet.set_replicas("default/chat-h100", 4)
    fleet.advance(T0 + 599.0)
    stages = [p.stage for p in fleet.pods() if p.workload == "default/chat-h100"]
    assert stages.count(PodStage.UNSCHEDULABLE) == 2
    fleet.advance(T0 + 601.0)
    stages = [p.stage for p in fleet.pods() if p.workload == "default/chat-h100"]
    assert stages.count(PodStage.UNSCHEDULABLE) == 0
