"""Who is let through when, and who writes one object."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from controlplane.adapters.clock import monotonic_s
from controlplane.adapters.kube_http import KubeError, KubeHttp
from controlplane.adapters.kube_limits import Limiter, OneWriter, Priority, Superseded
from tests.adapters.api_server import SimulatedApi
from tests.adapters.objects import deployment

PATH = "/apis/apps/v1/namespaces/default/deployments"


async def test_the_most_urgent_goes_first_and_a_lease_does_not_queue() -> None:
    limiter, order = Limiter(qps=50.0, burst=1), []

    async def ask(priority: Priority) -> None:
        await limiter.take(priority)
        order.append(priority)

    asked = (Priority.EVENT, Priority.EVENT, Priority.STATUS, Priority.READ, Priority.SCALE, Priority.LEASE)
    await asyncio.gather(*(ask(priority) for priority in asked))
    # The first event had the one token that there was; the lease needs none.
    assert set(order[:2]) == {Priority.EVENT, Priority.LEASE}
    assert order[2:] == [Priority.SCALE, Priority.READ, Priority.STATUS, Priority.EVENT]


async def test_the_rate_is_kept_after_the_burst() -> None:
    limiter, began_s = Limiter(qps=100.0, burst=5), monotonic_s()
    for _ in range(25):
        await limiter.take(Priority.READ)
    assert monotonic_s() - began_s >= 0.19  # 20 beyond the burst of 5, at 100 per second


async def test_one_that_gave_up_costs_no_token() -> None:
    limiter = Limiter(qps=0.001, burst=1)
    await limiter.take(Priority.READ)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(limiter.take(Priority.SCALE), 0.05)
    assert all(granted.cancelled() for _, _, granted in limiter._waiting)


@pytest.mark.parametrize(("qps", "burst"), [(0.0, 1), (-1.0, 1), (1.0, 0)])
def test_a_limit_that_lets_nobody_through_is_refused(qps: float, burst: int) -> None:
    with pytest.raises(ValueError, match="allowed"):
        Limiter(qps, burst)


async def test_of_writes_that_wait_only_the_newest_goes_on() -> None:
    turns, gate, written = OneWriter(), asyncio.Event(), []

    async def write(number: int) -> bool:
        try:
            async with turns.turn("default/a"):
                if number == 0:
                    await gate.wait()
                written.append(number)
        except Superseded:
            return False
        return True

    tasks = [asyncio.create_task(write(number)) for number in range(4)]
    await asyncio.sleep(0.01)
    gate.set()
    assert await asyncio.gather(*tasks) == [True, False, False, True]
    assert written == [0, 3]
    async with turns.turn("default/a"):
        pass
    assert not turns._locks


async def test_429_is_waited_out_and_then_it_is_sent_again(tmp_path: Path) -> None:
    async with SimulatedApi(tmp_path) as api, KubeHttp(api.kubeconfig) as http:
        await http.post(PATH, deployment("a", 1))
        api.refuse[f"{PATH}/a"] = (429, "TooManyRequests")
        api.headers["Retry-After"] = "1"
        patch = asyncio.create_task(http.merge_patch(f"{PATH}/a/scale", {"spec": {"replicas": 3}}, Priority.SCALE))
        began_s = monotonic_s()
        while api.count("PATCH", "/a/scale") == 0:
            await asyncio.sleep(0.01)
        api.refuse.clear()
        assert (await patch)["spec"]["replicas"] == 3
        assert monotonic_s() - began_s >= 0.9
        assert api.count("PATCH", "/a/scale") == 2


async def test_a_server_that_stays_too_busy_is_told_as_such(tmp_path: Path) -> None:
    async with SimulatedApi(tmp_path) as api, KubeHttp(api.kubeconfig) as http:
        api.refuse["/api/v1/nodes"] = (429, "TooManyRequests")
        api.headers["Retry-After"] = "60"
        with pytest.raises(KubeError, match="429 TooManyRequests"):
            await http.get("/api/v1/nodes")
        assert api.count("GET", "/api/v1/nodes") == 1


async def test_nothing_is_written_behind_a_fence(tmp_path: Path) -> None:
    async with SimulatedApi(tmp_path) as api, KubeHttp(api.kubeconfig) as http:
        await http.post(PATH, deployment("a", 1))
        http.fence = lambda: False
        with pytest.raises(KubeError, match="NotLeading"):
            await http.merge_patch(f"{PATH}/a/scale", {"spec": {"replicas": 3}}, Priority.SCALE)
        assert (await http.get(f"{PATH}/a/scale"))["spec"]["replicas"] == 1
        assert api.count("PATCH", "") == 0
