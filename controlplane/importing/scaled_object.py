"""A KEDA ScaledObject (keda.sh/v1alpha1) -> a custom resource: its cron triggers become schedules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from controlplane.domain.json_object import FieldError, JsonObject
from controlplane.domain.manifest_base import MAX_REPLICAS
from controlplane.domain.manifest_parts import cron_problem, zone_problem
from controlplane.importing.behavior import behavior
from controlplane.importing.imported import (
    Choice,
    Fields,
    Imported,
    bounds,
    listed,
    opening,
    replicas,
    resource,
    target_ref,
)

KIND = "ScaledObject"
API_VERSION = "keda.sh/v1alpha1"
DEFAULT_MAX, DEFAULT_COOLDOWN_S = 100, 300
"""KEDA's defaults of maxReplicaCount and cooldownPeriod; minReplicaCount's is 0."""
MAX_SCHEDULES = 64
PAUSED = "autoscaling.keda.sh/paused"
SHOWN = ("metricName", "query", "threshold", "value")
"""What notes show of a trigger. Its other metadata may hold passwords."""


def from_scaled_object(document: Mapping[str, object], choice: Choice) -> Imported:
    """The custom resource that does a ScaledObject's work.

    Raises:
        FieldError: naming what cannot be read in it.
    """
    whole = JsonObject(KIND, document)
    if whole.text("kind") != KIND or whole.text("apiVersion") != API_VERSION:
        found = f"{whole.text('apiVersion')} {whole.text('kind')}"
        raise FieldError(f"the document is {found}; allowed: {KIND} of {API_VERSION}")
    metadata, spec = whole.child("metadata"), whole.child("spec")
    name = metadata.text("name") if metadata else None
    if metadata is None or spec is None or not name:
        raise FieldError(f"{KIND}: metadata.name or spec is absent")
    notes = opening(KIND, name, namespace := metadata.text("namespace") or "default", choice)
    scaling: Fields = {**target_ref(spec), **_replicas(spec, f"{KIND} {name}", notes)}
    schedules = _schedules(spec, replicas(spec, "maxReplicaCount"), notes)
    if schedules:
        scaling["schedules"] = schedules
    annotations = metadata.child("annotations")
    if rules := _behavior(spec, annotations, notes):
        scaling["behavior"] = rules
    if overrides := list(_overrides(annotations)):
        scaling["overrides"] = overrides
    notes += _left_out(spec)
    return Imported(resource(name, namespace, choice, scaling), tuple(notes))


def _replicas(spec: JsonObject, where: str, notes: list[str]) -> Fields:
    """Bounds, and when the last replica goes."""
    lowest, highest = replicas(spec, "minReplicaCount") or 0, replicas(spec, "maxReplicaCount")
    idle = replicas(spec, "idleReplicaCount")
    if idle is not None and idle < lowest:
        notes.append(
            f"idleReplicaCount {idle}, minReplicaCount {lowest}: the floor of {lowest} while there is load was not "
            "carried over; the SLO says how many there are then."
        )
        lowest = idle
    found = bounds(lowest, DEFAULT_MAX if highest is None else highest, where)
    if lowest == 0:
        cooldown_s = spec.number("cooldownPeriod")
        idle_s = DEFAULT_COOLDOWN_S if cooldown_s is None else min(max(int(cooldown_s), 1), 604_800)
        found["scaleToZero"] = {"idleSeconds": idle_s}
    return found


def _schedules(spec: JsonObject, highest: int | None, notes: list[str]) -> list[Fields]:
    """Cron triggers; the others are noted."""
    found: list[Fields] = []
    for place, item in enumerate(spec.items("triggers")):
        trigger = JsonObject.of(f"triggers[{place}]", item)
        kind, metadata = trigger.text("type") or "?", trigger.child("metadata")
        if kind != "cron" or metadata is None:
            shown = [(field, metadata.values.get(field)) for field in SHOWN] if metadata else []
            notes.append(f"KEDA trigger {kind}{listed(shown)} is replaced by the SLO.")
            continue
        name = _free_name(trigger.text("name") or f"cron-{place}", [str(one["name"]) for one in found])
        schedule = _schedule(name, metadata, DEFAULT_MAX if highest is None else highest, notes)
        if len(found) == MAX_SCHEDULES:
            notes.append(f"KEDA trigger cron {name} was not carried over: there are {MAX_SCHEDULES} schedules already.")
        elif schedule is not None:
            found.append(schedule)
    return found


def _schedule(name: str, metadata: JsonObject, highest: int, notes: list[str]) -> Fields | None:
    """One window, with KEDA's desiredReplicas as its floor; None, and a note, where it cannot be used."""
    said = [str(metadata.values.get(field, "")) for field in ("start", "end", "timezone", "desiredReplicas")]
    start, end, zone, asked = (" ".join(words.split()) for words in said)
    problems = [f"{field} {text!r} {cron_problem(text)}" for field, text in (("start", start), ("end", end))]
    wrong = [words for words, text in zip(problems, (start, end), strict=True) if not _is_cron(text)]
    wrong += [f"timezone {zone!r} {zone_problem(zone)}"] if zone_problem(zone) else []
    wrong += [] if asked.isdecimal() and asked.isascii() else [f"desiredReplicas {asked!r} is no number of replicas"]
    wrong += ["start and end are the same"] if start == end else []
    if wrong:
        notes.append(f"KEDA trigger cron {name} was not carried over: {'; '.join(wrong)}.")
        return None
    floor = min(int(asked), MAX_REPLICAS)
    if floor > highest:
        notes.append(f"KEDA trigger cron {name} asks for {floor} replicas, which maxReplicas {highest} cuts.")
    return {"name": name, "start": start, "end": end, "timeZone": zone, "minReplicas": min(floor, highest)}


def _is_cron(text: str) -> bool:
    """Five fields alone: cronsim knows six too, of which KEDA's first would be the minute, not the second."""
    return len(text.split()) == 5 and len(text) <= 200 and cron_problem(text) is None


def _free_name(wanted: str, taken: list[str]) -> str:
    """A DNS label like it that is not taken."""
    label = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-")[:50].strip("-") or "cron"
    number = 1
    name = label
    while name in taken:
        number += 1
        name = f"{label}-{number}"
    return name


def _behavior(spec: JsonObject, annotations: JsonObject | None, notes: list[str]) -> Fields:
    advanced = spec.child("advanced")
    config = advanced.child("horizontalPodAutoscalerConfig") if advanced else None
    found, said = behavior(config.child("behavior") if config else None)
    notes += said
    for direction, annotation in (("scaleDown", f"{PAUSED}-scale-in"), ("scaleUp", f"{PAUSED}-scale-out")):
        if annotations and annotations.text(annotation) == "true":
            rules = found.get(direction)
            found[direction] = {**(rules if isinstance(rules, dict) else {}), "selectPolicy": "Disabled"}
    return found


def _overrides(annotations: JsonObject | None) -> Iterator[Fields]:
    """KEDA pauses by annotation."""
    if annotations is None:
        return
    pinned = annotations.text(f"{PAUSED}-replicas") or ""
    if pinned.isdecimal() and pinned.isascii():
        reason = f"{PAUSED}-replicas of the ScaledObject"
        yield {"kind": "Pin", "replicas": min(int(pinned), MAX_REPLICAS), "reason": reason}
    elif annotations.text(PAUSED) == "true":
        yield {"kind": "Pause", "reason": f"{PAUSED} of the ScaledObject"}


def _left_out(spec: JsonObject) -> Iterator[str]:
    advanced = spec.child("advanced")
    reasons = {
        "pollingInterval": "Tidegate decides every intervalSeconds",
        "initialCooldownPeriod": "a replica that is still starting is never idle here",
        "fallback": "without metrics Tidegate leaves the count as it is",
    }
    for field, reason in reasons.items():
        if spec.has(field):
            yield f"{field} was not carried over: {reason}."
    if advanced and advanced.has("scalingModifiers"):
        yield "advanced.scalingModifiers was not carried over: the SLO takes the place of its formula."
    if advanced and advanced.flag("restoreToOriginalReplicaCount"):
        yield "advanced.restoreToOriginalReplicaCount was not carried over: replicas stay where Tidegate leaves them."
