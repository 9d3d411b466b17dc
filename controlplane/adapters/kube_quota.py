"""ResourceQuotas -> the most replicas that a namespace lets a variant have, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from controlplane.adapters.kube_json import Json, at, mapping, name_of, objects, quantities, strings, text, total
from controlplane.adapters.kube_resources import limits_of, pod_requests, pod_sum
from controlplane.adapters.kube_templates import Part

COUNTED = ("pods", "count/pods")
"""Resources of a quota that count Pods."""


def quota_limit(quotas: Sequence[Json], parts: Sequence[Part], current: int) -> tuple[int, str] | None:
    """The most replicas that the namespace's quotas allow, the `current` ones included, and the bound in words; None
    where no quota limits them.

    `current` are the replicas that the quotas' `status.used` counts already: those whose Pods are there. A quota bounds
    a variant only by what its Pods ask for; `count/` of other objects does not, since scaling makes Pods alone.
    """
    found = [bound for quota in quotas if _concerns(quota, parts) for bound in _bounds(quota, parts, current)]
    return min(found, default=None)


def _bounds(quota: Json, parts: Sequence[Part], current: int) -> list[tuple[int, str]]:
    # `status.hard` is what is enforced; a quota that nobody has reconciled yet has it in its spec alone.
    hard = quantities(at(quota, "status", "hard")) or quantities(at(quota, "spec", "hard"))
    used = quantities(at(quota, "status", "used"))
    bounds = []
    for name, need in _needs(parts).items():
        if name in hard and need > 0:
            taken = used.get(name, Decimal(0))
            more = max(int((hard[name] - taken) // need), 0)
            words = f"ResourceQuota {name_of(quota)}: {name} {taken:f} of {hard[name]:f} used"
            bounds.append((max(current, 0) + more, words))
    return bounds


def _needs(parts: Sequence[Part]) -> dict[str, Decimal]:
    """What one replica adds to a quota's counts, by the quota's names."""
    requests = _summed(parts, pod_requests)
    limits = _summed(parts, lambda spec: pod_sum(spec, limits_of))
    pods = Decimal(sum(part.pods for part in parts))
    return {
        **{name: requests[name] for name in ("cpu", "memory", "ephemeral-storage") if name in requests},
        **{f"requests.{name}": amount for name, amount in requests.items()},
        **{f"limits.{name}": amount for name, amount in limits.items()},
        **dict.fromkeys(COUNTED, pods),
    }


def _summed(parts: Sequence[Part], of: Callable[[Json], Mapping[str, Decimal]]) -> dict[str, Decimal]:
    return total({name: a * part.pods for name, a in of(mapping(part.template.get("spec"))).items()} for part in parts)


def _concerns(quota: Json, parts: Sequence[Part]) -> bool:
    """Whether all of a quota's scopes take in these Pods; one of a scope that is not known takes in none."""
    spec = mapping(quota.get("spec"))
    template = mapping(parts[0].template.get("spec")) if parts else {}
    if not all(_in_scope(scope, template) for scope in strings(spec.get("scopes"))):
        return False
    return all(_matches(e, template) for e in objects(at(spec, "scopeSelector", "matchExpressions")))


def _in_scope(scope: str, template: Json) -> bool:
    ends = template.get("activeDeadlineSeconds") is not None
    asks = bool(pod_requests(template)) or bool(pod_sum(template, limits_of))
    holds = {
        "Terminating": ends,
        "NotTerminating": not ends,
        "BestEffort": not asks,
        "NotBestEffort": asks,
        "PriorityClass": bool(text(template.get("priorityClassName"))),
        "CrossNamespacePodAffinity": _crosses_namespaces(template),
    }
    return holds.get(scope, False)


def _matches(expression: Json, template: Json) -> bool:
    scope, operator = text(expression.get("scopeName")), expression.get("operator")
    if scope != "PriorityClass" or operator == "Exists":
        return _in_scope(scope, template)
    name, values = text(template.get("priorityClassName")), strings(expression.get("values"))
    if operator == "In":
        return name in values
    if operator == "NotIn":
        return name not in values
    return operator == "DoesNotExist" and not name


def _crosses_namespaces(template: Json) -> bool:
    affinity = mapping(template.get("affinity"))
    terms = [
        mapping(term.get("podAffinityTerm")) or term
        for kind in ("podAffinity", "podAntiAffinity")
        for how in ("required", "preferred")
        for term in objects(at(affinity, kind, f"{how}DuringSchedulingIgnoredDuringExecution"))
    ]
    return any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms)
