"""What is kept of each object that is watched: what is read, and no more. Pure.

A Node of a busy cluster is 15 to 50 KB of JSON, most of it names of images; a Pod is 8 to 20 KB, most of it field
managers, environment and volumes. What stays is a tenth of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from controlplane.adapters.kube_http import Json

Trim = Callable[[Json], Json]

METADATA = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "labels",
    "annotations",
    "ownerReferences",
)
LARGE_ANNOTATIONS = ("kubectl.kubernetes.io/last-applied-configuration",)
CONTAINER = ("name", "image", "command", "args", "ports", "resources", "restartPolicy")
"""Of a container; its environment and volumes may hold secrets, and nothing here needs them."""
POD_SPEC = (
    "nodeName",
    "nodeSelector",
    "affinity",
    "tolerations",
    "schedulerName",
    "priority",
    "overhead",
    "resources",
    "resourceClaims",
    "readinessGates",
    "schedulingGates",
    "terminationGracePeriodSeconds",
)
POD_STATUS = ("phase", "reason", "message", "conditions", "podIP", "podIPs", "startTime", "nominatedNodeName")
CONTAINER_STATUS = ("name", "ready", "started", "restartCount", "state", "lastState")


def pod(body: Json) -> Json:
    """A Pod without environment, volumes, probes and field managers."""
    spec, status = body.get("spec") or {}, body.get("status") or {}
    kept = _head(body)
    kept["spec"] = _only(spec, POD_SPEC) | {
        name: [_only(c, CONTAINER) for c in spec[name]] for name in ("containers", "initContainers") if spec.get(name)
    }
    kept["status"] = _only(status, POD_STATUS) | {
        name: [_only(c, CONTAINER_STATUS) for c in status[name]]
        for name in ("containerStatuses", "initContainerStatuses")
        if status.get(name)
    }
    return kept


def node(body: Json) -> Json:
    """A Node without its images, addresses, volumes and annotations."""
    kept = _head(body)
    kept["metadata"].pop("annotations", None)
    kept["spec"] = _only(body.get("spec") or {}, ("unschedulable", "taints", "providerID"))
    status = body.get("status") or {}
    conditions = [_only(c, ("type", "status", "reason")) for c in status.get("conditions") or []]
    kept["status"] = _only(status, ("capacity", "allocatable")) | {"conditions": conditions}
    return kept


def workload(body: Json) -> Json:
    """A scalable object as it is, but of its field managers only those that own a replica count: who else writes it."""
    managers = [_manager(entry) for entry in body.get("metadata", {}).get("managedFields") or []]
    kept = _head(body) | {name: value for name, value in body.items() if name not in ("metadata", "kind", "apiVersion")}
    kept["metadata"]["managedFields"] = [entry for entry in managers if entry is not None]
    return kept


def event(body: Json) -> Json:
    """An Event without its words: what happened to whom, and when."""
    kept = _head(body)
    about = body.get("involvedObject") or {}
    kept["involvedObject"] = _only(about, ("kind", "namespace", "name", "uid"))
    return kept | _only(body, ("reason", "type", "count", "firstTimestamp", "lastTimestamp", "eventTime", "series"))


def plain(body: Json) -> Json:
    """Anything else: whole, without field managers and the copy of itself that `kubectl apply` leaves in it."""
    return _head(body) | {name: value for name, value in body.items() if name not in ("metadata", "kind", "apiVersion")}


def _head(body: Json) -> Json:
    metadata = _only(body.get("metadata") or {}, METADATA)
    if "annotations" in metadata:
        annotations = metadata["annotations"] or {}
        metadata["annotations"] = {k: v for k, v in annotations.items() if k not in LARGE_ANNOTATIONS}
    return _only(body, ("apiVersion", "kind")) | {"metadata": metadata}


def _manager(entry: Json) -> Json | None:
    """An entry of managedFields, narrowed to `spec.replicas`; None where it does not own that."""
    spec = (entry.get("fieldsV1") or {}).get("f:spec") or {}
    if "f:replicas" not in spec:
        return None
    return {**entry, "fieldsV1": {"f:spec": {"f:replicas": {}}}}


def _only(body: Json, names: Iterable[str]) -> Json:
    return {name: body[name] for name in names if name in body}
