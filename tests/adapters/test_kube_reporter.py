"""Statuses and Events in the simulated cluster, and the desired counts that others read from them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from controlplane.adapters.clock import ManualClock
from controlplane.adapters.kube_desired import FakeCounts, FollowedCounts, LeadOrFollow, counts_of
from controlplane.adapters.kube_front_proxy import CONFIG_MAP, FrontProxy, front_proxy
from controlplane.adapters.kube_http import KubeHttp
from controlplane.adapters.kube_reporter import KubernetesReporter
from controlplane.adapters.kube_status import status_from_json, status_json
from controlplane.controller.http import serving
from controlplane.crds import inference_autoscaler
from controlplane.domain.ports import ClusterUnavailable, Resource
from controlplane.domain.status import ConditionType, Notice, TargetStatus, Told
from controlplane.planning.status import status_of
from controlplane.settings import Address
from controlplane.simulation.fleet import Fleet
from controlplane.simulation.scenario import load_scenario
from controlplane.simulation.server import ClusterServer
from tests.builders import make_tick

T0 = 1_767_600_000.0
CHAT = Resource("default", "chat")
PATH = "/apis/tidegate.io/v1alpha1/namespaces/default/inferenceautoscalers/chat"
EVENTS = "/api/v1/namespaces/default/events"


def definition() -> dict[str, Any]:
    """The CRD, its status open to what is written here."""
    crd = inference_autoscaler()
    status = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
    count = {"type": "integer"}
    fields = {"name": {"type": "string"}, "ready": count, "pending": count, "desired": count}
    status.setdefault("variants", {"type": "array", "items": {"type": "object", "properties": fields}})
    status["conditions"]["items"]["properties"].setdefault("observedGeneration", count)
    return crd


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[KubeHttp]:
    scenario = load_scenario("chat-8b")
    fleet = Fleet(scenario.workloads, scenario.generated(), scenario.inventory, T0, 1)
    server = ClusterServer(fleet, ManualClock(T0), definition(), scenario.manifests)
    await server.start()
    server.write_kubeconfig(tmp_path / "kubeconfig")
    async with KubeHttp(tmp_path / "kubeconfig") as made:
        yield made
    await server.stop()


def status() -> TargetStatus:
    return status_of(Told(make_tick(at_s=T0)), None)


def without_weights(whole: TargetStatus) -> TargetStatus:
    """Weights are kept where the definition has a field for them."""
    return replace(whole, variants=tuple(replace(v, routing_weight=None) for v in whole.variants))


async def test_a_status_is_written_read_back_and_unsaid(http: KubeHttp) -> None:
    reporter = KubernetesReporter(http, lambda: T0)
    assert await reporter.write(CHAT, status())
    body = (await http.get(PATH))["status"]
    assert (body["attainment"], body["lastTickTime"], body["mode"]) == ("99.0%", "2026-01-05T08:00:00Z", "Live")
    assert [c["type"] for c in body["conditions"]] == [kind.value for kind in ConditionType]
    recalled = await reporter.recall("default", "chat")
    assert recalled is not None
    resource, before = recalled
    assert before is not None
    assert without_weights(before) == without_weights(status())
    assert (resource.uid != "", resource.generation) == (True, 1)
    await reporter.write(CHAT, replace(status(), attainment=None, verdict=None))
    body = (await http.get(PATH))["status"]
    assert not {"attainment", "verdict"} & body.keys()


async def test_who_is_gone_or_away_is_not_told_and_nothing_breaks(http: KubeHttp) -> None:
    reporter = KubernetesReporter(http, lambda: T0)
    assert await reporter.recall("default", "gone") is None
    assert not await reporter.write(Resource("default", "gone"), status())
    await reporter.notify(Resource("nowhere", "gone"), Notice("ScaledUp", "x"))


async def test_an_event_said_again_is_counted_and_one_that_expired_is_made_anew(http: KubeHttp) -> None:
    now_s = [T0]
    reporter = KubernetesReporter(http, lambda: now_s[0])
    for _ in range(3):
        await reporter.notify(CHAT, Notice("Conflicted", "HPA chat scales it too", True))
        now_s[0] += 60.0
    (event,) = (await http.get(EVENTS))["items"]
    assert (event["count"], event["type"], event["reason"]) == (3, "Warning", "Conflicted")
    assert (event["firstTimestamp"], event["lastTimestamp"]) == ("2026-01-05T08:00:00Z", "2026-01-05T08:02:00Z")
    assert (event["involvedObject"]["kind"], event["source"]["component"]) == ("InferenceAutoscaler", "tidegate")
    await http.delete(f"{EVENTS}/{event['metadata']['name']}")
    await reporter.notify(CHAT, Notice("Conflicted", "HPA chat scales it too", True))
    (anew,) = (await http.get(EVENTS))["items"]
    assert (anew["count"], anew["metadata"]["name"] != event["metadata"]["name"]) == (1, True)


async def test_a_standby_reads_what_the_leader_wrote(http: KubeHttp) -> None:
    followed = FollowedCounts(http, 1.0)
    await followed.read()
    assert followed.counts() == ()
    await KubernetesReporter(http, lambda: T0).write(CHAT, status())
    await followed.read()
    found = {c.variant: (c.replicas, c.object_name, c.fresh_until_s - c.at_s) for c in followed.counts()}
    assert found == {
        "h100": (status().variants[0].desired, "chat-h100", 180.0),
        "l40s": (status().variants[1].desired, "chat-l40s", 180.0),
    }
    only_here = FollowedCounts(http, 1.0, ["default"])
    await only_here.read()
    assert only_here.counts() == followed.counts()


async def test_a_new_leader_says_of_what_it_has_not_ticked_what_the_old_one_said(http: KubeHttp) -> None:
    await KubernetesReporter(http, lambda: T0).write(CHAT, status())
    followed = FollowedCounts(http, 1.0)
    await followed.read()
    (h100, _) = followed.counts()
    own, leads = FakeCounts(), [False]
    both = LeadOrFollow(own, followed, lambda: leads[0])
    assert both.counts() == followed.counts()
    leads[0] = True
    assert both.counts() == list(followed.counts())
    own.set(replace(h100, replicas=9))
    assert [c.replicas for c in both.counts()] == [9]


def test_what_was_never_ticked_has_no_count() -> None:
    manifest = dict(load_scenario("chat-8b").manifests[0])
    assert counts_of(manifest, 1.0) == []
    off = status_json(replace(status(), verdict=None))
    assert counts_of({**manifest, "status": off}, 1.0) == []
    broken = {**manifest, "spec": {}, "status": status_json(status())}
    assert counts_of(broken, 1.0) == []


@pytest.mark.parametrize(
    "body",
    [None, "x", {}, {"conditions": "x"}, {"conditions": [1, {"type": "Mine"}], "ready": True, "variants": ["x", {}]}],
)
def test_a_status_of_somebody_else_is_read_as_far_as_it_can_be(body: object) -> None:
    read = status_from_json(body)
    assert read is None or (read.conditions, read.ready, read.variants) == ((), None, ())


class Extension:
    """An API server that has one ConfigMap."""

    def __init__(self, data: dict[str, str]) -> None:
        self.data = data

    @asynccontextmanager
    async def http(self, directory: Path) -> AsyncIterator[KubeHttp]:
        async def config_map(_: web.Request) -> web.Response:
            return web.json_response({"kind": "ConfigMap", "data": self.data})

        app = web.Application()
        app.add_routes([web.get(CONFIG_MAP, config_map)])
        async with serving(app, Address("127.0.0.1", 0)) as port:
            cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
            context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
            config = {
                "current-context": "c",
                "clusters": [cluster],
                "contexts": [context],
                "users": [{"name": "u", "user": {}}],
            }
            (directory / "extension").write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **config}))
            async with KubeHttp(directory / "extension") as made:
                yield made


async def test_the_cluster_says_who_its_front_proxy_is(tmp_path: Path) -> None:
    data = {"requestheader-client-ca-file": "PEM", "requestheader-allowed-names": '["front-proxy-client"]'}
    async with Extension(data).http(tmp_path) as http:
        assert await front_proxy(http) == FrontProxy("PEM", ("front-proxy-client",))
    async with Extension({}).http(tmp_path) as http:
        with pytest.raises(ClusterUnavailable, match="requestheader-client-ca-file"):
            await front_proxy(http)


async def test_without_a_word_of_the_cluster_nobody_is_taken_for_its_front_proxy(http: KubeHttp) -> None:
    with pytest.raises(ClusterUnavailable, match="TIDEGATE_FRONT_PROXY_CA may name a PEM file"):
        await front_proxy(http)
