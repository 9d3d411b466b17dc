"""Replica counts of any kind: through `/scale`, of Ray's worker groups, and of what cannot be scaled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.adapters.kube_http import KubeError, KubeHttp
from controlplane.adapters.kube_scale import NotScalable, Scales
from controlplane.adapters.kube_writer import DELETION_COST, ReplicaWriter
from controlplane.domain.decision import ActuationResult
from controlplane.domain.target import ScaleTargetRef, Variant
from controlplane.simulation.kubernetes.resources import Resource
from controlplane.simulation.scenario import load_scenario
from tests.adapters.api_server import SimulatedApi
from tests.adapters.objects import WORKERS_CRD, deployment, engine_set

PATH = "/apis/apps/v1/namespaces/default/deployments"
SETS = "/apis/example.dev/v1/namespaces/default/enginesets"
RAY = "/apis/ray.io/v1/namespaces/default/rayclusters"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[SimulatedApi]:
    async with SimulatedApi(tmp_path) as made:
        yield made


@pytest.fixture
async def http(api: SimulatedApi) -> AsyncIterator[KubeHttp]:
    async with KubeHttp(api.kubeconfig) as made:
        yield made


def variant(ref: ScaleTargetRef) -> Variant:
    return replace(load_scenario("chat-8b").targets[0].variants[0], ref=ref)


DEPLOYED = variant(ScaleTargetRef("apps/v1", "Deployment", "a"))


async def test_a_kind_is_found_by_discovery_and_asked_for_once(api: SimulatedApi, http: KubeHttp) -> None:
    scales = Scales(http)
    with pytest.raises(NotScalable, match=r"serves no EngineSet in example.dev/v1; it serves nothing there"):
        await scales.find("default", ScaleTargetRef("example.dev/v1", "EngineSet", "e"))
    await http.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", WORKERS_CRD)
    ref = ScaleTargetRef("example.dev/v1", "EngineSet", "e")
    with pytest.raises(NotScalable):  # a miss is believed for a while
        await scales.find("default", ref)
    scales.forget(ref)
    found = await scales.find("default", ref)
    await scales.find("default", ref)
    assert found.resource.path("default", "e") == f"{SETS}/e"
    assert api.count("GET", "/apis/example.dev/v1") == 2


async def test_a_custom_resource_is_scaled_where_its_definition_says(api: SimulatedApi, http: KubeHttp) -> None:
    await http.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", WORKERS_CRD)
    await http.post(SETS, engine_set("e", 2))
    done = await ReplicaWriter(http, Scales(http)).apply(
        "default", variant(ScaleTargetRef("example.dev/v1", "EngineSet", "e")), 2, 4, None, ()
    )
    assert (done.result, done.detail) == (ActuationResult.APPLIED, "")
    assert (await http.get(f"{SETS}/e"))["spec"] == {"size": 4}


async def test_a_kind_that_chooses_its_own_pods_says_so_on_the_way_down(api: SimulatedApi, http: KubeHttp) -> None:
    await http.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", WORKERS_CRD)
    await http.post(SETS, engine_set("e", 2))
    ref = ScaleTargetRef("example.dev/v1", "EngineSet", "e")
    done = await ReplicaWriter(http, Scales(http)).apply("default", variant(ref), 2, 1, None, ["e-1"])
    assert (done.result, done.detail) == (ActuationResult.APPLIED, "which replicas go is the EngineSet's own choice")


async def test_a_kind_without_scale_is_refused_by_name(http: KubeHttp) -> None:
    with pytest.raises(NotScalable, match="Pod in v1 has no /scale subresource"):
        await Scales(http).find("default", ScaleTargetRef("v1", "Pod", "p"))


async def test_a_status_that_changes_all_the_time_is_no_conflict(api: SimulatedApi, http: KubeHttp) -> None:
    made = await http.post(PATH, deployment("a", 2))
    await http.merge_patch(f"{PATH}/a/status", {"status": {"replicas": 1}})
    version = made["metadata"]["resourceVersion"]
    done = await ReplicaWriter(http, Scales(http)).apply("default", DEPLOYED, 2, 5, version, ())
    assert done.result is ActuationResult.APPLIED
    body = await http.get(f"{PATH}/a")
    assert body["spec"]["replicas"] == 5
    assert api.count("PATCH", "/a/scale") == 2
    entry = next(e for e in body["metadata"]["managedFields"] if e.get("subresource") == "scale")
    assert (entry["manager"], entry["operation"]) == ("tidegate", "Update")
    assert entry["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
    assert "time" not in entry


async def test_a_version_that_still_holds_costs_one_request(api: SimulatedApi, http: KubeHttp) -> None:
    made = await http.post(PATH, deployment("a", 2))
    version = made["metadata"]["resourceVersion"]
    done = await ReplicaWriter(http, Scales(http)).apply("default", DEPLOYED, 2, 5, version, ())
    assert done.result is ActuationResult.APPLIED
    assert (api.count("PATCH", "/a/scale"), api.count("GET", "/a/scale")) == (1, 0)


async def test_a_count_that_somebody_has_changed_is_left_alone(api: SimulatedApi, http: KubeHttp) -> None:
    made = await http.post(PATH, deployment("a", 2))
    await http.merge_patch(f"{PATH}/a", {"spec": {"replicas": 7}})
    version = made["metadata"]["resourceVersion"]
    done = await ReplicaWriter(http, Scales(http)).apply("default", DEPLOYED, 2, 5, version, ())
    assert (done.result, done.detail) == (
        ActuationResult.CONFLICT,
        "the count is 7 by now, and the decision was made on 2",
    )
    assert (await http.get(f"{PATH}/a/scale"))["spec"]["replicas"] == 7


async def test_pods_are_marked_before_the_count_goes_down(api: SimulatedApi, http: KubeHttp) -> None:
    await http.post(PATH, deployment("a", 3))
    for name in ("a-0", "a-1"):
        await http.post("/api/v1/namespaces/default/pods", {"metadata": {"name": name}, "spec": {"containers": []}})
    done = await ReplicaWriter(http, Scales(http)).apply("default", DEPLOYED, 3, 1, None, ["a-1", "a-0", "gone"])
    assert (done.result, done.detail) == (ActuationResult.APPLIED, "not marked to go first: gone (NotFound)")
    pods = (await http.get("/api/v1/namespaces/default/pods"))["items"]
    assert [pod["metadata"]["annotations"][DELETION_COST] for pod in pods] == ["-2", "-3"]
    patched = [path for method, path, _ in api.asked if method == "PATCH"]
    assert patched[-1] == f"{PATH}/a/scale"


async def test_concurrent_writes_of_one_object_collapse_into_the_newest(api: SimulatedApi, http: KubeHttp) -> None:
    await http.post(PATH, deployment("a", 2))
    writer = ReplicaWriter(http, Scales(http))
    done = await asyncio.gather(*(writer.apply("default", DEPLOYED, 2, after, None, ()) for after in (3, 4, 5)))
    # The first is under way; the second is superseded by the third, which finds that the count is not 2 any more.
    assert [a.result for a in done] == [ActuationResult.APPLIED, ActuationResult.CONFLICT, ActuationResult.CONFLICT]
    assert "took its place" in done[1].detail
    assert (await http.get(f"{PATH}/a/scale"))["spec"]["replicas"] == 3


def ray_cluster(api: SimulatedApi, **more: object) -> dict[str, object]:
    api.registry.add(Resource("ray.io", "v1", "rayclusters", "raycluster", "RayCluster", has_status=True))
    groups = [
        {"groupName": "small", "replicas": 1, "minReplicas": 0, "maxReplicas": 9},
        {"groupName": "big", "replicas": 2, "minReplicas": 1, "maxReplicas": 4},
    ]
    return {"metadata": {"name": "ray"}, "spec": {"workerGroupSpecs": groups, **more}}


BIG = variant(ScaleTargetRef("ray.io/v1", "RayCluster", "ray/big"))


async def test_a_ray_worker_group_is_scaled_in_its_cluster(api: SimulatedApi, http: KubeHttp) -> None:
    await http.post(RAY, ray_cluster(api))
    scales = Scales(http)
    scaler = await scales.find("default", BIG.ref)
    seen = await scaler.read()
    assert (seen.replicas, seen.selector) == (2, "ray.io/cluster=ray,ray.io/group=big")
    done = await ReplicaWriter(http, scales).apply("default", BIG, 2, 4, seen.resource_version, ())
    assert done.result is ActuationResult.APPLIED
    groups = (await http.get(f"{RAY}/ray"))["spec"]["workerGroupSpecs"]
    assert [group["replicas"] for group in groups] == [1, 4]


async def test_a_ray_group_that_was_changed_meanwhile_is_a_conflict(api: SimulatedApi, http: KubeHttp) -> None:
    await http.post(RAY, ray_cluster(api))
    scaler = await Scales(http).find("default", BIG.ref)
    seen = await scaler.read()
    await http.merge_patch(f"{RAY}/ray", {"metadata": {"labels": {"touched": "yes"}}})
    with pytest.raises(KubeError) as refused:
        await scaler.write(4, seen)
    assert refused.value.status == 409
    done = await ReplicaWriter(http, Scales(http)).apply("default", BIG, 2, 4, seen.resource_version, ())
    assert done.result is ActuationResult.APPLIED


async def test_a_ray_group_keeps_its_own_bounds(api: SimulatedApi, http: KubeHttp) -> None:
    await http.post(RAY, ray_cluster(api))
    done = await ReplicaWriter(http, Scales(http)).apply("default", BIG, 2, 5, None, ())
    assert done.result is ActuationResult.FAILED
    assert "spec.workerGroupSpecs[1] allows minReplicas 1 to maxReplicas 4" in done.detail


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("ray", {}, "allowed for a RayCluster: NAME/WORKERGROUP"),
        ("ray/none", {}, "spec.workerGroupSpecs: there is no group 'none'; there is small, big"),
        ("ray/big", {"enableInTreeAutoscaling": True}, "spec.enableInTreeAutoscaling: is true"),
    ],
)
async def test_a_ray_group_that_cannot_be_scaled_names_the_field(
    api: SimulatedApi, http: KubeHttp, name: str, more: dict[str, object], message: str
) -> None:
    await http.post(RAY, ray_cluster(api, **more))
    with pytest.raises(NotScalable, match=message.replace("[", r"\[")):
        await (await Scales(http).find("default", ScaleTargetRef("ray.io/v1", "RayCluster", name))).read()
