"""Whether a Pod of a template may be placed on a node: selectors, affinity, taints, cordons. As kube-scheduler says.

Not looked at: affinity between Pods, topology spread, zones of volumes. What they forbid shows as an unschedulable Pod.
"""

from __future__ import annotations

import re
from collections.abc import Container

from controlplane.adapters.kube_json import Json, at, condition, labels, mapping, name_of, objects, strings, text, texts
from controlplane.adapters.kube_resources import pod_requests

UNSCHEDULABLE_TAINT: Json = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
"""What a cordon means to the scheduler: a Pod that tolerates this taint may be placed all the same."""
_WHOLE = re.compile(r"[+-]?\d{1,18}")


def fits(template: Json, node: Json) -> bool:
    """Whether a Pod of this template may be placed on this node, apart from room."""
    return not why_not(template, node)


def why_not(template: Json, node: Json) -> str:
    """What keeps a Pod of this template off this node, apart from room, in words; empty where nothing does."""
    spec = mapping(template.get("spec"))
    if not selects(template, node):
        return "not selected"
    if not is_ready(node):
        return "not ready"
    requested = pod_requests(spec)
    for taint in taints_of(node):
        if not _is_tolerated(taint, spec, requested):
            cordoned = taint.get("key") == UNSCHEDULABLE_TAINT["key"]
            return "cordoned" if cordoned else f"taint {_taint_words(taint)}"
    return ""


def selects(template: Json, node: Json) -> bool:
    """Whether the template's node selector and required node affinity admit the node."""
    spec, said = mapping(template.get("spec")), labels(node)
    if any(said.get(name) != value for name, value in texts(spec.get("nodeSelector")).items()):
        return False
    required = mapping(at(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"))
    if not required:
        return True
    return any(_term(term, said, name_of(node)) for term in objects(required.get("nodeSelectorTerms")))


def is_ready(node: Json) -> bool:
    """Whether the node's kubelet reports; a node that says nothing of it is taken as ready."""
    ready = condition(mapping(node.get("status")), "Ready")
    return bool(ready.get("status", "True") == "True")


def is_cordoned(node: Json) -> bool:
    """Whether a person or a drain keeps new Pods off."""
    return at(node, "spec", "unschedulable") is True


def taints_of(node: Json) -> list[Json]:
    """The taints that keep Pods off, a cordon among them; those that only prefer otherwise are left out."""
    taints = [t for t in objects(at(node, "spec", "taints")) if t.get("effect") in ("NoSchedule", "NoExecute")]
    known = any(t.get("key") == UNSCHEDULABLE_TAINT["key"] for t in taints)
    return [*taints, UNSCHEDULABLE_TAINT] if is_cordoned(node) and not known else taints


def _is_tolerated(taint: Json, spec: Json, requested: Container[str]) -> bool:
    # GKE and AKS add a toleration of the resource's own name to every Pod that asks for it, after the template (the
    # ExtendedResourceToleration admission plugin); where that is off, the Pod says Unschedulable soon enough.
    if text(taint.get("key")) in requested:
        return True
    return any(_tolerates(toleration, taint) for toleration in objects(spec.get("tolerations")))


def _tolerates(toleration: Json, taint: Json) -> bool:
    if toleration.get("effect") and toleration.get("effect") != taint.get("effect"):
        return False
    key, operator = text(toleration.get("key")), text(toleration.get("operator")) or "Equal"
    if not key:
        return operator == "Exists"
    if key != taint.get("key"):
        return False
    return operator == "Exists" or (operator == "Equal" and text(toleration.get("value")) == text(taint.get("value")))


def _taint_words(taint: Json) -> str:
    value = f"={taint['value']}" if text(taint.get("value")) else ""
    return f"{text(taint.get('key'))}{value}:{text(taint.get('effect'))}"


def _term(term: Json, said: dict[str, str], name: str) -> bool:
    """Whether all of a term's expressions hold; a term without any holds nowhere."""
    by_label, by_field = objects(term.get("matchExpressions")), objects(term.get("matchFields"))
    if not by_label and not by_field:
        return False
    fields = {"metadata.name": name}
    return all(holds(e, said) for e in by_label) and all(holds(e, fields) for e in by_field)


def holds(expression: Json, said: dict[str, str]) -> bool:
    """Whether one requirement of a node selector holds for these labels. An operator not known holds nowhere."""
    key, operator, values = text(expression.get("key")), expression.get("operator"), strings(expression.get("values"))
    value = said.get(key)
    if operator == "In":
        return value in values
    if operator == "NotIn":
        return value not in values
    if operator == "Exists":
        return value is not None
    if operator == "DoesNotExist":
        return value is None
    return _compares(operator, value, values)


def _compares(operator: object, value: str | None, values: list[str]) -> bool:
    if value is None or len(values) != 1 or not _WHOLE.fullmatch(value) or not _WHOLE.fullmatch(values[0]):
        return False
    if operator == "Gt":
        return int(value) > int(values[0])
    return operator == "Lt" and int(value) < int(values[0])
