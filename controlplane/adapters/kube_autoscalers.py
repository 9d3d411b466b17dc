"""HPAs and KEDA's ScaledObjects that scale the same object as a variant."""

from __future__ import annotations

from collections.abc import Sequence

from controlplane.adapters.kube_json import Json, at, labels, mapping, name_of, notes, owner_kinds, text, whole
from controlplane.domain.observation import Conflict, ConflictKind
from controlplane.domain.target import ScaleTargetRef

PAUSED = "autoscaling.keda.sh/paused"
PAUSED_AT = "autoscaling.keda.sh/paused-replicas"
KEDA_HPA_LABEL = "scaledobject.keda.sh/name"


def rival_autoscalers(
    namespace: str,
    variant: str,
    ref: ScaleTargetRef,
    hpas: Sequence[Json] = (),
    scaled_objects: Sequence[Json] = (),
) -> tuple[Conflict, ...]:
    """A conflict for each autoscaler in `namespace` whose `scaleTargetRef` is this object.

    An HPA that KEDA made is its ScaledObject's, which is named instead. Those that are paused, or that have no range to
    move in, are named too: they write the count as soon as somebody lets them.
    """
    made = [conflict for one in scaled_objects if (conflict := _scaled_object(one, namespace, variant, ref))]
    named = {conflict.name for conflict in made}
    for hpa in hpas:
        if not _points_at(hpa, namespace, ref):
            continue
        owner = owner_kinds(hpa).get("ScaledObject") or labels(hpa).get(KEDA_HPA_LABEL, "")
        if owner and owner not in named:
            made.append(Conflict(ConflictKind.SCALED_OBJECT, variant, owner, f"through HPA {name_of(hpa)}"))
            named.add(owner)
        elif not owner:
            made.append(Conflict(ConflictKind.HPA, variant, name_of(hpa), _hpa_words(hpa)))
    return tuple(made)


def _scaled_object(one: Json, namespace: str, variant: str, ref: ScaleTargetRef) -> Conflict | None:
    if not _points_at(one, namespace, ref):
        return None
    said = notes(one)
    words = _bounds(one, "minReplicaCount", "maxReplicaCount", 0, 100)
    if PAUSED_AT in said:
        words += f"; paused at {said[PAUSED_AT]}"
    elif said.get(PAUSED, "false").lower() == "true":
        words += "; paused"
    return Conflict(ConflictKind.SCALED_OBJECT, variant, name_of(one), words)


def _hpa_words(hpa: Json) -> str:
    words = _bounds(hpa, "minReplicas", "maxReplicas", 1, None)
    least, most = whole(at(hpa, "spec", "minReplicas")), whole(at(hpa, "spec", "maxReplicas"))
    return f"{words}: holds it there" if most is not None and (1 if least is None else least) == most else words


def _bounds(one: Json, least: str, most: str, low: int, high: int | None) -> str:
    spec = mapping(one.get("spec"))
    bounds = [whole(spec.get(least)), whole(spec.get(most))]
    shown = [low if bounds[0] is None else bounds[0], high if bounds[1] is None else bounds[1]]
    return f"{least} {shown[0]}, {most} {'not said' if shown[1] is None else shown[1]}"


def _points_at(one: Json, namespace: str, ref: ScaleTargetRef) -> bool:
    """Whether its `scaleTargetRef` names this object; versions of one API group are one. KEDA's defaults are a
    Deployment of apps/v1."""
    target = mapping(at(one, "spec", "scaleTargetRef"))
    kind = text(target.get("kind")) or "Deployment"
    group = _group(text(target.get("apiVersion"))) or ("apps" if kind in ("Deployment", "StatefulSet") else "")
    return at(one, "metadata", "namespace") == namespace and (group, kind, target.get("name")) == (
        _group(ref.api_version),
        ref.kind,
        ref.name,
    )


def _group(api_version: str) -> str:
    return api_version.partition("/")[0] if "/" in api_version else ""
