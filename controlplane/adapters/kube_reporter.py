"""Writes statuses and Events to a Kubernetes API server.

Events are of core/v1 and not of events.k8s.io/v1: the latter takes no count, only a series that `kubectl get events`
shows worse, and `kubectl describe` reads core/v1 in any case.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from controlplane.adapters.event_correlator import EventCorrelator, Occurrence
from controlplane.adapters.kube_http import FIELD_MANAGER, Json, KubeError, KubeHttp
from controlplane.adapters.kube_limits import Priority
from controlplane.adapters.kube_status import rfc3339, status_from_json, status_json
from controlplane.domain.manifest import API_VERSION, KIND
from controlplane.domain.ports import ClusterUnavailable, Resource
from controlplane.domain.status import Notice, TargetStatus

MESSAGE_MAX = 1024
"""Characters of an Event's message that an API server takes."""

_log = logging.getLogger(__name__)


class KubernetesReporter:
    """`Reporter` over an API server. `now_s` gives unix seconds of the clock that ticks run on."""

    def __init__(self, http: KubeHttp, now_s: Callable[[], float]) -> None:
        self._http = http
        self._now_s = now_s
        self._correlator = EventCorrelator()

    async def recall(self, namespace: str, name: str) -> tuple[Resource, TargetStatus | None] | None:
        """The resource and its status; see `Reporter`."""
        try:
            body = await self._http.get(_path(namespace, name))
        except (KubeError, ClusterUnavailable) as error:
            _log.debug("%s/%s cannot be read: %s", namespace, name, error)
            return None
        metadata = body.get("metadata", {})
        resource = Resource(namespace, name, str(metadata.get("uid", "")), int(metadata.get("generation", 0)))
        return resource, status_from_json(body.get("status"))

    async def write(self, resource: Resource, status: TargetStatus) -> bool:
        """Write the status; see `Reporter`."""
        try:
            await self._put_status(resource, status_json(status))
        except (KubeError, ClusterUnavailable) as error:
            _log.warning("the status of %s could not be written: %s", resource.key, error)
            return False
        return True

    async def notify(self, resource: Resource, notice: Notice) -> None:
        """Write or count an Event; see `Reporter`. One that cannot be written is lost: it is a courtesy."""
        now_s = self._now_s()
        found = self._correlator.correlate(resource.namespace, resource.name, notice, now_s)
        if found is None:
            return
        try:
            if found.count > 1 and not await self._count(resource, found):
                self._correlator.forget(resource.namespace, resource.name, notice)
                found = self._correlator.correlate(resource.namespace, resource.name, notice, now_s)
            if found is not None and found.count == 1:
                await self._http.post(_events(resource.namespace), _event(resource, notice, found))
        except (KubeError, ClusterUnavailable) as error:
            _log.warning("the Event %s of %s could not be written: %s", notice.reason, resource.key, error)
            self._correlator.forget(resource.namespace, resource.name, notice)

    async def _put_status(self, resource: Resource, body: Json) -> None:
        """The one way in which a status is written."""
        path = f"{_path(resource.namespace, resource.name)}/status"
        metadata = {"name": resource.name, "namespace": resource.namespace}
        head = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata}
        said = {key: value for key, value in body.items() if value is not None}
        await self._http.apply(path, {**head, "status": said}, Priority.STATUS)

    async def _count(self, resource: Resource, found: Occurrence) -> bool:
        """Count the Event up; False where it is gone."""
        body: Json = {"count": found.count, "lastTimestamp": rfc3339(found.last_s)}
        try:
            await self._http.merge_patch(f"{_events(resource.namespace)}/{found.name}", body)
        except KubeError as error:
            if error.status != 404:
                raise
            return False
        return True


def _path(namespace: str, name: str) -> str:
    return f"/apis/{API_VERSION}/namespaces/{namespace}/inferenceautoscalers/{name}"


def _events(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/events"


def _event(resource: Resource, notice: Notice, found: Occurrence) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": found.name, "namespace": resource.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": resource.namespace,
            "name": resource.name,
            "uid": resource.uid,
        },
        "reason": notice.reason,
        "message": notice.message[:MESSAGE_MAX],
        "type": "Warning" if notice.warning else "Normal",
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": FIELD_MANAGER,
        "firstTimestamp": rfc3339(found.first_s),
        "lastTimestamp": rfc3339(found.last_s),
        "count": found.count,
    }


class FakeReporter:
    """`Reporter` that keeps what it was told; set `away` to have it take nothing."""

    def __init__(self) -> None:
        self.away = False
        self.statuses: dict[str, TargetStatus] = {}
        self.written: list[tuple[str, TargetStatus]] = []
        self.notices: list[tuple[str, Notice]] = []

    async def recall(self, namespace: str, name: str) -> tuple[Resource, TargetStatus | None] | None:
        """As `KubernetesReporter.recall`."""
        resource = Resource(namespace, name, f"uid-{name}", 1)
        return None if self.away else (resource, self.statuses.get(resource.key))

    async def write(self, resource: Resource, status: TargetStatus) -> bool:
        """As `KubernetesReporter.write`."""
        if not self.away:
            self.statuses[resource.key] = status
            self.written.append((resource.key, status))
        return not self.away

    async def notify(self, resource: Resource, notice: Notice) -> None:
        """As `KubernetesReporter.notify`, without correlating."""
        if not self.away:
            self.notices.append((resource.key, notice))
