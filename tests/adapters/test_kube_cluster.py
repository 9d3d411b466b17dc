"""What the loop is told of a cluster that may be read in part, or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.adapters.clock import monotonic_s
from controlplane.adapters.kube_assemble import refs_of
from controlplane.adapters.kube_cluster import STALE_S, KubernetesCluster
from controlplane.adapters.kube_http import KubeHttp
from controlplane.crds import inference_autoscaler
from controlplane.domain.governed import Governed, manifests
from controlplane.domain.policy_life import Stage
from controlplane.domain.ports import ClusterState, ClusterUnavailable
from controlplane.domain.target import ScaleTargetRef
from tests.adapters.api_server import SimulatedApi
from tests.adapters.objects import WORKERS_CRD, autoscaler, deployment, engine_set, hpa

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
AUTOSCALERS = "/apis/tidegate.io/v1alpha1/namespaces/default/inferenceautoscalers"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[SimulatedApi]:
    async with SimulatedApi(tmp_path) as made:
        yield made


@pytest.fixture
async def http(api: SimulatedApi) -> AsyncIterator[KubeHttp]:
    async with KubeHttp(api.kubeconfig) as made:
        await made.post(CRDS, inference_autoscaler())
        await made.post(DEPLOYMENTS, deployment("a", 2))
        await made.post(AUTOSCALERS, autoscaler("a"))
        yield made


async def look(http: KubeHttp, *namespaces: str) -> ClusterState:
    async with KubernetesCluster(http, namespaces, sync_timeout_s=5.0) as cluster:
        return await cluster.state()


async def test_what_may_not_be_read_limits_nothing_and_is_named(api: SimulatedApi, http: KubeHttp) -> None:
    api.refuse["/api/v1/nodes"] = (403, "Forbidden")
    api.refuse["/apis/autoscaling/v2/horizontalpodautoscalers"] = (403, "Forbidden")
    async with KubernetesCluster(http) as cluster:
        state, snapshot = await cluster.state(), await cluster.snapshot()
    assert state.desired == {"default/a": {"h100": 2}}
    assert state.inventory.gpus == {}
    assert state.inventory.unattainable == {"nodes": "nodes may not be read: 403 Forbidden: on purpose"}
    assert (snapshot.nodes, snapshot.hpas, snapshot.scaled_objects) == (None, None, ())
    assert set(snapshot.unknown) == {"nodes", "horizontalpodautoscalers"}


@pytest.mark.parametrize("path", ["/api/v1/pods", "/apis/tidegate.io/v1alpha1/inferenceautoscalers"])
async def test_without_targets_or_pods_there_is_no_state(api: SimulatedApi, http: KubeHttp, path: str) -> None:
    api.refuse[path] = (403, "Forbidden")
    with pytest.raises(ClusterUnavailable, match="may not be read: 403 Forbidden"):
        await look(http)


async def test_a_namespace_whose_pods_are_hidden_disturbs_no_other(api: SimulatedApi, http: KubeHttp) -> None:
    await http.post("/apis/apps/v1/namespaces/other/deployments", deployment("b", 1, namespace="other"))
    other = AUTOSCALERS.replace("/default/", "/other/")
    await http.post(other, autoscaler("b", namespace="other"))
    api.refuse["/api/v1/namespaces/other/pods"] = (403, "Forbidden")
    state = await look(http, "default", "other")
    assert state.desired == {"default/a": {"h100": 2}}
    (problem,) = state.problems
    assert (problem.namespace, problem.field) == ("other", "metadata.namespace")


async def test_in_namespaces_nothing_is_asked_outside_them(api: SimulatedApi, http: KubeHttp) -> None:
    await look(http, "default")
    outside = {path for _, path, _ in api.asked if "/namespaces/" not in path and path.startswith(("/api", "/apis"))}
    outside = {path for path in outside if path.count("/") > 3 and "customresourcedefinitions" not in path}
    assert outside == {"/apis/resource.k8s.io/v1/resourceslices", "/apis/karpenter.sh/v1/nodepools"}


async def test_a_kind_that_may_not_be_listed_is_asked_for_one_by_one(api: SimulatedApi, http: KubeHttp) -> None:
    api.registry.find("apps", "v1", "deployments")
    api.refuse["/apis/apps/v1/deployments"] = (403, "Forbidden")
    assert (await look(http)).desired == {"default/a": {"h100": 2}}
    assert api.count("GET", f"{DEPLOYMENTS}/a") == 1


async def test_a_scale_is_asked_for_again_only_where_its_object_changed(api: SimulatedApi, http: KubeHttp) -> None:
    await http.post(CRDS, WORKERS_CRD)
    sets = "/apis/example.dev/v1/namespaces/default/enginesets"
    await http.post(sets, engine_set("e", 3))
    await http.post(AUTOSCALERS, autoscaler("e", "example.dev/v1", "EngineSet"))
    async with KubernetesCluster(http) as cluster:
        for _ in range(3):
            assert (await cluster.state()).desired["default/e"] == {"h100": 3}
        assert api.count("GET", "/enginesets/e/scale") == 1
        await http.merge_patch(f"{sets}/e", {"spec": {"size": 5}})
        deadline = monotonic_s() + 15.0
        while (await cluster.state()).desired["default/e"] != {"h100": 5} and monotonic_s() < deadline:
            pass
        assert (await cluster.state()).desired["default/e"] == {"h100": 5}
    assert api.count("GET", "/enginesets/e/scale") == 2


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (autoscaler("x", "example.dev/v1", "Nothing"), "the cluster serves no Nothing in example.dev/v1"),
        (autoscaler("x", scaled="gone"), 'deployments.apps "gone" not found'),
        (autoscaler("x", "v1", "Pod"), "Pod in v1 has no /scale subresource"),
    ],
)
async def test_what_cannot_be_scaled_is_a_problem_of_its_own(
    http: KubeHttp, manifest: dict[str, object], words: str
) -> None:
    await http.post(AUTOSCALERS, manifest)
    state = await look(http)
    assert state.desired["default/a"] == {"h100": 2}
    (problem,) = state.problems
    assert (problem.name, problem.field) == ("x", "spec.variants[h100].scaleTargetRef")
    assert words in problem.message


async def test_who_else_scales_is_in_the_snapshot(http: KubeHttp) -> None:
    await http.post("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers", hpa("rival", "a"))
    async with KubernetesCluster(http) as cluster:
        snapshot = await cluster.snapshot()
    assert snapshot.hpas is not None
    assert [h["metadata"]["name"] for h in snapshot.hpas] == ["rival"]
    assert snapshot.scaled_objects == ()
    workload = snapshot.workloads["default", ScaleTargetRef("apps/v1", "Deployment", "a")]
    assert workload.body is not None
    assert [e["manager"] for e in workload.body["metadata"]["managedFields"]] == ["tidegate"]


async def test_a_cache_that_was_cut_off_is_believed_for_a_while(api: SimulatedApi, http: KubeHttp) -> None:
    skipped = [0.0]
    async with KubernetesCluster(http, real_s=lambda: monotonic_s() + skipped[0]) as cluster:
        assert (await cluster.state()).desired == {"default/a": {"h100": 2}}
        await api.stop()
        assert (await cluster.state()).desired == {"default/a": {"h100": 2}}
        deadline = monotonic_s() + 15.0
        while not any(i.silent_s() for i in cluster._informers.values()) and monotonic_s() < deadline:
            await cluster.state()
        skipped[0] = STALE_S + 5.0
        with pytest.raises(ClusterUnavailable, match="out of date"):
            await cluster.state()


def test_references_are_found_in_either_form_and_junk_is_left_to_the_reader() -> None:
    one = {"spec": {"scaleTargetRef": {"name": "a"}}}
    assert refs_of(one) == [ScaleTargetRef("apps/v1", "Deployment", "a")]
    assert refs_of({"spec": {"variants": [None, 3, {"name": "v"}, {"scaleTargetRef": {"kind": "Deployment"}}]}}) == []
    assert refs_of({"spec": "x"}) == refs_of({}) == []


def policy_of(name: str, ref: str, version: str) -> Governed:
    spec = autoscaler("x")["spec"]
    variants = [{**v, "scaleTargetRef": {**v["scaleTargetRef"], "name": ref}} for v in spec["variants"]]
    return Governed(version, f"p-{name}", name, 1, Stage.LIVE, ("default",), {**spec, "variants": variants})


async def test_a_policy_of_the_api_is_a_target_unless_a_custom_resource_names_it(http: KubeHttp) -> None:
    await http.post(DEPLOYMENTS, deployment("b", 3))
    known = [policy_of("b", "b", "v-b"), policy_of("a", "a", "v-a"), policy_of("c", "a", "v-c")]
    known.append(replace(known[0], version_id="v-b2", number=2, stage=Stage.SHADOW))
    async with KubernetesCluster(http, policies=lambda: manifests(known, 0.0)) as cluster:
        state = await cluster.state()
    assert {t.key: t.policy_version for t in state.targets} == {"default/a": None, "default/b": "v-b"}
    assert state.desired["default/b"] == {"h100": 3}
    assert [(c.target.key, c.target.policy_version) for c in state.candidates] == [
        ("default/b", "v-b2"),
        ("default/a", "v-a"),
    ]
    assert [(p.name, "is scaled by default/a already" in p.message) for p in state.problems] == [("c", True)]


async def test_policies_of_other_namespaces_are_not_ours(http: KubeHttp) -> None:
    elsewhere = replace(policy_of("b", "b", "v-b"), namespaces=("elsewhere",))
    async with KubernetesCluster(http, ("default",), policies=lambda: manifests([elsewhere], 0.0)) as cluster:
        assert [t.key for t in (await cluster.state()).targets] == ["default/a"]
