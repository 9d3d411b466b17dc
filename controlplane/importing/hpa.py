"""A HorizontalPodAutoscaler (autoscaling/v2, and v1) -> a custom resource."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from controlplane.domain.json_object import FieldError, JsonObject
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

KIND = "HorizontalPodAutoscaler"
API_VERSIONS = ("autoscaling/v2", "autoscaling/v1")
IDLE_S = 300
"""HPA has no idle time of its own: it goes to 0 once its window for going down, 300 s by default, has agreed."""


def from_hpa(document: Mapping[str, object], choice: Choice) -> Imported:
    """The custom resource that does an HPA's work.

    Raises:
        FieldError: naming what cannot be read in it.
    """
    whole = JsonObject(KIND, document)
    if whole.text("kind") != KIND or whole.text("apiVersion") not in API_VERSIONS:
        found = f"{whole.text('apiVersion')} {whole.text('kind')}"
        raise FieldError(f"the document is {found}; allowed: {KIND} of {' or '.join(API_VERSIONS)}")
    metadata, spec = whole.child("metadata"), whole.child("spec")
    name = metadata.text("name") if metadata else None
    if metadata is None or spec is None or not name:
        raise FieldError(f"{KIND}: metadata.name or spec is absent")
    namespace = metadata.text("namespace") or "default"
    rules, notes = behavior(spec.child("behavior"))
    lowest, highest = replicas(spec, "minReplicas"), replicas(spec, "maxReplicas")
    scaling: Fields = {**target_ref(spec), **bounds(1 if lowest is None else lowest, highest or 0, f"{KIND} {name}")}
    if lowest == 0:
        scaling["scaleToZero"] = {"idleSeconds": IDLE_S}
        notes.append(
            f"scaleToZero: HPA goes to 0 when its metrics say so; Tidegate after {IDLE_S} s without a request."
        )
    if rules:
        scaling["behavior"] = rules
    notes = [*opening(KIND, name, namespace, choice), *_owner(metadata), *_metrics(spec), *notes]
    return Imported(resource(name, namespace, choice, scaling), tuple(notes))


def _owner(metadata: JsonObject) -> Iterator[str]:
    for item in metadata.items("ownerReferences"):
        owner = JsonObject.of("ownerReferences", item)
        if owner.text("kind") == "ScaledObject":
            name = owner.text("name")
            yield f"It belongs to ScaledObject {name}, which says more: use tidegate import scaledobject {name}."


def _metrics(spec: JsonObject) -> Iterator[str]:
    for item in spec.items("metrics"):
        metric = JsonObject.of("metrics", item)
        kind = metric.text("type") or "?"
        source = metric.child(kind[:1].lower() + kind[1:])
        yield f"metric {kind}{_described(source) if source else ''} is replaced by the SLO."
    if spec.has("targetCPUUtilizationPercentage"):
        yield f"targetCPUUtilizationPercentage {spec.number('targetCPUUtilizationPercentage')} is replaced by the SLO."


def _described(source: JsonObject) -> str:
    """A metric's name and its target; `source` is the field that is called as its type."""
    metric, target = source.child("metric"), source.child("target")
    name = source.text("name") or (metric.text("name") if metric else None) or ""
    container = source.text("container")
    asked = [(field, target.values[field]) for field in _TARGETS if target.has(field)] if target else []
    return (f" {name}" if name else "") + listed([("container", container), *asked])


_TARGETS = ("averageUtilization", "averageValue", "value")
