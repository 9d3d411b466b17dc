"""Informers against the simulated API server: what is kept, and what happens when something breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.adapters import kube_trim
from controlplane.adapters.clock import monotonic_s
from controlplane.adapters.kube_cache import Informer, Pace, Sync, Watched
from controlplane.adapters.kube_http import KubeError, KubeHttp
from controlplane.adapters.kube_stream import Lines
from controlplane.domain.ports import ClusterUnavailable
from controlplane.simulation.kubernetes.resources import Resource
from tests.adapters.api_server import SimulatedApi
from tests.adapters.objects import deployment

DEPLOYMENTS = Watched("/apis/apps/v1", "deployments", kube_trim.workload)
ALL = "/apis/apps/v1/deployments"
QUICK = Pace(refused_retry_s=0.1)
PATH = "/apis/apps/v1/namespaces/default/deployments"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[SimulatedApi]:
    async with SimulatedApi(tmp_path) as made:
        yield made


@pytest.fixture
async def http(api: SimulatedApi) -> AsyncIterator[KubeHttp]:
    async with KubeHttp(api.kubeconfig) as made:
        yield made


@asynccontextmanager
async def informed(
    http: KubeHttp, watched: Watched = DEPLOYMENTS, namespace: str = "", pace: Pace = QUICK
) -> AsyncIterator[Informer]:
    informer = Informer(http, watched, namespace, monotonic_s, 7, pace)
    task = asyncio.create_task(informer.run())
    await asyncio.wait_for(informer.settled(), 10.0)
    yield informer
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], Any], timeout_s: float = 15.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not holds():
            await asyncio.sleep(0.02)


async def test_what_comes_changes_and_goes_is_followed_without_another_list(api: SimulatedApi, http: KubeHttp) -> None:
    await http.post(PATH, deployment("a", 1))
    async with informed(http) as informer:
        assert set(informer.objects) == {"default/a"}
        assert informer.objects["default/a"]["kind"] == "Deployment"
        await http.post(PATH, deployment("b", 2))
        await http.merge_patch(f"{PATH}/a", {"spec": {"replicas": 5}})
        await until(lambda: len(informer.objects) == 2 and informer.objects["default/a"]["spec"]["replicas"] == 5)
        await http.delete(f"{PATH}/b")
        await until(lambda: set(informer.objects) == {"default/a"})
        assert (informer.sync, informer.silent_s(), informer.relists) == (Sync.SYNCED, 0.0, 1)


async def test_long_lists_come_in_chunks(api: SimulatedApi, http: KubeHttp) -> None:
    for number in range(7):
        await http.post(PATH, deployment(f"d{number}", 1))
    async with informed(http, pace=Pace(chunk=3)) as informer:
        assert len(informer.objects) == 7
    assert api.count("GET", "/deployments", limit="3") == 3


async def test_a_version_that_is_too_old_is_answered_by_a_new_list(api: SimulatedApi, http: KubeHttp) -> None:
    await http.post(PATH, deployment("a", 1))
    async with informed(http) as informer:
        await until(lambda: informer.silent_s() == 0.0)
        await api.stop()
        await until(lambda: informer.silent_s() > 0.0)
        # While it is away something goes, and what says so is compacted away.
        found = api.registry.find("apps", "v1", "deployments")
        assert found is not None
        api.store.delete(found, "default", "a")
        api.store.create(found, "default", deployment("b", 2))
        api.store.compact()
        await api.start()
        await until(lambda: set(informer.objects) == {"default/b"})
        assert informer.relists == 2
        await until(lambda: informer.silent_s() == 0.0)


async def test_a_break_without_a_gap_goes_on_where_it_was(api: SimulatedApi, http: KubeHttp) -> None:
    async with informed(http) as informer:
        await until(lambda: informer.silent_s() == 0.0)
        await api.stop()
        await until(lambda: informer.silent_s() > 0.0)
        await api.start()
        await http.post(PATH, deployment("late", 1))
        await until(lambda: "default/late" in informer.objects)
        assert informer.relists == 1


async def test_what_may_not_be_read_is_unknown_and_asked_for_again(api: SimulatedApi, http: KubeHttp) -> None:
    await http.post(PATH, deployment("a", 1))
    api.refuse["/apis/apps/v1/deployments"] = (403, "Forbidden")
    async with informed(http) as informer:
        assert (informer.sync, informer.objects) == (Sync.FORBIDDEN, {})
        assert "deployments may not be read: 403 Forbidden" in informer.problem
        del api.refuse["/apis/apps/v1/deployments"]
        await until(lambda: informer.sync is Sync.SYNCED)
        assert set(informer.objects) == {"default/a"}


async def test_what_is_not_served_is_absent_until_it_is(api: SimulatedApi, http: KubeHttp) -> None:
    nowhere = Watched("/apis/keda.sh/v1alpha1", "scaledobjects", kube_trim.plain)
    async with informed(http, nowhere) as informer:
        assert (informer.sync, informer.silent_s()) == (Sync.ABSENT, 0.0)
        api.registry.add(Resource("keda.sh", "v1alpha1", "scaledobjects", "scaledobject", "ScaledObject"))
        body = {"metadata": {"name": "so"}, "spec": {}}
        await http.post("/apis/keda.sh/v1alpha1/namespaces/default/scaledobjects", body)
        await until(lambda: set(informer.objects) == {"default/so"})


async def test_a_namespace_is_watched_alone(api: SimulatedApi, http: KubeHttp) -> None:
    await http.post("/apis/apps/v1/namespaces/other/deployments", deployment("x", 1, namespace="other"))
    await http.post(PATH, deployment("a", 1))
    async with informed(http, namespace="other") as informer:
        assert set(informer.objects) == {"other/x"}
        await http.post(PATH, deployment("b", 1))
        await http.post("/apis/apps/v1/namespaces/other/deployments", deployment("y", 1, namespace="other"))
        await until(lambda: len(informer.objects) == 2)
        assert set(informer.objects) == {"other/x", "other/y"}


async def test_one_very_long_event_is_one_event(api: SimulatedApi, http: KubeHttp) -> None:
    async with informed(http) as informer:
        await until(lambda: informer.silent_s() == 0.0)
        found = api.registry.find("apps", "v1", "deployments")
        assert found is not None
        big = deployment("big", 1)
        big["metadata"]["annotations"] = {"note": "x" * 5_000_000}
        api.store.create(found, "default", big)
        await until(lambda: "default/big" in informer.objects)
        assert len(informer.objects["default/big"]["metadata"]["annotations"]["note"]) == 5_000_000


@given(st.lists(st.binary(max_size=20)), st.integers(1, 7))
def test_lines_do_not_depend_on_how_bytes_are_cut(parts: list[bytes], size: int) -> None:
    whole = b"\n".join(parts) + b"\n"
    lines = Lines()
    cut = [line for at in range(0, len(whole), size) for line in lines.feed(whole[at : at + size])]
    assert cut == [line for line in whole.split(b"\n") if line.strip()]


def test_a_pod_keeps_what_is_read_and_loses_its_secrets() -> None:
    secret = {"name": "engine", "image": "x", "env": [{"name": "TOKEN", "value": "s3cret"}], "ports": []}
    body = {
        "metadata": {"name": "p", "managedFields": [{}], "labels": {"app": "a"}},
        "spec": {"containers": [secret], "volumes": [{}], "nodeName": "n"},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "hostIPs": [{}]},
    }
    kept = kube_trim.pod(body)
    assert kept == {
        "metadata": {"name": "p", "labels": {"app": "a"}},
        "spec": {"nodeName": "n", "containers": [{"name": "engine", "image": "x", "ports": []}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1"},
    }


def test_a_workload_keeps_the_managers_of_its_count_alone() -> None:
    ours = {"manager": "tidegate", "operation": "Update", "subresource": "scale"}
    entries = [
        {**ours, "fieldsV1": {"f:spec": {"f:replicas": {}}}},
        {"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:spec": {"f:template": {}}}},
    ]
    kept = kube_trim.workload({"metadata": {"name": "d", "managedFields": entries}, "spec": {"replicas": 1}})
    assert [entry["manager"] for entry in kept["metadata"]["managedFields"]] == ["tidegate"]
    assert kept["spec"] == {"replicas": 1}


async def test_a_watch_that_is_silent_for_too_long_is_taken_for_dead(api: SimulatedApi, http: KubeHttp) -> None:
    async with aclosing(http.watch(ALL, {"resourceVersion": "1"}, idle_s=0.2)) as events:
        assert await anext(events) == {"type": "OPENED"}
        with pytest.raises(ClusterUnavailable, match=r"WATCH /apis/apps/v1/deployments: .*[Tt]imeout"):
            await anext(events)


async def test_a_watch_that_is_refused_says_so_as_an_answer_and_in_the_middle(
    api: SimulatedApi, http: KubeHttp
) -> None:
    api.refuse[ALL] = (410, "Expired")
    async with aclosing(http.watch(ALL, {"resourceVersion": "1"})) as events:
        with pytest.raises(KubeError, match="410 Expired"):
            await anext(events)
    api.refuse.clear()
    await http.post(PATH, deployment("a", 1))
    api.store.compact()
    async with aclosing(http.watch(ALL, {"resourceVersion": "1"}, idle_s=5.0)) as events:
        assert await anext(events) == {"type": "OPENED"}
        with pytest.raises(KubeError, match="410 Expired"):
            await anext(events)
