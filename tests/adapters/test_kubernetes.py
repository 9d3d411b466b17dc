"""The adapters against an API server: the simulated one always, a real one where KUBEBUILDER_ASSETS points at it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from controlplane.adapters.clock import ManualClock
from controlplane.adapters.http_scraper import HttpScraper
from controlplane.adapters.kube_actuator import KubernetesActuator
from controlplane.adapters.kube_cluster import KubernetesCluster
from controlplane.adapters.kube_http import KubeHttp
from controlplane.adapters.kube_lease import LEASE_NAME, Lease
from controlplane.adapters.kube_nodes import inventory
from controlplane.adapters.kube_pods import replicas_from_pods
from controlplane.crds import inference_autoscaler
from controlplane.domain.decision import ActuationResult
from controlplane.domain.observation import FaultKind, Replica, ReplicaPhase
from controlplane.domain.ports import ClusterState, ClusterUnavailable
from controlplane.observing import read_page
from controlplane.simulation.fleet import Fleet
from controlplane.simulation.scenario import load_scenario
from controlplane.simulation.server import ClusterServer

T0 = 1_767_600_000.0


class Simulated:
    """The simulated cluster on a clock that tests turn."""

    def __init__(self, kubeconfig: Path) -> None:
        scenario = load_scenario("chat-8b")
        self.clock = ManualClock(T0)
        self.fleet = Fleet(scenario.workloads, scenario.generated(), scenario.inventory, T0, 1)
        self.server = ClusterServer(self.fleet, self.clock, inference_autoscaler(), scenario.manifests)
        self.kubeconfig = kubeconfig

    async def play(self, seconds: float) -> None:
        """Let the clock go on and the cluster follow."""
        self.clock.advance(seconds)
        for _ in range(200):
            await asyncio.sleep(0.02)
            if self.fleet.now_s >= self.clock.now_s():
                break
        await asyncio.sleep(0.25)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Simulated]:
    made = Simulated(tmp_path / "kubeconfig")
    await made.server.start()
    made.server.write_kubeconfig(made.kubeconfig)
    yield made
    await made.server.stop()


@pytest.fixture
async def http(cluster: Simulated) -> AsyncIterator[KubeHttp]:
    async with KubeHttp(cluster.kubeconfig) as made:
        yield made


async def look(http: KubeHttp) -> ClusterState:
    """The state as fresh eyes see it."""
    async with KubernetesCluster(http) as reader:
        return await reader.state()


async def test_the_state_has_targets_replicas_versions_and_inventory(cluster: Simulated, http: KubeHttp) -> None:
    state = await look(http)
    (target,) = state.targets
    assert (target.key, target.model, target.uid != "") == ("default/chat", "llama-3.1-8b", True)
    assert state.desired["default/chat"] == {"h100": 2, "l40s": 1}
    assert {r.phase for r in state.replicas["default/chat"]} == {ReplicaPhase.READY}
    assert set(state.resource_versions["default/chat"]) == {"h100", "l40s"}
    assert state.inventory.gpus == {"H100": 24, "L40S": 48}


async def test_every_ready_replica_is_scraped_where_its_pod_says(cluster: Simulated, http: KubeHttp) -> None:
    await cluster.play(60.0)
    state = await look(http)
    async with HttpScraper(cluster.clock) as scraper:
        pages = await scraper.scrape(state.targets[0], state.replicas["default/chat"])
    samples = [read_page(page.body or b"", page.replica, page.variant, page.at_s) for page in pages]
    assert len(samples) == 3
    assert all(not s.faults for s in samples)
    assert sum(s.finished_total or 0 for s in samples) > 50


async def test_a_patch_scales_and_pods_follow(cluster: Simulated, http: KubeHttp) -> None:
    actuator = KubernetesActuator(http)
    state = await look(http)
    target, version = state.targets[0], state.resource_versions["default/chat"]["h100"]
    done = await actuator.apply(target, target.variant("h100"), 2, 4, version)
    assert done.result is ActuationResult.APPLIED
    await cluster.play(5.0)
    pending = [r for r in (await look(http)).replicas["default/chat"] if r.phase is ReplicaPhase.PENDING]
    assert [(r.variant, r.reason) for r in pending] == [("h100", "ContainerCreating")] * 2
    await cluster.play(400.0)
    ready = [r for r in (await look(http)).replicas["default/chat"] if r.phase is ReplicaPhase.READY]
    cold = [r.ready_at_s - r.created_at_s for r in ready if r.ready_at_s and r.ready_at_s > r.created_at_s]
    assert len(cold) == 2
    assert all(100 < seconds < 300 for seconds in cold)


async def test_the_idlest_goes_first(cluster: Simulated, http: KubeHttp) -> None:
    actuator = KubernetesActuator(http)
    state = await look(http)
    target = state.targets[0]
    names = [r.name for r in state.replicas["default/chat"] if r.variant == "h100"]
    done = await actuator.apply(target, target.variant("h100"), 2, 1, None, [names[1]])
    assert (done.result, done.detail) == (ActuationResult.APPLIED, "")
    await cluster.play(1.0)
    left = [r for r in (await look(http)).replicas["default/chat"] if r.variant == "h100"]
    assert [r.name for r in left if r.phase is ReplicaPhase.READY] == [names[0]]


async def test_a_changed_count_is_a_conflict_and_a_missing_object_a_failure(cluster: Simulated, http: KubeHttp) -> None:
    actuator = KubernetesActuator(http)
    target = (await look(http)).targets[0]
    changed = await actuator.apply(target, target.variant("h100"), 1, 3, "1")
    assert (changed.result, changed.detail) == (
        ActuationResult.CONFLICT,
        "the count is 2 by now, and the decision was made on 1",
    )
    await http.delete("/apis/apps/v1/namespaces/default/deployments/chat-h100")
    gone = await actuator.apply(target, target.variant("h100"), 2, 3, None)
    assert (gone.result, "not found" in gone.detail) == (ActuationResult.FAILED, True)
    state = await look(http)
    assert [p.field for p in state.problems] == ["spec.variants[h100].scaleTargetRef"]
    assert state.desired["default/chat"] == {"l40s": 1}


async def test_a_wrong_resource_is_a_problem_that_names_its_field(cluster: Simulated, http: KubeHttp) -> None:
    path = "/apis/tidegate.io/v1alpha1/namespaces/default/inferenceautoscalers"
    good = (await http.get(f"{path}/chat"))["spec"]
    body = {"metadata": {"name": "bad"}, "spec": {**good, "model": "gpt-17"}}
    await http.post(path, {"apiVersion": "tidegate.io/v1alpha1", "kind": "InferenceAutoscaler", **body})
    state = await look(http)
    assert [t.name for t in state.targets] == ["chat"]
    (problem,) = state.problems
    assert (problem.name, problem.field) == ("bad", "spec.model")


async def test_an_object_that_two_resources_name_stays_with_the_older(cluster: Simulated, http: KubeHttp) -> None:
    path = "/apis/tidegate.io/v1alpha1/namespaces/default/inferenceautoscalers"
    good = (await http.get(f"{path}/chat"))["spec"]
    cluster.clock.advance(2.0)
    body = {"metadata": {"name": "a-rival"}, "spec": good}
    await http.post(path, {"apiVersion": "tidegate.io/v1alpha1", "kind": "InferenceAutoscaler", **body})
    state = await look(http)
    assert [t.name for t in state.targets] == ["chat"]
    (problem,) = state.problems
    assert (problem.name, "is scaled by default/chat already" in problem.message) == ("a-rival", True)


async def test_one_leads_and_another_waits_until_it_is_silent(http: KubeHttp) -> None:
    now = [1000.0]
    one, two = (Lease(http, "default", name, lambda: now[0], lambda: now[0]) for name in ("one", "two"))
    await one.try_once()
    await two.try_once()
    assert (one.leading.is_set(), two.leading.is_set()) == (True, False)
    now[0] += 20.0
    await two.try_once()
    await one.try_once()
    assert (one.leading.is_set(), two.leading.is_set()) == (False, True)
    lease = await http.get(f"/apis/coordination.k8s.io/v1/namespaces/default/leases/{LEASE_NAME}")
    assert (lease["spec"]["holderIdentity"], lease["spec"]["leaseTransitions"]) == ("two", 1)
    await two.release()
    await one.try_once()
    assert one.leading.is_set()


async def test_a_server_that_is_away_is_said_to_be(cluster: Simulated, http: KubeHttp) -> None:
    await cluster.server.stop()
    async with KubernetesCluster(http, sync_timeout_s=1.0) as reader:
        with pytest.raises(ClusterUnavailable, match=r"not read yet: .*inferenceautoscalers"):
            await reader.state()


async def test_without_a_kubeconfig_there_is_no_way_in(tmp_path: Path) -> None:
    with pytest.raises(ClusterUnavailable, match="no way into a cluster"):
        async with KubeHttp(tmp_path / "none"):
            pass


async def test_each_scrape_fault_has_its_name(tmp_path: Path) -> None:
    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    application = web.Application()
    application.router.add_get("/slow", slow)
    application.router.add_get("/big", _big)
    application.router.add_get("/moved", _redirect)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    target = load_scenario("chat-8b").targets[0]
    found = {}
    async with HttpScraper(ManualClock(), timeout_s=0.3, max_bytes=1000) as scraper:
        for path, where in (("/slow", port), ("/big", port), ("/none", port), ("/moved", port), ("/x", 1)):
            aimed = replace(target, metrics=replace(target.metrics, path=path))
            replica = Replica("r", "h100", ReplicaPhase.READY, T0, T0, "127.0.0.1", where)
            (page,) = await scraper.scrape(aimed, [replica, replace(replica, phase=ReplicaPhase.PENDING)])
            assert page.fault is not None
            found[path] = page.fault.kind
    await runner.cleanup()
    assert found == {
        "/slow": FaultKind.TIMEOUT,
        "/big": FaultKind.TOO_LARGE,
        "/none": FaultKind.BAD_STATUS,
        "/moved": FaultKind.BAD_STATUS,
        "/x": FaultKind.UNREACHABLE,
    }


async def _big(_: web.Request) -> web.Response:
    return web.Response(text="x" * 5000)


async def _redirect(_: web.Request) -> web.Response:
    raise web.HTTPFound("http://169.254.169.254/")


@pytest.mark.parametrize(
    ("status", "phase", "reason"),
    [
        (
            {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-05T08:03:00Z"}],
            },
            ReplicaPhase.READY,
            "",
        ),
        (
            {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
            },
            ReplicaPhase.PENDING,
            "Unschedulable",
        ),
        (
            {"phase": "Running", "containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]},
            ReplicaPhase.FAILED,
            "CrashLoopBackOff",
        ),
        (
            {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]},
            ReplicaPhase.PENDING,
            "ImagePullBackOff",
        ),
        ({"phase": "Failed", "reason": "Evicted"}, ReplicaPhase.FAILED, "Evicted"),
    ],
)
def test_pods_are_told_apart(status: dict[str, object], phase: ReplicaPhase, reason: str) -> None:
    pod = {"metadata": {"name": "p", "creationTimestamp": "2026-01-05T08:00:00Z"}, "spec": {}, "status": status}
    (replica,) = replicas_from_pods([pod], "h100", "Deployment")
    assert (replica.phase, replica.reason) == (phase, reason)
    if phase is ReplicaPhase.READY:
        assert replica.ready_at_s == replica.created_at_s + 180.0


def test_a_pod_that_goes_is_terminating_and_one_that_ended_is_none() -> None:
    metadata = {"name": "p", "creationTimestamp": "2026-01-05T08:00:00Z"}
    leaving = {"metadata": {**metadata, "deletionTimestamp": "2026-01-05T08:01:00Z"}}
    (going,) = replicas_from_pods([leaving], "v", "Deployment")
    assert going.phase is ReplicaPhase.TERMINATING
    assert replicas_from_pods([{"metadata": metadata, "status": {"phase": "Succeeded"}}], "v", "Deployment") == ()


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        ({"tidegate.io/accelerator": "H100"}, "H100"),
        ({"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}, "H100"),
        ({"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}, "A100-80"),
        ({"nvidia.com/gpu.product": "NVIDIA-L40S"}, "L40S"),
        ({"nvidia.com/gpu.product": "Tesla-T4"}, "T4"),
    ],
)
def test_nodes_tell_their_accelerator(labels: dict[str, str], name: str) -> None:
    node = {"metadata": {"labels": labels}, "status": {"allocatable": {"nvidia.com/gpu": "8"}}}
    cordoned = {**node, "spec": {"unschedulable": True}}
    assert inventory([node, cordoned, {"metadata": {}}]).gpus == {name: 8}
