"""Our answers against those recorded from a real Kubernetes 1.36: status codes, kinds, reasons, messages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from controlplane.simulation.kubernetes.http import KubernetesApi
from controlplane.simulation.kubernetes.resources import Registry
from controlplane.simulation.kubernetes.store import Store
from controlplane.simulation.kubernetes.verbs import Verbs

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "kubernetes" / "transcripts-1.36.json"
NOT_OURS = {
    "without permission: Forbidden": "there is no authorisation",
    "bad token: Unauthorized": "there is no authentication",
}
NOW = "2026-11-21T01:38:42Z"


def _comparable(body: Any) -> Any:
    if isinstance(body, list):
        return [(event["type"], event["object"]["kind"]) for event in body]
    found = {key: body.get(key) for key in ("kind", "apiVersion", "reason", "code")}
    if body.get("kind") == "Status":
        details = body.get("details", {})
        found["details"] = {key: details.get(key) for key in ("name", "group", "kind")}
        # That /scale cannot read a count of a wrong type is said twice by a real server; once is enough.
        causes = [c for c in details.get("causes", ()) if "accessor" not in c["message"]]
        found["causes"] = [(c.get("reason"), c.get("field")) for c in causes]
    if body.get("kind") == "Scale":
        found |= {"spec": body["spec"], "status": body["status"]}
    if body.get("kind") in ("Deployment", "Gate"):
        found["owners"] = sorted((m["manager"], m["operation"]) for m in body["metadata"]["managedFields"])
        found["replicas"] = body["spec"]["replicas"]
        found["generation"] = body["metadata"]["generation"]
    return found


def _with_our_version(value: Any, versions: dict[str, str]) -> Any:
    """Recorded resourceVersions in requests as ours of the same moment."""
    text = json.dumps(value)
    for theirs, ours in versions.items():
        text = text.replace(f'"resourceVersion": "{theirs}"', f'"resourceVersion": "{ours}"')
        text = text.replace(f"resourceVersion={theirs}&", f"resourceVersion={ours}&")
    return json.loads(text)


async def test_every_recorded_exchange_is_answered_alike() -> None:
    if not RECORDED.exists():
        pytest.skip(f"{RECORDED} is absent: the recorded exchanges are not part of the repository")
    registry, store = Registry(), Store(lambda: NOW)
    api = KubernetesApi(store, registry, Verbs(store, registry, lambda: NOW), lambda: 1_795_225_122.0)
    runner = web.AppRunner(api.application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    versions: dict[str, str] = {}
    differing = []
    compared = 0
    async with ClientSession(headers={"User-Agent": "Python-urllib/3.11"}) as session:
        for exchange in json.loads(RECORDED.read_text()):
            if exchange["title"] in NOT_OURS:
                continue
            request = _with_our_version(exchange["request"], versions)
            headers = {"Content-Type": request.get("contentType") or "application/json"}
            if request.get("accept"):
                headers["Accept"] = request["accept"]
            data = None if request.get("body") is None else json.dumps(request["body"])
            async with session.request(request["method"], base + request["path"], data=data, headers=headers) as answer:
                text = await answer.text()
            recorded = exchange["response"]
            ours = [json.loads(line) for line in text.splitlines()] if isinstance(recorded, list) else json.loads(text)
            for theirs, our in ((recorded, ours),) if isinstance(recorded, dict) else ():
                if version := theirs.get("metadata", {}).get("resourceVersion"):
                    versions[version] = our.get("metadata", {}).get("resourceVersion", "?")
            compared += 1
            want, got = (exchange["status"], _comparable(recorded)), (answer.status, _comparable(ours))
            if want != got:
                differing.append(f"{exchange['title']}\n  recorded {want}\n  ours     {got}\n  {text[:300]}")
    await runner.cleanup()
    assert not differing, "\n".join(differing)
    assert compared == 42
