"""One suite against two API servers: the simulated one always, a real one where KUBEBUILDER_ASSETS points at it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from controlplane.adapters.clock import monotonic_s
from controlplane.adapters.kube_actuator import KubernetesActuator
from controlplane.adapters.kube_cluster import KubernetesCluster
from controlplane.adapters.kube_http import KubeError, KubeHttp
from controlplane.adapters.kube_lease import LEASE_NAME
from controlplane.adapters.kube_limits import Limiter
from controlplane.adapters.kube_reporter import KubernetesReporter
from controlplane.adapters.kube_scale import Scales
from controlplane.adapters.kube_writer import ReplicaWriter
from controlplane.crds import inference_autoscaler
from controlplane.domain.decision import ActuationResult
from controlplane.domain.ports import ClusterState, Resource
from controlplane.domain.status import Told
from controlplane.domain.target import ScaleTargetRef
from controlplane.planning.status import status_of
from tests.adapters.api_server import SimulatedApi
from tests.adapters.envtest import LIMITED_USER, ControlPlane
from tests.adapters.fake_kubelet import FakeKubelet, StubEngine
from tests.adapters.objects import WORKERS_CRD, autoscaler, deployment, engine_set, hpa
from tests.builders import make_tick

ASSETS = os.environ.get("KUBEBUILDER_ASSETS")
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Server:
    """An API server, and a namespace in it that is this test's own."""

    kubeconfig: Path
    http: KubeHttp
    space: str
    expire: Callable[[], Awaitable[None]]
    limited: Path | None = None

    @property
    def deployments(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.space}/deployments"

    @property
    def autoscalers(self) -> str:
        return f"/apis/tidegate.io/v1alpha1/namespaces/{self.space}/inferenceautoscalers"

    @property
    def sets(self) -> str:
        return f"/apis/example.dev/v1/namespaces/{self.space}/enginesets"

    @property
    def lease(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self.space}/leases/{LEASE_NAME}"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane | None]:
    if not ASSETS:
        yield None
        return
    made = ControlPlane(Path(ASSETS), tmp_path_factory.mktemp("envtest"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(params=["simulated", "real"])
async def server(request: pytest.FixtureRequest, tmp_path: Path, plane: ControlPlane | None) -> AsyncIterator[Server]:
    if request.param == "real":
        if plane is None:
            pytest.skip("KUBEBUILDER_ASSETS is not set: no real API server to test against")
        async with prepared(plane.kubeconfig, plane.expire, plane.limited_kubeconfig) as made:
            yield made
        return
    async with SimulatedApi(tmp_path) as api, prepared(api.kubeconfig, api.expire, None) as made:
        yield made


@asynccontextmanager
async def prepared(
    kubeconfig: Path, expire: Callable[[], Awaitable[None]], limited: Path | None
) -> AsyncIterator[Server]:
    """With a fresh namespace and our definitions served."""
    async with KubeHttp(kubeconfig, Limiter(500.0, 500)) as http:
        space = f"t-{uuid4().hex[:8]}"
        await http.post("/api/v1/namespaces", {"metadata": {"name": space}})
        for crd in (inference_autoscaler(), WORKERS_CRD):
            with suppress(KubeError):  # AlreadyExists: an earlier test's
                await http.post(CRDS, crd)
        made = Server(kubeconfig, http, space, expire, limited)
        await until(lambda: http.get(made.autoscalers), KubeError)
        await until(lambda: http.get(made.sets), KubeError)
        yield made


async def until(ask: Callable[[], Awaitable[Any]], expected: type[Exception] = AssertionError) -> Any:
    """The answer once it comes without that exception."""
    deadline = monotonic_s() + PATIENCE_S
    while True:
        try:
            return await ask()
        except expected:
            if monotonic_s() > deadline:
                raise
            await asyncio.sleep(0.05)


async def seen(cluster: KubernetesCluster, holds: Callable[[ClusterState], object]) -> ClusterState:
    """The state once that holds of it."""

    async def ask() -> ClusterState:
        state = await cluster.state()
        assert holds(state), state
        return state

    found: ClusterState = await until(ask)
    return found


async def replicas(server: Server, name: str) -> int:
    return int((await server.http.get(f"{server.deployments}/{name}"))["spec"]["replicas"])


def managers(body: Mapping[str, Any], field: str) -> list[tuple[str, str, str]]:
    """Who owns a field of the spec."""
    entries = body["metadata"]["managedFields"]
    owning = [e for e in entries if f"f:{field}" in e["fieldsV1"].get("f:spec", {})]
    return [(e["manager"], e["operation"], e.get("subresource", "")) for e in owning]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"model": None}, "spec.model"),
        ({"mode": "Sometimes"}, "spec.mode"),
        ({"slo": {"ttftSeconds": -1.0, "tpotSeconds": 0.1}}, "spec.slo.ttftSeconds"),
    ],
)
async def test_a_wrong_resource_is_refused_by_the_schema(server: Server, change: dict[str, Any], field: str) -> None:
    body = autoscaler("wrong", namespace=server.space)
    body["spec"] = {key: value for key, value in {**body["spec"], **change}.items() if value is not None}
    with pytest.raises(KubeError) as refused:
        await server.http.post(server.autoscalers, body)
    assert (refused.value.status, refused.value.reason) == (422, "Invalid")
    assert field in refused.value.message


async def test_what_a_rule_forbids_is_refused_in_its_words(server: Server) -> None:
    schema = inference_autoscaler()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    if "x-kubernetes-validations" not in str(schema):
        pytest.skip("the definition has no rules yet")
    body = autoscaler("wrong", namespace=server.space)
    body["spec"]["variants"][0] |= {"minReplicas": 5, "maxReplicas": 2}
    with pytest.raises(KubeError) as refused:
        await server.http.post(server.autoscalers, body)
    assert (refused.value.status, refused.value.reason) == (422, "Invalid")


async def test_a_deployment_is_scaled_and_its_count_is_ours(server: Server) -> None:
    made = await server.http.post(server.deployments, deployment("d", 2, namespace=server.space))
    version = made["metadata"]["resourceVersion"]
    await server.http.post(server.autoscalers, autoscaler("d", namespace=server.space))
    async with KubernetesCluster(server.http, [server.space]) as cluster:
        state = await seen(cluster, lambda s: s.desired.get(f"{server.space}/d") == {"h100": 2})
        assert state.resource_versions[f"{server.space}/d"] == {"h100": version}
        target = state.targets[0]
        done = await KubernetesActuator(server.http).apply(target, target.variants[0], 2, 5, version)
        assert done.result is ActuationResult.APPLIED
        await seen(cluster, lambda s: s.desired[f"{server.space}/d"] == {"h100": 5})
        workload = (await cluster.snapshot()).workloads[server.space, ScaleTargetRef("apps/v1", "Deployment", "d")]
    assert workload.body is not None
    assert managers(workload.body, "replicas") == [("tidegate", "Update", "scale")]
    assert "time" not in workload.body["metadata"]["managedFields"][0]


async def test_a_custom_resource_is_scaled_through_its_scale(server: Server) -> None:
    await server.http.post(server.sets, engine_set("e", 2))
    await server.http.merge_patch(f"{server.sets}/e/status", {"status": {"size": 2, "selector": "app=e"}})
    manifest = autoscaler("e", "example.dev/v1", "EngineSet", namespace=server.space)
    await server.http.post(server.autoscalers, manifest)
    key = f"{server.space}/e"
    async with KubernetesCluster(server.http, [server.space]) as cluster:
        state = await seen(cluster, lambda s: s.desired.get(key) == {"h100": 2})
        target, version = state.targets[0], state.resource_versions[key]["h100"]
        done = await KubernetesActuator(server.http).apply(target, target.variants[0], 2, 4, version)
        assert done.result is ActuationResult.APPLIED
        await seen(cluster, lambda s: s.desired[key] == {"h100": 4})
    assert (await server.http.get(f"{server.sets}/e"))["spec"]["size"] == 4


async def test_who_decided_on_another_count_gets_a_conflict(server: Server) -> None:
    made = await server.http.post(server.deployments, deployment("d", 2, namespace=server.space))
    version = made["metadata"]["resourceVersion"]
    ref = ScaleTargetRef("apps/v1", "Deployment", "d")
    variant = make_tick().inputs.target.variants[0]
    writer = ReplicaWriter(server.http, Scales(server.http))
    aimed = type(variant)(**{n: getattr(variant, n) for n in variant.__slots__} | {"ref": ref})
    # Its status changes: no reason not to scale.
    await server.http.merge_patch(f"{server.deployments}/d/status", {"status": {"replicas": 1}})
    assert (await writer.apply(server.space, aimed, 2, 3, version, ())).result is ActuationResult.APPLIED
    # Somebody sets the count: a reason.
    await server.http.merge_patch(f"{server.deployments}/d/scale", {"spec": {"replicas": 7}})
    late = await writer.apply(server.space, aimed, 3, 4, version, ())
    assert (late.result, await replicas(server, "d")) == (ActuationResult.CONFLICT, 7)


async def test_versions_that_are_too_old_do_no_harm(server: Server) -> None:
    await server.http.post(server.deployments, deployment("a", 1, namespace=server.space))
    await server.http.post(server.autoscalers, autoscaler("a", namespace=server.space))
    key = f"{server.space}/a"
    async with KubernetesCluster(server.http, [server.space]) as cluster:
        await seen(cluster, lambda s: s.desired.get(key) == {"h100": 1})
        for number in range(20):  # versions go on, but not those of Deployments
            await server.http.post(
                f"/api/v1/namespaces/{server.space}/resourcequotas", {"metadata": {"name": f"q{number}"}}
            )
        await server.expire()
        await server.http.merge_patch(f"{server.deployments}/a", {"spec": {"replicas": 3}})
        await server.http.post(server.deployments, deployment("b", 2, namespace=server.space))
        await server.http.post(server.autoscalers, autoscaler("b", namespace=server.space))
        now = {key: {"h100": 3}, f"{server.space}/b": {"h100": 2}}
        state = await seen(cluster, lambda s: s.desired == now)
        assert not state.problems


async def test_the_status_is_ours_and_others_are_told_so(server: Server) -> None:
    await server.http.post(server.deployments, deployment("d", 2, namespace=server.space))
    await server.http.post(server.autoscalers, autoscaler("d", namespace=server.space))
    async with KubernetesCluster(server.http, [server.space]) as cluster:
        target = (await seen(cluster, lambda s: s.targets)).targets[0]
    reporter, told = KubernetesReporter(server.http, monotonic_s), Told(make_tick(), (), ())
    resource = Resource(target.namespace, target.name, target.uid, target.generation)
    first = replace(status_of(told, None), reason="first", attainment=0.99)
    assert await reporter.write(resource, first)
    assert await reporter.write(resource, replace(first, reason="second", attainment=None))
    body = await server.http.get(f"{server.autoscalers}/d")
    assert body["status"]["reason"] == "second"
    assert "attainment" not in body["status"]
    (entry,) = [e for e in body["metadata"]["managedFields"] if e.get("subresource") == "status"]
    assert (entry["manager"], entry["operation"]) == ("tidegate", "Apply")


class Controller:
    """A controller process, with a ledger that is away and a spool of its own."""

    def __init__(self, server: Server, directory: Path) -> None:
        own = uuid4().hex[:6]
        self.log = directory / f"controller-{own}.log"
        environment = {
            **os.environ,
            "KUBECONFIG": str(server.kubeconfig),
            "TIDEGATE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
            "TIDEGATE_SPOOL_DIR": str(directory / f"spool-{own}"),
            "TIDEGATE_NAMESPACE": server.space,
            "TIDEGATE_NAMESPACES": server.space,
        }
        start = "from controlplane.cli import main; main()"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", start, "controller"], env=environment, stdout=log, stderr=log
            )

    async def said(self, words: str) -> None:
        """Until its log says that."""

        async def ask() -> None:
            assert words in self.log.read_text(), self.log.read_text()

        await until(ask)

    def kill(self) -> None:
        """SIGKILL, and wait."""
        self.process.kill()
        self.process.wait()


async def leader(server: Server, other_than: str = "") -> str:
    """Who holds the lease, once somebody else does."""

    async def ask() -> str:
        holder = str((await server.http.get(server.lease))["spec"]["holderIdentity"])
        assert holder not in ("", other_than)
        return holder

    found: str = await until(ask, (AssertionError, KubeError))  # type: ignore[arg-type]
    return found


async def test_a_killed_leader_is_followed_within_twenty_seconds_and_a_stopped_one_at_once(
    server: Server, tmp_path: Path
) -> None:
    await server.http.post(server.deployments, deployment("d", 2, namespace=server.space))
    children = [Controller(server, tmp_path)]
    try:
        first = await leader(server)
        children.append(Controller(server, tmp_path))
        await children[1].said("waits for the lease")
        await asyncio.sleep(3.0)  # it sees the lease renewed
        children[0].kill()
        killed_s = monotonic_s()
        second = await leader(server, first)
        print(f"taken over {monotonic_s() - killed_s:.1f} s after SIGKILL")
        assert monotonic_s() - killed_s < 20.0
        children.append(Controller(server, tmp_path))
        await children[2].said("waits for the lease")
        await asyncio.sleep(3.0)
        children[1].process.send_signal(signal.SIGTERM)
        stopped_s = monotonic_s()

        async def free() -> None:
            assert (await server.http.get(server.lease))["spec"]["holderIdentity"] != second

        await until(free)
        print(f"given up {monotonic_s() - stopped_s:.2f} s after SIGTERM")
        assert monotonic_s() - stopped_s < 2.0
        await leader(server, second)
        print(f"taken over {monotonic_s() - stopped_s:.2f} s after SIGTERM")
        assert monotonic_s() - stopped_s < 5.0
        assert await replicas(server, "d") == 2
    finally:
        for child in children:
            child.kill()


async def test_three_targets_follow_their_load_and_an_hpa_beside_one_is_seen(server: Server, tmp_path: Path) -> None:
    names = ("a", "b", "c")
    async with StubEngine() as engine, FakeKubelet(server.http, server.space):
        for name in names:
            await server.http.post(server.deployments, deployment(name, 1, engine.port, server.space))
            await server.http.post(server.autoscalers, autoscaler(name, namespace=server.space))
        hpas = f"/apis/autoscaling/v2/namespaces/{server.space}/horizontalpodautoscalers"
        await server.http.post(hpas, hpa("rival", "c", server.space))
        async with KubernetesCluster(server.http, [server.space]) as cluster:
            found = (await cluster.snapshot()).hpas
        assert found is not None
        assert [h["spec"]["scaleTargetRef"]["name"] for h in found] == ["c"]
        child = Controller(server, tmp_path)
        try:

            async def scraped() -> None:
                assert engine.scrapes > 6

            await until(scraped)
            engine.running, engine.waiting = 220.0, 300.0

            async def followed() -> None:
                assert all([await replicas(server, name) > 1 for name in names[:2]])

            await until(followed)
            assert await replicas(server, "c") == 1

            async def told() -> None:
                body = await server.http.get(f"{server.autoscalers}/c")
                conditions = {c["type"]: c for c in body["status"]["conditions"]}
                found = conditions["Conflicted"]
                assert (found["status"], found["reason"]) == ("True", "HorizontalPodAutoscaler")
                assert "rival" in found["message"]

            await until(told, (AssertionError, KeyError))  # type: ignore[arg-type]
        finally:
            child.kill()


async def test_the_rights_that_the_chart_gives_are_enough(server: Server) -> None:
    if server.limited is None:
        pytest.skip("the simulated API server has no authorisation")
    rules = chart_rules()
    roles = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{server.space}"
    await server.http.post(f"{roles}/roles", {"metadata": {"name": "chart"}, "rules": rules})
    subject = {"kind": "User", "name": LIMITED_USER, "apiGroup": "rbac.authorization.k8s.io"}
    reference = {"kind": "Role", "name": "chart", "apiGroup": "rbac.authorization.k8s.io"}
    binding = {"metadata": {"name": "chart"}, "roleRef": reference, "subjects": [subject]}
    await server.http.post(f"{roles}/rolebindings", binding)
    await server.http.post(server.deployments, deployment("d", 2, namespace=server.space))
    await server.http.post(server.autoscalers, autoscaler("d", namespace=server.space))
    async with KubeHttp(server.limited) as http, KubernetesCluster(http, [server.space]) as cluster:
        state = await seen(cluster, lambda s: s.desired.get(f"{server.space}/d") == {"h100": 2})
        target = state.targets[0]
        actuator = KubernetesActuator(http)
        done = await actuator.apply(target, target.variants[0], 2, 3, None)
        assert done.result is ActuationResult.APPLIED, done.detail
        resource = Resource(target.namespace, target.name, target.uid, target.generation)
        status = replace(status_of(Told(make_tick(), (), ()), None), reason="said")
        assert await KubernetesReporter(http, monotonic_s).write(resource, status)
        assert (await server.http.get(f"{server.autoscalers}/d"))["status"]["reason"] == "said"
        # Nodes are not a namespace's: unknown, and said so.
        assert (await cluster.snapshot()).nodes is None
        with pytest.raises(KubeError, match="403"):
            await http.delete(f"{server.deployments}/d")


def chart_rules() -> list[dict[str, Any]]:
    """The rules of every namespaced Role of the chart."""
    chart = Path(__file__).resolve().parents[2] / "helm" / "tidegate"
    if not (chart / "Chart.yaml").exists():
        pytest.skip("there is no chart yet")
    from tests.helm import rendered

    objects = rendered.render({"rbac": {"namespaces": [rendered.NAMESPACE]}}).of_kind("Role")
    return [rule for role in objects for rule in role["rules"]]
