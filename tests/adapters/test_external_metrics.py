"""external.metrics.k8s.io over real HTTPS, as an API server's front proxy asks for it."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from controlplane.adapters.clock import ManualClock
from controlplane.adapters.external_metrics import application
from controlplane.adapters.kube_desired import FakeCounts
from controlplane.adapters.serving_tls import ServingTls
from controlplane.controller.http import serving
from controlplane.domain.status import DesiredCount
from controlplane.settings import Address
from tests.adapters.certificates import authority

NOW_S = 1_767_600_000.0
H100 = DesiredCount("prod", "chat", "h100", "H100", "chat-h100", 3, NOW_S - 5, NOW_S + 55)
L40S = replace(H100, variant="l40s", accelerator="L40S", object_name="chat-l40s", replicas=0)
VALUES = "/apis/external.metrics.k8s.io/v1beta1/namespaces/prod/tidegate_desired_replicas"


class Api:
    """The API, who may ask it, and who must not."""

    def __init__(self, directory: Path) -> None:
        self.servers = authority(directory, "servers")
        self.proxies = authority(directory, "proxies")
        self.front = self.proxies.sign(directory / "front", "front-proxy-client")
        self.other = self.proxies.sign(directory / "other", "somebody")
        self.tls = self.servers.sign(directory / "tls", "localhost")
        self.counts = FakeCounts(H100, L40S)
        self.clock = ManualClock(NOW_S)
        self.port = 0

    def client(self, certificate: Path | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.servers.certificate))
        if certificate is not None:
            context.load_cert_chain(certificate / "tls.crt", certificate / "tls.key")
        return context

    async def get(self, path: str, certificate: Path | None, **query: str) -> tuple[int, Any]:
        url = f"https://localhost:{self.port}{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.get(url, params=query, ssl=self.client(certificate)) as answer,
        ):
            return answer.status, await answer.json(
                content_type=None
            ) if "json" in answer.content_type else await answer.text()


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Api:
    return Api(tmp_path_factory.mktemp("external"))


@pytest.fixture
async def api(places: Api) -> AsyncIterator[Api]:
    places.counts.set(H100, L40S)
    tls = ServingTls(places.tls, places.proxies.certificate.read_text())
    app = application(places.counts, places.clock, True, ("front-proxy-client",))
    async with serving(app, Address("127.0.0.1", 0), tls.context) as port:
        places.port = port
        yield places


async def test_an_hpa_gets_the_count_that_its_selector_names(api: Api) -> None:
    status, body = await api.get(VALUES, api.front, labelSelector="name=chat,variant=h100")
    assert (status, body["kind"], body["apiVersion"]) == (
        200,
        "ExternalMetricValueList",
        "external.metrics.k8s.io/v1beta1",
    )
    assert body["items"] == [
        {
            "metricName": "tidegate_desired_replicas",
            "metricLabels": {"name": "chat", "variant": "h100", "accelerator": "H100"},
            "timestamp": "2026-01-05T07:59:55Z",
            "value": "3",
        }
    ]
    _, both = await api.get(VALUES, api.front, labelSelector="name=chat")
    assert [item["value"] for item in both["items"]] == ["3", "0"]


async def test_the_name_and_labels_of_wva_find_it_too(api: Api) -> None:
    path = VALUES.replace("tidegate_", "wva_")
    query = "variant_name=chat-h100,exported_namespace=prod,accelerator_type=H100"
    status, body = await api.get(path, api.front, labelSelector=query)
    assert (status, [item["value"] for item in body["items"]]) == (200, ["3"])


@pytest.mark.parametrize(
    ("path", "query", "code", "words"),
    [
        (VALUES, "name=caht", 404, "there are: chat/h100, chat/l40s"),
        (VALUES.replace("prod", "dev"), "name=chat", 404, "there are: none"),
        (VALUES.replace("desired", "wanted"), "", 404, "allowed: tidegate_desired_replicas, wva_desired_replicas"),
        (VALUES, "name=chat,,", 400, "labelSelector is"),
        ("/apis/apps/v1", "", 404, "GET /apis/apps/v1: Not Found"),
    ],
)
async def test_what_cannot_be_answered_is_a_status_with_words(
    api: Api, path: str, query: str, code: int, words: str
) -> None:
    status, body = await api.get(path, api.front, labelSelector=query)
    assert (status, body["kind"], body["code"]) == (code, "Status", code)
    assert words in body["message"]


async def test_a_stale_count_is_an_error_even_beside_a_fresh_one(api: Api) -> None:
    api.counts.set(H100, replace(L40S, fresh_until_s=NOW_S - 1))
    status, body = await api.get(VALUES, api.front, labelSelector="name=chat")
    assert (status, "stale" in body["message"]) == (503, True)
    assert (await api.get(VALUES, api.front, labelSelector="variant=h100"))[0] == 200


async def test_discovery_is_what_kubectl_and_the_aggregator_ask(api: Api) -> None:
    _, resources = await api.get("/apis/external.metrics.k8s.io/v1beta1", api.front)
    assert (resources["kind"], resources["groupVersion"]) == ("APIResourceList", "external.metrics.k8s.io/v1beta1")
    assert {r["name"] for r in resources["resources"]} == {"tidegate_desired_replicas", "wva_desired_replicas"}
    assert {r["kind"] for r in resources["resources"]} == {"ExternalMetricValueList"}
    _, group = await api.get("/apis/external.metrics.k8s.io", api.front)
    assert group["preferredVersion"]["version"] == "v1beta1"
    _, groups = await api.get("/apis", api.front)
    assert [g["name"] for g in groups["groups"]] == ["external.metrics.k8s.io"]


async def test_only_the_front_proxy_may_ask(api: Api) -> None:
    status, body = await api.get(VALUES, None)
    assert (status, body["reason"]) == (401, "Unauthorized")
    status, body = await api.get(VALUES, api.other)
    assert (status, "'somebody'" in body["message"]) == (403, True)
    assert (await api.get("/healthz", None))[0] == 200
    stranger = authority(api.servers.directory / "strangers", "strangers").sign(
        api.servers.directory / "stranger", "front-proxy-client"
    )
    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        await api.get(VALUES, stranger)


def test_a_renewed_certificate_is_loaded_and_a_broken_one_is_not(tmp_path: Path) -> None:
    servers = authority(tmp_path, "ca")
    files, renewed = servers.sign(tmp_path / "files", "localhost"), servers.sign(tmp_path / "renewed", "localhost")
    tls = ServingTls(files)
    assert not tls.reload()
    for name in ("tls.crt", "tls.key"):
        shutil.copy(renewed / name, files / name)
    assert tls.reload()
    (files / "tls.crt").write_text("half a certifi")
    assert not tls.reload()
    shutil.copy(renewed / "tls.crt", files / "tls.crt")
    assert tls.reload()
