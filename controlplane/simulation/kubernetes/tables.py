"""`kubectl get`: objects as a `Table`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from controlplane.simulation.kubernetes.resources import Column, Json, Resource, at_path

Cells = Callable[[Json, float], list[object]]


def table(resource: Resource, items: list[Json], version: str, now_s: float) -> Json:
    """The Table of a list; ages are as of `now_s`."""
    columns, cells = _shape(resource)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": [
            {
                "name": c.name,
                "type": c.kind if c.kind != "date" else "date",
                "format": "name" if c.name == "Name" else "",
                "description": c.name,
                "priority": int(c.wide),
            }
            for c in columns
        ],
        "rows": [{"cells": cells(item, now_s), "object": _partial(item)} for item in items],
    }


def _partial(item: Json) -> Json:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}


def _shape(resource: Resource) -> tuple[list[Column], Cells]:
    if resource.kind in _BUILT_IN:
        return _BUILT_IN[resource.kind]
    own = list(resource.columns) or [Column("Age", ".metadata.creationTimestamp", "date")]

    def cells(item: Json, now_s: float) -> list[object]:
        return [item["metadata"]["name"], *(_cell(item, column, now_s) for column in own)]

    return [Column("Name", ".metadata.name"), *own], cells


def _cell(item: Json, column: Column, now_s: float) -> object:
    value = at_path(item, column.path)
    if column.kind == "date" and isinstance(value, str):
        return _age(value, now_s)
    return value


def _age(timestamp: str, now_s: float) -> str:
    """Kubernetes' duration.HumanDuration, in short."""
    seconds = max(0, int(now_s - datetime.fromisoformat(timestamp).timestamp()))
    if seconds < 120:
        return f"{seconds}s"
    if seconds < 7200:
        minutes, rest = divmod(seconds, 60)
        return f"{minutes}m{rest}s" if minutes < 10 and rest else f"{minutes}m"
    if seconds < 172_800:
        hours, rest = divmod(seconds // 60, 60)
        return f"{hours}h{rest}m" if hours < 8 and rest else f"{hours}h"
    return f"{seconds // 86_400}d"


def _named(*names: str) -> list[Column]:
    return [Column(name, "") for name in ("Name", *names)]


def _created(item: Json, now_s: float) -> str:
    return _age(item["metadata"]["creationTimestamp"], now_s)


def _deployment(item: Json, now_s: float) -> list[object]:
    status = item.get("status", {})
    wanted = item.get("spec", {}).get("replicas", 0)
    ready = f"{status.get('readyReplicas', 0)}/{wanted}"
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    return [item["metadata"]["name"], ready, updated, available, _created(item, now_s)]


def _pod(item: Json, now_s: float) -> list[object]:
    status = item.get("status", {})
    containers = status.get("containerStatuses") or []
    total = len(item.get("spec", {}).get("containers", ()))
    ready = sum(1 for c in containers if c.get("ready"))
    waiting = next((w["reason"] for c in containers if (w := c.get("state", {}).get("waiting"))), None)
    word = "Terminating" if item["metadata"].get("deletionTimestamp") else waiting or status.get("phase", "Unknown")
    node = item.get("spec", {}).get("nodeName", "<none>")
    return [item["metadata"]["name"], f"{ready}/{total}", word, 0, _created(item, now_s), node]


def _node(item: Json, now_s: float) -> list[object]:
    accelerator = item["metadata"].get("labels", {}).get("tidegate.io/accelerator", "")
    gpus = item.get("status", {}).get("allocatable", {}).get("nvidia.com/gpu", "0")
    return [item["metadata"]["name"], "Ready", accelerator, gpus, _created(item, now_s)]


def _event(item: Json, now_s: float) -> list[object]:
    involved = item.get("involvedObject", {})
    seen = item.get("lastTimestamp") or item["metadata"]["creationTimestamp"]
    about = f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}"
    return [_age(seen, now_s), item.get("type", ""), item.get("reason", ""), about, item.get("message", "")]


_BUILT_IN: dict[str, tuple[list[Column], Cells]] = {
    "Deployment": (_named("Ready", "Up-to-date", "Available", "Age"), _deployment),
    "Pod": ([*_named("Ready", "Status", "Restarts", "Age"), Column("Node", "", wide=True)], _pod),
    "Node": (_named("Status", "Accelerator", "GPUs", "Age"), _node),
    "Event": ([Column(name, "") for name in ("Last Seen", "Type", "Reason", "Object", "Message")], _event),
}
