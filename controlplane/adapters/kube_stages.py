"""How long each part of a Pod's cold start took, from its conditions, its containers and its Events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from controlplane.adapters.kube_json import Json, at, condition, mapping, objects, text, unix_s, whole
from controlplane.adapters.kube_resources import GPU_RESOURCES, requests_of
from controlplane.domain.observation import ColdStartStages

SCHEDULED, PULLING, STARTED = "Scheduled", "Pulling", "Started"
"""Reasons of a Pod's Events in the order of its start."""
NODE_ASKED = {
    "TriggeredScaleUp": "a node was asked for",
    "Nominated": "a node was asked for",
    "NotTriggerScaleUp": "no node group can help",
}
"""What the Events of cluster-autoscaler and Karpenter mean to a Pod that has no node."""


def stages_of(pod: Json, events: Sequence[Json] = ()) -> ColdStartStages | None:
    """The stages of a Pod's start, as far as they are over; None where nothing is known.

    Conditions hold the time of their newest change alone. So a container that was restarted tells when it started only
    through its Event, and a Pod that lost Ready and got it again seems to have loaded for that long: whoever keeps
    stages keeps the first that each Pod showed.
    """
    status = mapping(pod.get("status"))
    created_s = unix_s(at(pod, "metadata", "creationTimestamp"))
    scheduled_s = _since(status, "PodScheduled") or first_s(events, SCHEDULED)
    started_s = _started_s(pod, status, events)
    stages = ColdStartStages(
        scheduled_s=_between(created_s, scheduled_s),
        pulled_s=_between(scheduled_s, started_s),
        loaded_s=_between(started_s, _since(status, "Ready")),
    )
    return None if stages == ColdStartStages() else stages


class PodEvents:
    """Events by the Pod that they are about."""

    def __init__(self, events: Iterable[Json] = ()) -> None:
        self._by_name: dict[str, list[Json]] = {}
        for event in events:
            if text(_about(event).get("kind")) in ("", "Pod"):
                self._by_name.setdefault(text(_about(event).get("name")), []).append(event)

    def of(self, pod: Json) -> list[Json]:
        """Those about this Pod: of its name and, where both say one, of its uid, since a StatefulSet's names come
        again."""
        uid = text(at(pod, "metadata", "uid"))
        named = self._by_name.get(text(at(pod, "metadata", "name")), [])
        return [event for event in named if not uid or text(_about(event).get("uid")) in ("", uid)]


def node_words(events: Iterable[Json]) -> str:
    """What the newest Event of a node autoscaler says; empty where there is none."""
    said = [(_last_s(event), text(event.get("reason"))) for event in events if text(event.get("reason")) in NODE_ASKED]
    return NODE_ASKED[max(said)[1]] if said else ""


def first_s(events: Iterable[Json], reason: str, field_path: str = "") -> float | None:
    """When an Event of that reason was first seen, unix seconds."""
    times = [
        _first_s(event)
        for event in events
        if event.get("reason") == reason and (not field_path or _path(event) in ("", field_path))
    ]
    return min((t for t in times if t is not None), default=None)


def engine_container(pod: Json) -> Json:
    """The container that serves: the one with GPUs, else the first."""
    containers = objects(at(pod, "spec", "containers"))
    with_gpus = [c for c in containers if any(name in requests_of(c) for name in GPU_RESOURCES)]
    return next(iter(with_gpus or containers), {})


def _started_s(pod: Json, status: Json, events: Sequence[Json]) -> float | None:
    name = text(engine_container(pod).get("name"))
    said = first_s(events, STARTED, f"spec.containers{{{name}}}")
    state = next((c for c in objects(status.get("containerStatuses")) if c.get("name") == name), {})
    if said is not None or whole(state.get("restartCount")):
        return said
    return unix_s(at(state, "state", "running", "startedAt"))


def _since(status: Json, kind: str) -> float | None:
    found = condition(status, kind)
    return unix_s(found.get("lastTransitionTime")) if found.get("status") == "True" else None


def _between(start_s: float | None, end_s: float | None) -> float | None:
    if start_s is None or end_s is None or end_s < start_s:
        return None
    return end_s - start_s


def _about(event: Json) -> Json:
    return mapping(event.get("involvedObject")) or mapping(event.get("regarding"))


def _path(event: Json) -> str:
    return text(_about(event).get("fieldPath"))


def _first_s(event: Json) -> float | None:
    names = ("firstTimestamp", "eventTime", "deprecatedFirstTimestamp")
    return next((s for s in (unix_s(event.get(name)) for name in names) if s is not None), None)


def _last_s(event: Json) -> float:
    series = unix_s(at(event, "series", "lastObservedTime"))
    return series or unix_s(event.get("lastTimestamp")) or _first_s(event) or 0.0
