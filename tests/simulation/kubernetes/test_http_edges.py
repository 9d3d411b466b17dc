"""Where clients go wrong, or are unlucky: malformed requests, a watch that starts while objects change, a restart."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from controlplane.simulation.kubernetes.http import KubernetesApi
from controlplane.simulation.kubernetes.resources import Registry
from controlplane.simulation.kubernetes.store import Store
from controlplane.simulation.kubernetes.verbs import Verbs
from tests.adapters.api_server import SimulatedApi

NOW = "2026-11-21T01:38:42Z"
MERGE = "application/merge-patch+json"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
LABELS = {"app": "chat"}
DEPLOYMENT = {
    "metadata": {"name": "chat"},
    "spec": {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": {"metadata": {"labels": LABELS}}},
}


class Api:
    """The emulator on a free port, its store in reach."""

    def __init__(self, session: ClientSession, store: Store, registry: Registry) -> None:
        self._session = session
        self.store = store
        self.registry = registry

    async def ask(self, method: str, path: str, body: Any = None, media_type: str = MERGE) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body)
        async with self._session.request(method, path, data=data, headers={"Content-Type": media_type}) as answer:
            return answer.status, [json.loads(line) for line in (await answer.text()).splitlines()]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    registry, store = Registry(), Store(lambda: NOW)
    application = KubernetesApi(store, registry, Verbs(store, registry, lambda: NOW), lambda: 0.0).application()
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:
        found = Api(session, store, registry)
        assert (await found.ask("POST", DEPLOYMENTS, DEPLOYMENT))[0] == 201
        yield found
    await runner.cleanup()


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "words"),
    [
        ("PATCH", "/chat", {"spec": None}, 422, "spec.selector: Required value"),
        ("PATCH", "/chat", {"spec": {"replicas": "many"}}, 400, "cannot unmarshal string"),
        ("PATCH", "/chat", {"spec": {"replicas": -1}}, 422, "must be greater than or equal to 0"),
        ("PATCH", "/chat", {"metadata": None}, 400, "metadata is not an object"),
        ("PATCH", "/chat", {"metadata": {"name": "other"}}, 400, "does not match the name on the URL"),
        ("PUT", "/chat", {"spec": {}}, 400, "does not match the name on the URL"),
        ("POST", "", {"metadata": "text"}, 400, "metadata is not an object"),
        ("POST", "", {"metadata": {"name": "bare"}}, 422, "spec.selector: Required value"),
        ("GET", "?limit=1&continue=zz", None, 400, "continue"),
        ("GET", "?watch=1&timeoutSeconds=x", None, 400, "timeoutSeconds"),
    ],
)
async def test_a_malformed_request_is_refused_and_changes_nothing(
    api: Api, method: str, path: str, body: Any, code: int, words: str
) -> None:
    before = await api.ask("GET", DEPLOYMENTS)
    status, answer = await api.ask(method, DEPLOYMENTS + path, body)
    assert (status, answer[0]["kind"]) == (code, "Status")
    assert words in answer[0]["message"]
    assert await api.ask("GET", DEPLOYMENTS) == before


@pytest.mark.parametrize(("version", "code"), [("abc", 400), ("99999999", 410)])
async def test_a_watch_from_no_known_version_says_so(api: Api, version: str, code: int) -> None:
    _, events = await api.ask("GET", f"{LEASES}?watch=1&timeoutSeconds=1&resourceVersion={version}")
    assert [(e["type"], e["object"]["code"]) for e in events] == [("ERROR", code)]


@pytest.mark.parametrize("since", ["", "2"])
async def test_a_change_while_the_backlog_is_sent_is_told_once(since: str) -> None:
    registry, store = Registry(), Store(lambda: NOW)
    server = KubernetesApi(store, registry, Verbs(store, registry, lambda: NOW), lambda: 0.0)
    lease = registry.find("coordination.k8s.io", "v1", "leases")
    assert lease is not None
    for name in ("old", "first"):
        store.create(lease, "default", {"metadata": {"name": name}})

    application = server.application()

    async def change_on_write(_: web.Request, response: web.StreamResponse) -> None:
        write = response.write

        async def writes(data: Any) -> None:
            await write(data)
            if store.find(lease, "default", "late") is None:
                store.create(lease, "default", {"metadata": {"name": "late"}})

        response.write = writes  # type: ignore[method-assign]

    application.on_response_prepare.append(change_on_write)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}{LEASES}?watch=1&timeoutSeconds=1&resourceVersion={since}"
    async with ClientSession() as session, session.get(url) as got:
        names = [json.loads(line)["object"]["metadata"]["name"] for line in (await got.text()).splitlines()]
    await runner.cleanup()
    assert names == (["first", "old", "late"] if since == "" else ["first", "late"])


async def test_who_accepts_it_gets_every_resource_in_one_document(tmp_path: Path) -> None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    async with SimulatedApi(tmp_path) as api, ClientSession(api.url, headers={"Accept": accept}) as session:
        async with session.get("/apis") as answer:
            found = await answer.json()
            assert answer.content_type == "application/json"
            assert "as=APIGroupDiscoveryList" in answer.headers["Content-Type"]
        async with session.get("/api", headers={"Accept": "application/json"}) as answer:
            assert (await answer.json())["kind"] == "APIVersions"
    (apps,) = [item for item in found["items"] if item["metadata"]["name"] == "apps"]
    deployments = apps["versions"][0]["resources"][0]
    assert (deployments["resource"], deployments["scope"]) == ("deployments", "Namespaced")
    assert [(s["subresource"], s["responseKind"]["kind"]) for s in deployments["subresources"]] == [
        ("scale", "Scale"),
        ("status", "Deployment"),
    ]
