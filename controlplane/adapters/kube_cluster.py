"""Watches targets, what they scale, pods, nodes and what else has a say, and tells the state of it at any moment."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType

from controlplane.adapters import kube_trim
from controlplane.adapters.clock import monotonic_s
from controlplane.adapters.kube_assemble import SeeAround, assemble, nothing_around, refs_of
from controlplane.adapters.kube_cache import Informer, Sync, Watched
from controlplane.adapters.kube_http import Json, KubeError, KubeHttp, ServerFault
from controlplane.adapters.kube_scale import NotScalable, Scale, Scaler, Scales
from controlplane.adapters.kube_selectors import PodIndex
from controlplane.adapters.kube_snapshot import Snapshot, Workload, WorkloadKey
from controlplane.domain.governed import PolicyManifests
from controlplane.domain.manifest import API_VERSION
from controlplane.domain.ports import ClusterState, ClusterUnavailable
from controlplane.domain.target import ScaleTargetRef

SYNC_TIMEOUT_S = 10.0
"""Real seconds that the first look at the cluster may take."""
STALE_S = 30.0
"""Real seconds for which a cache whose watch broke off is still believed: a rolling restart of API servers, no more.
What is written rests on no cache: a patch holds for the version or the count that was decided on alone."""

AUTOSCALERS = Watched(f"/apis/{API_VERSION}", "inferenceautoscalers", kube_trim.plain)
PODS = Watched("/api/v1", "pods", kube_trim.pod)
NODES = Watched("/api/v1", "nodes", kube_trim.node)
QUOTAS = Watched("/api/v1", "resourcequotas", kube_trim.plain)
HPAS = Watched("/apis/autoscaling/v2", "horizontalpodautoscalers", kube_trim.plain)
SCALED_OBJECTS = Watched("/apis/keda.sh/v1alpha1", "scaledobjects", kube_trim.plain)
POD_EVENTS = Watched("/api/v1", "events", kube_trim.event, "involvedObject.kind=Pod")
SLICES = Watched("/apis/resource.k8s.io/v1", "resourceslices", kube_trim.plain)
NODE_POOLS = Watched("/apis/karpenter.sh/v1", "nodepools", kube_trim.plain)
NAMESPACED = (AUTOSCALERS, PODS, QUOTAS, HPAS, SCALED_OBJECTS, POD_EVENTS)
CLUSTER_WIDE = (NODES, SLICES, NODE_POOLS)
NODE_AUTOSCALER = "/api/v1/namespaces/kube-system/configmaps/cluster-autoscaler-status"
NODE_AUTOSCALER_S = 30.0
"""Real seconds between looks at that one ConfigMap, which the cluster-autoscaler writes every 10 s."""


class KubernetesCluster:
    """`Cluster` over an API server. Use as an async context manager: it watches between ticks.

    `namespaces` empty: of the whole cluster. Otherwise of these alone, with no right outside them; Nodes, which have no
    namespace, are then known only where they may be read all the same.
    """

    def __init__(
        self,
        http: KubeHttp,
        namespaces: Sequence[str] = (),
        see_around: SeeAround = nothing_around,
        real_s: Callable[[], float] = monotonic_s,
        sync_timeout_s: float = SYNC_TIMEOUT_S,
        policies: Callable[[], PolicyManifests] = PolicyManifests,
    ) -> None:
        self._http = http
        self._scopes = tuple(namespaces) or ("",)
        self._see_around = see_around
        self._real_s = real_s
        self._sync_timeout_s = sync_timeout_s
        self._policies = policies
        self._scales = Scales(http, real_s)
        self._informers: dict[tuple[str, str, str], Informer] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._node_autoscaler: tuple[float, Json | None] | None = None
        self._seen: dict[WorkloadKey, tuple[str, Scale]] = {}

    async def __aenter__(self) -> KubernetesCluster:
        for watched in NAMESPACED:
            self._watch(watched)
        for watched in CLUSTER_WIDE:
            self._watch(watched, ("",))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def state(self) -> ClusterState:
        """The newest state; see `Cluster`. A resource that cannot be used is a problem, and disturbs no other."""
        return assemble(await self.snapshot(), self._see_around)

    async def snapshot(self) -> Snapshot:
        """What the caches hold now.

        Raises:
            ClusterUnavailable: if targets or Pods cannot be read, were not read yet, or are out of date.
        """
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()  # a watch that ended is a mistake of ours, and must not go on unseen
        await self._settled(list(self._informers.values()))
        self._check_current(self._of(AUTOSCALERS), self._of(PODS))
        autoscalers, policies = self._objects(AUTOSCALERS) or (), self._policies()
        named = {_name(manifest) for manifest in autoscalers}
        # Where a custom resource names a target, its word stands and a policy's does not count.
        autoscalers += tuple(one for one in policies.deciding if _name(one) not in named and self._is_ours(one))
        candidates = tuple(one for one in policies.beside if self._is_ours(one))
        candidates += tuple(one for one in policies.deciding if _name(one) in named)
        return Snapshot(
            autoscalers=autoscalers,
            candidates=candidates,
            workloads=await self._workloads((*autoscalers, *candidates)),
            pods=PodIndex(self._objects(PODS) or ()),
            nodes=self._objects(NODES),
            quotas=self._objects(QUOTAS),
            hpas=self._objects(HPAS),
            scaled_objects=self._objects(SCALED_OBJECTS),
            events=self._objects(POD_EVENTS) or (),
            slices=self._objects(SLICES) or (),
            node_pools=self._objects(NODE_POOLS) or (),
            node_autoscaler=await self._node_autoscaler_now(),
            unknown=self._unknown(),
            unreadable={space: i.problem for space, i in self._of(PODS).items() if i.sync is not Sync.SYNCED},
        )

    def _is_ours(self, manifest: Json) -> bool:
        return self._scopes == ("",) or _name(manifest)[0] in self._scopes

    # The caches

    def _watch(self, watched: Watched, scopes: Sequence[str] | None = None) -> list[Informer]:
        """The informers of a resource in every scope; they are begun where there is none yet."""
        found = []
        for namespace in self._scopes if scopes is None else scopes:
            key = (watched.base, watched.plural, namespace)
            if key not in self._informers:
                seed = zlib.crc32(watched.path(namespace).encode())
                informer = Informer(self._http, watched, namespace, self._real_s, seed)
                self._informers[key] = informer
                self._tasks.append(asyncio.create_task(informer.run(), name=f"watch {watched.path(namespace)}"))
            found.append(self._informers[key])
        return found

    def _of(self, watched: Watched) -> dict[str, Informer]:
        """A resource's informers by namespace."""
        wanted = (watched.base, watched.plural)
        return {key[2]: informer for key, informer in self._informers.items() if key[:2] == wanted}

    async def _settled(self, informers: Sequence[Informer]) -> None:
        try:
            async with asyncio.timeout(self._sync_timeout_s):
                for informer in informers:
                    await informer.settled()
        except TimeoutError as error:
            waiting = [i for i in informers if i.sync is Sync.WAITING]
            words = "; ".join(f"{i.path}: {i.problem or 'no answer yet'}" for i in waiting)
            raise ClusterUnavailable(f"not read yet: {words}") from error

    async def _settled_for(self, informer: Informer) -> None:
        """As `_settled`, of a kind that one target names: it is waited for once, and disturbs no other."""
        if informer.sync is Sync.WAITING and informer.problem:
            raise ServerFault(f"not read yet: {informer.path}: {informer.problem}")
        try:
            await self._settled([informer])
        except ClusterUnavailable as error:
            raise ServerFault(str(error)) from error

    def _check_current(self, *required: Mapping[str, Informer]) -> None:
        for by_namespace in required:
            informers = list(by_namespace.values())
            if not any(i.sync is Sync.SYNCED for i in informers):
                raise ClusterUnavailable(f"the cluster refuses to be read: {informers[0].problem}")
            for informer in informers:
                if (silent_s := informer.silent_s()) > STALE_S:
                    raise ClusterUnavailable(f"{informer.path} is {silent_s:.0f} s out of date: {informer.problem}")

    def _objects(self, watched: Watched) -> tuple[Json, ...] | None:
        """Objects of every scope; None where none of it may be read. What is not served does not exist: it is empty."""
        informers = self._of(watched).values()
        if all(i.sync is Sync.FORBIDDEN for i in informers):
            return None
        return tuple(body for informer in informers for body in informer.objects.values())

    def _unknown(self) -> dict[str, str]:
        named = ((f"{plural} in {space}" if space else plural, i) for (_, plural, space), i in self._informers.items())
        return {name: informer.problem for name, informer in named if informer.sync is Sync.FORBIDDEN}

    async def _node_autoscaler_now(self) -> Json | None:
        """One object of a kind that may not be listed, so it is asked for."""
        now_s = self._real_s()
        if self._node_autoscaler is None or now_s - self._node_autoscaler[0] > NODE_AUTOSCALER_S:
            try:
                found: Json | None = await self._http.get(NODE_AUTOSCALER)
            except (KubeError, ClusterUnavailable):
                found = None
            self._node_autoscaler = now_s, found
        return self._node_autoscaler[1]

    # What is scaled

    async def _workloads(self, autoscalers: Iterable[Json]) -> dict[WorkloadKey, Workload]:
        keys = {(str(m["metadata"].get("namespace", "")), ref) for m in autoscalers for ref in refs_of(m)}
        self._seen = {key: seen for key, seen in self._seen.items() if key in keys}
        found = await asyncio.gather(*(self._workload(namespace, ref) for namespace, ref in keys))
        return {(workload.namespace, workload.ref): workload for workload in found}

    async def _workload(self, namespace: str, ref: ScaleTargetRef) -> Workload:
        try:
            scaler = await self._scales.find(namespace, ref)
            body = await self._body(namespace, scaler)
            scale = scaler.of(body) or await self._asked(namespace, ref, scaler, body)
        except (NotScalable, KubeError, ServerFault) as error:
            return Workload(namespace, ref, None, None, str(error))
        return Workload(namespace, ref, body, scale)

    async def _body(self, namespace: str, scaler: Scaler) -> Json:
        """The object out of its kind's cache; one by one where the kind may not be listed."""
        resource = scaler.resource
        watched = Watched(resource.base, resource.plural, kube_trim.workload)
        self._watch(watched)
        informer = self._informers[resource.base, resource.plural, namespace if namespace in self._scopes else ""]
        await self._settled_for(informer)
        if informer.silent_s() > STALE_S:
            raise ServerFault(f"{informer.path} is {informer.silent_s():.0f} s out of date: {informer.problem}")
        body = informer.objects.get(f"{namespace}/{scaler.name}")
        if body is None:
            # The kind may not be listed; or the object is newer than the cache, and "there is none" would be a lie.
            body = kube_trim.workload(await self._http.get(resource.path(namespace, scaler.name)))
        return body

    async def _asked(self, namespace: str, ref: ScaleTargetRef, scaler: Scaler, body: Json) -> Scale:
        """The scale of a kind whose paths are not known: asked again where the object has changed."""
        version = str(body["metadata"]["resourceVersion"])
        seen = self._seen.get((namespace, ref))
        if seen is not None and seen[0] == version:
            return seen[1]
        scale = await scaler.read()
        self._seen[namespace, ref] = (version, scale)
        return scale


def _name(manifest: Json) -> tuple[str, str]:
    metadata = manifest.get("metadata", {})
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))


class FakeCluster:
    """`Cluster` that answers with `current`, or raises ClusterUnavailable while that is None."""

    def __init__(self, current: ClusterState | None) -> None:
        self.current = current

    async def state(self) -> ClusterState:
        """As `KubernetesCluster.state`."""
        if self.current is None:
            raise ClusterUnavailable("the cluster is away on purpose")
        return self.current
