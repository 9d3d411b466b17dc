"""What a scalable object says of its replicas: GPU, width, how it is bought, role, model, what they are made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from controlplane.adapters.kube_accelerators import (
    ACCELERATOR_LABELS,
    CAPACITY_LABELS,
    accelerator_of,
    capacity_type_of,
)
from controlplane.adapters.kube_engine import model_in, role_in
from controlplane.adapters.kube_fit import selects
from controlplane.adapters.kube_json import Json, at, labels, mapping, objects, strings, text, texts
from controlplane.adapters.kube_resources import GPU_RESOURCES, gpus_of, requests_of, unclear_devices
from controlplane.adapters.kube_templates import Part, parts_of, replica_gpus
from controlplane.domain.discovered import Discovered
from controlplane.domain.target import CapacityType, Role

ROLE_LABELS = (
    "llm-d.ai/role",
    "nvidia.com/dynamo-sub-component-type",
    "nvidia.com/dynamo-component-type",
    "disaggregatedset.x-k8s.io/role",
    "rolebasedgroup.workloads.x-k8s.io/role",
    "kserve.io/component",
)
"""Labels that say a Pod's role: llm-d, Dynamo, LeaderWorkerSet's DisaggregatedSet, SGLang's RoleBasedGroup, KServe."""
ROLES = {
    "prefill": Role.PREFILL,
    "decode": Role.DECODE,
    "both": Role.BOTH,
    "prefill-decode": Role.BOTH,
    "decode-prefill": Role.BOTH,
}
"""Any other value (Dynamo's `worker` and `frontend`, llm-d's `encode`) says none of these."""
MODEL_LABELS = ("llm-d.ai/model", "nvidia.com/dynamo-model")
MOST_CHOICES = 16
"""A selector that allows more machines than this names no one accelerator."""
SERVING_FIELDS = ("image", "command", "args", "env", "envFrom", "resources")
"""What of a container makes its replicas other replicas; labels, annotations and probes do not."""
URI_SCHEMES = ("hf://", "huggingface://")


def discovered(workload: Json, nodes: Sequence[Json] = (), group: str = "") -> Discovered:
    """What the object's templates, and the nodes that they may be placed on, say of a variant.

    An accelerator is only named where all that the selectors allow is that one; GPUs where they are whole ones.
    """
    parts = parts_of(workload, group)
    gpu_parts = [part for part in parts if gpus_of(_spec(part))] or list(parts)
    unclear = any(unclear_devices(_spec(part)) for part in parts)
    asked = [chosen for part in gpu_parts for chosen in _choices(part.template)]
    there = [labels(node) for node in nodes if gpu_parts and _has_gpus(node) and selects(gpu_parts[0].template, node)]
    return Discovered(
        accelerator=_only(map(accelerator_of, asked)) or _only(map(accelerator_of, there)),
        gpus_per_replica=None if unclear else replica_gpus(parts) or None,
        capacity_type=_bought(asked) or _bought(there),
        role=role_of(workload, group),
    )


def model_of(workload: Json, group: str = "") -> str | None:
    """The model that the object serves, as its engine's arguments, its environment or KServe's fields name it."""
    for container in (c for part in parts_of(workload, group) for c in _serving(part)):
        if found := model_in(container):
            return found
    model = mapping(at(workload, "spec", "model")) or mapping(at(workload, "spec", "predictor", "model"))
    named = text(model.get("name")) or _from_uri(text(model.get("uri")) or text(model.get("storageUri")))
    return named or _labelled(workload, parts_of(workload, group), MODEL_LABELS) or None


def role_of(workload: Json, group: str = "") -> Role | None:
    """The role that labels give the object's Pods, or else the engine's own arguments."""
    parts = parts_of(workload, group)
    for name in ROLE_LABELS:
        if role := ROLES.get(_labelled(workload, parts, (name,)).lower()):
            return role
    if mapping(at(workload, "spec", "prefill")) and "model" in mapping(workload.get("spec")):
        return Role.PREFILL if group == "prefill" else Role.DECODE
    return next((role for part in parts for c in _serving(part) if (role := role_in(c))), None)


def template_of(workload: Json, group: str = "") -> str:
    """A hash of what the object's replicas are made from: image, command, arguments, environment and resources of the
    containers that serve, and the model. Empty where it has no template.

    `kubectl rollout restart`, other labels and another count leave it as it is; a new image or argument does not.
    """
    parts = parts_of(workload, group)
    if not parts:
        return ""
    made = [{"pods": part.pods, "containers": [_made(c) for c in _serving(part)]} for part in parts]
    whole = {"parts": made, "model": at(workload, "spec", "model")}
    return hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _made(container: Json) -> Json:
    made = {name: container[name] for name in SERVING_FIELDS if container.get(name)}
    if "env" in made:
        made["env"] = sorted(objects(made["env"]), key=lambda entry: text(entry.get("name")))
    return made


def _serving(part: Part) -> list[Json]:
    """The containers with GPUs; where none has any (DRA, processors), all."""
    containers = objects(_spec(part).get("containers"))
    return [c for c in containers if any(name in requests_of(c) for name in GPU_RESOURCES)] or containers


def _spec(part: Part) -> Json:
    return mapping(part.template.get("spec"))


def _labelled(workload: Json, parts: Iterable[Part], names: Iterable[str]) -> str:
    places = [*(labels(part.template) for part in parts), labels(workload)]
    return next((place[name] for name in names for place in places if place.get(name)), "")


def _choices(template: Json) -> list[dict[str, str]]:
    """Labels of machines that the template's selectors name; several where its affinity allows several."""
    spec = mapping(template.get("spec"))
    selector = {**texts(spec.get("nodeSelector"))}
    if own := labels(template).get(ACCELERATOR_LABELS[0]):
        selector.setdefault(ACCELERATOR_LABELS[0], own)
    required = mapping(at(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"))
    terms = objects(required.get("nodeSelectorTerms"))
    if not terms:
        return [selector] if selector else []
    return [{**choice, **selector} for term in terms for choice in _term_choices(term)][: MOST_CHOICES + 1]


def _term_choices(term: Json) -> list[dict[str, str]]:
    found: list[dict[str, str]] = [{}]
    for expression in objects(term.get("matchExpressions")):
        key, values = text(expression.get("key")), strings(expression.get("values"))
        if key in CAPACITY_LABELS and expression.get("operator") == "NotIn" and CAPACITY_LABELS[key][0] in values:
            found = [{**choice, key: "other"} for choice in found]
        elif expression.get("operator") == "In" and (key in ACCELERATOR_LABELS or key in CAPACITY_LABELS):
            found = [{**choice, key: value} for choice in found for value in values][: MOST_CHOICES + 1]
    return found


def _only(found: Iterable[str | None]) -> str | None:
    """The one accelerator that all choices name; None where they differ, or one of them names none."""
    names = set(found)
    return next(iter(names)) if len(names) == 1 else None


def _bought(choices: Iterable[Mapping[str, str]]) -> CapacityType | None:
    kinds = {capacity_type_of(choice) for choice in choices}
    return next(iter(kinds)) if len(kinds) == 1 else None


def _has_gpus(node: Json) -> bool:
    allocatable = mapping(at(node, "status", "allocatable"))
    return any(name in allocatable for name in GPU_RESOURCES) or accelerator_of(labels(node)) is not None


def _from_uri(uri: str) -> str:
    """The model of a Hugging Face URI; of any other store the last name of its path."""
    for scheme in URI_SCHEMES:
        if uri.startswith(scheme):
            return uri.removeprefix(scheme).partition(":")[0]
    return uri.rstrip("/").rpartition("/")[2]
