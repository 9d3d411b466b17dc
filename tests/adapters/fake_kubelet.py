"""What a controller manager and kubelets would do with Deployments: make their Pods, run them, take them away; and the
page of a stub engine that all of those Pods serve."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import TracebackType

from aiohttp import web

from controlplane.adapters.clock import real_now_s
from controlplane.adapters.kube_http import KubeError, KubeHttp
from controlplane.domain.ports import ClusterUnavailable
from tests.adapters.objects import Json

EVERY_S = 0.2


class StubEngine:
    """A vLLM page whose load is set by hand. It counts by the clock: so many requests each second since it began."""

    def __init__(self) -> None:
        self.running, self.waiting = 1.0, 0.0
        self.port = 0
        self.scrapes = 0
        self._began_s = real_now_s()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> StubEngine:
        application = web.Application()
        application.router.add_get("/metrics", self._page)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _page(self, _: web.Request) -> web.Response:
        self.scrapes += 1
        finished = (real_now_s() - self._began_s) * max(self.running, 1.0) / 4.0
        own = '{engine="0",model_name="llama-3.1-8b"}'
        values = {
            "vllm:num_requests_running": ("gauge", self.running),
            "vllm:num_requests_waiting": ("gauge", self.waiting),
            "vllm:kv_cache_usage_perc": ("gauge", min(0.99, self.running / 250.0)),
            "vllm:prompt_tokens_total": ("counter", finished * 1000.0),
            "vllm:generation_tokens_total": ("counter", finished * 200.0),
        }
        lines = [f"# TYPE {name} {kind}\n{name}{own} {value}" for name, (kind, value) in values.items()]
        reason = '{engine="0",finished_reason="stop",model_name="llama-3.1-8b"}'
        lines.append(f"# TYPE vllm:request_success_total counter\nvllm:request_success_total{reason} {finished}")
        return web.Response(text="\n".join(lines) + "\n")


class FakeKubelet:
    """Follows the Deployments of one namespace until it is left."""

    def __init__(self, http: KubeHttp, namespace: str) -> None:
        self._http = http
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._deployments = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        self._made = 0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> FakeKubelet:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                for deployment in (await self._http.get(self._deployments)).get("items") or []:
                    await self._follow(deployment)
            except (KubeError, ClusterUnavailable):
                pass  # the next round sees what there is then
            await asyncio.sleep(EVERY_S)

    async def _follow(self, deployment: Json) -> None:
        labels = deployment["spec"]["selector"]["matchLabels"]
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        pods = (await self._http.get(self._pods, {"labelSelector": selector})).get("items") or []
        wanted = int(deployment["spec"].get("replicas", 1))
        for _ in range(wanted - len(pods)):
            await self._start(deployment)
        for pod in pods[: max(0, len(pods) - wanted)]:
            await self._http.delete(f"{self._pods}/{pod['metadata']['name']}", {"gracePeriodSeconds": "0"})
        if len(pods) == wanted and (deployment.get("status") or {}).get("replicas", 0) != wanted:
            status = {"status": {"replicas": wanted, "readyReplicas": wanted, "availableReplicas": wanted}}
            await self._http.merge_patch(f"{self._deployments}/{deployment['metadata']['name']}/status", status)

    async def _start(self, deployment: Json) -> None:
        self._made += 1
        template = deployment["spec"]["template"]
        name = f"{deployment['metadata']['name']}-{self._made}"
        containers = [
            {"name": c["name"], "image": c["image"], "ports": c["ports"]} for c in template["spec"]["containers"]
        ]
        metadata = {"name": name, "labels": template["metadata"]["labels"]}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers}}
        await self._http.post(self._pods, body)
        now = datetime.fromtimestamp(real_now_s(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        conditions = [
            {"type": kind, "status": "True", "lastTransitionTime": now}
            for kind in ("PodScheduled", "ContainersReady", "Ready")
        ]
        running = {
            "phase": "Running",
            "startTime": now,
            "conditions": conditions,
            "podIP": "127.0.0.1",
            "podIPs": [{"ip": "127.0.0.1"}],
        }
        await self._http.merge_patch(f"{self._pods}/{name}/status", {"status": running})
