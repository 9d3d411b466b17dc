"""The simulated cluster: the fleet behind the Kubernetes API, and a metrics page behind every pod."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from controlplane.domain.ports import Clock
from controlplane.simulation import mirror
from controlplane.simulation.fleet import Fleet
from controlplane.simulation.kubernetes.http import KubernetesApi
from controlplane.simulation.kubernetes.resources import Json, Registry, Resource
from controlplane.simulation.kubernetes.store import Store
from controlplane.simulation.kubernetes.verbs import Options, Target, Verbs
from controlplane.simulation.lifecycle import Workload

PLAY_EVERY_S = 0.1
"""Real seconds between advances of the fleet; its events happen at their own times whatever this is."""
MAX_CATCH_UP_S = 120.0
"""Clock seconds played without a pause for HTTP: a machine that fell behind still answers."""
SELF = Options(manager="simulated-cluster", force=True, strict=False)


class ClusterServer:
    """Start it, and `url` is an API server whose pods serve load. `state_path` keeps what people and Tidegate wrote."""

    def __init__(
        self,
        fleet: Fleet,
        clock: Clock,
        crd: Json,
        manifests: Sequence[Mapping[str, Any]],
        state_path: Path | None = None,
        port: int = 0,
    ) -> None:
        self._fleet = fleet
        self._clock = clock
        self._port = port
        self._state_path = state_path
        self._registry = Registry()
        self._store = Store(lambda: mirror.rfc3339(clock.now_s()))
        self._verbs = Verbs(self._store, self._registry, lambda: mirror.rfc3339(clock.now_s()))
        self._sockets: dict[str, tuple[web.TCPSite, web.AppRunner, int]] = {}
        self._runner: web.AppRunner | None = None
        self._playing: asyncio.Task[None] | None = None
        self._saved = ""
        self._populate(crd, manifests)

    @property
    def url(self) -> str:
        """The API server's address."""
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Listen, and begin to play."""
        api = KubernetesApi(self._store, self._registry, self._verbs, self._clock.now_s)
        self._runner = web.AppRunner(api.application(), access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]
        await self._mirror()
        self._playing = asyncio.create_task(self._play())

    async def stop(self) -> None:
        """Stop playing and listening."""
        if self._playing is not None:
            self._playing.cancel()
            self._obey()  # what was asked for since the last look is kept too
        self._save()
        for name in list(self._sockets):
            await self._close_socket(name)
        if self._runner is not None:
            await self._runner.cleanup()

    async def wait(self) -> None:
        """Until playing fails or is cancelled."""
        assert self._playing is not None, "start it first"
        await self._playing

    def write_kubeconfig(self, path: Path) -> None:
        """A kubeconfig for `kubectl` and the controller; whole or not at all."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "simulated", "cluster": {"server": self.url}}],
            "users": [{"name": "anyone", "user": {"token": "anyone"}}],
            "contexts": [{"name": "simulated", "context": {"cluster": "simulated", "user": "anyone"}}],
            "current-context": "simulated",
        }
        fresh = path.with_suffix(".new")
        fresh.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        os.replace(fresh, path)

    # What there is at the start

    def _populate(self, crd: Json, manifests: Sequence[Mapping[str, Any]]) -> None:
        self._verbs.create(
            Target(self._resource("CustomResourceDefinition"), "", "", ""), json.loads(json.dumps(crd)), SELF
        )
        for name in ("default", "kube-system"):
            body = {"metadata": {"name": name}, "status": {"phase": "Active"}}
            self._store.create(self._resource("Namespace"), "", body)
        for node in self._fleet.nodes():
            self._store.create(self._resource("Node"), "", mirror.node(node, self._clock.now_s()))
        for workload in self._fleet.workloads.values():
            namespace = workload.key.split("/")[0]
            body = mirror.deployment(workload, self._fleet.replicas_wanted(workload.key))
            self._verbs.create(Target(self._resource("Deployment"), namespace, "", ""), body, SELF)
        for manifest in self._restored(manifests):
            namespace = manifest.get("metadata", {}).get("namespace", "default")
            at = Target(self._resource("InferenceAutoscaler"), namespace, "", "")
            self._verbs.create(at, manifest, SELF)

    def _resource(self, kind: str) -> Resource:
        for group, version in (("", "v1"), ("apps", "v1"), ("apiextensions.k8s.io", "v1"), ("tidegate.io", "v1alpha1")):
            for resource in self._registry.of(group, version):
                if resource.kind == kind:
                    return resource
        raise KeyError(kind)

    def _restored(self, manifests: Sequence[Mapping[str, Any]]) -> list[Json]:
        """The resources that were kept, or the scenario's."""
        kept = read_state(self._state_path).get("autoscalers")
        return json.loads(json.dumps(kept if kept is not None else list(manifests)))  # type: ignore[no-any-return]

    # Time

    async def _play(self) -> None:
        while True:
            now_s = self._clock.now_s()
            while self._fleet.now_s < now_s:
                self._obey()
                self._fleet.advance(min(now_s, self._fleet.now_s + MAX_CATCH_UP_S))
                await asyncio.sleep(0)
            await self._mirror()
            self._save()
            await asyncio.sleep(PLAY_EVERY_S)

    def _obey(self) -> None:
        """Pass on what the Deployments want; a Deployment that was deleted wants nothing."""
        for workload in self._fleet.workloads.values():
            body = self._deployment(workload)
            wanted = int(body["spec"].get("replicas", 0)) if body else 0
            if wanted != self._fleet.replicas_wanted(workload.key):
                namespace, name = workload.key.split("/")
                pods = self._store.list(
                    self._resource("Pod"),
                    namespace,
                    lambda p, name=name: p["metadata"]["labels"].get("app") == name,  # type: ignore[misc]
                )
                self._fleet.set_replicas(workload.key, wanted, mirror.delete_first(pods))

    def _deployment(self, workload: Workload) -> Json | None:
        namespace, name = workload.key.split("/")
        return self._store.find(self._resource("Deployment"), namespace, name)

    # The fleet's pods as objects

    async def _mirror(self) -> None:
        self._obey()
        simulated = self._fleet.pods()
        await self._mirror_pods()
        for workload in self._fleet.workloads.values():
            body = self._deployment(workload)
            if body is not None:
                own = [pod for pod in simulated if pod.workload == workload.key]
                body["status"] = mirror.deployment_status(body, own)
                self._store.replace(self._resource("Deployment"), body)

    async def _mirror_pods(self) -> None:
        resource = self._resource("Pod")
        existing = {pod.name: pod for pod in self._fleet.pods()}
        for name in set(self._sockets) - set(existing):
            await self._close_socket(name)
        for body in self._store.list(resource, "", lambda _: True):
            if body["metadata"]["name"] not in existing:
                self._store.delete(resource, body["metadata"]["namespace"], body["metadata"]["name"])
        for name, pod in existing.items():
            if pod.ready_at_s is not None and name not in self._sockets:
                await self._open_socket(name)
            port = self._sockets[name][2] if name in self._sockets else None
            self._keep_pod(resource, mirror.pod(pod, port))

    def _keep_pod(self, resource: Resource, body: Json) -> None:
        metadata = body["metadata"]
        live = self._store.find(resource, metadata["namespace"], metadata["name"])
        if live is None:
            self._store.create(resource, metadata["namespace"], body)
            return
        # What others wrote on the pod (annotations) stays.
        live["metadata"] |= {k: v for k, v in metadata.items() if k != "creationTimestamp"}
        live |= {"spec": body["spec"], "status": body["status"]}
        self._store.replace(resource, live)

    async def _open_socket(self, name: str) -> None:
        async def metrics(_: web.Request) -> web.Response:
            try:
                page = self._fleet.metrics_page(name)
            except KeyError as error:
                return web.Response(status=503, text=str(error))
            return web.Response(body=page, content_type="text/plain", charset="utf-8")

        application = web.Application()
        application.router.add_get("/metrics", metrics)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._sockets[name] = (site, runner, runner.addresses[0][1])

    async def _close_socket(self, name: str) -> None:
        _, runner, _ = self._sockets.pop(name)
        await runner.cleanup()

    # What outlives a restart

    def _save(self) -> None:
        if self._state_path is None:
            return
        replicas = {key: self._fleet.replicas_wanted(key) for key in self._fleet.workloads}
        try:
            resource = self._resource("InferenceAutoscaler")
        except KeyError:
            autoscalers: list[Json] = []
        else:
            autoscalers = [_without_server_fields(body) for body in self._store.list(resource, "", lambda _: True)]
        text = json.dumps({"replicas": replicas, "autoscalers": autoscalers})
        if text != self._saved:
            fresh = self._state_path.with_suffix(".new")
            fresh.write_text(text, encoding="utf-8")
            os.replace(fresh, self._state_path)
            self._saved = text


def read_state(path: Path | None) -> Json:
    """What a cluster kept; empty where it kept nothing, or nothing that can be read."""
    try:
        state = json.loads(path.read_text(encoding="utf-8")) if path is not None and path.exists() else {}
    except ValueError:
        return {}
    return state if isinstance(state, dict) else {}


def _without_server_fields(body: Json) -> Json:
    kept = {k: v for k, v in body["metadata"].items() if k in ("name", "namespace", "labels", "annotations")}
    return {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": kept, "spec": body["spec"]}
