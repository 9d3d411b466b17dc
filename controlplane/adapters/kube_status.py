"""A `TargetStatus` as the custom resource's JSON, and back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from controlplane.adapters.kube_http import Json
from controlplane.domain.decision import Verdict
from controlplane.domain.status import Condition, ConditionStatus, ConditionType, TargetStatus, VariantStatus
from controlplane.domain.target import Mode

_Enum = TypeVar("_Enum", bound=StrEnum)


def status_json(status: TargetStatus) -> Json:
    """The whole status; what is not known is null, which a merge patch takes as "remove it"."""
    return {
        "observedGeneration": status.observed_generation,
        "mode": status.mode,
        "verdict": status.verdict,
        "reason": status.reason,
        "ready": status.ready,
        "desired": status.desired,
        "attainment": None if status.attainment is None else f"{status.attainment:.1%}",
        "lastTickTime": None if status.at_s is None else rfc3339(status.at_s),
        "variants": [_variant_json(variant) for variant in status.variants],
        "conditions": [_condition_json(condition) for condition in status.conditions],
    }


def status_from_json(body: object) -> TargetStatus | None:
    """What a resource's status says; None where it says nothing that Tidegate wrote. What cannot be read is left
    out: the next write mends it."""
    if not isinstance(body, Mapping) or not isinstance(body.get("conditions"), list):
        return None
    attainment = str(body.get("attainment") or "").removesuffix("%")
    return TargetStatus(
        observed_generation=_int(body.get("observedGeneration")) or 0,
        conditions=tuple(c for c in map(_condition, body["conditions"]) if c is not None),
        reason=str(body.get("reason") or ""),
        mode=_member(Mode, body.get("mode")),
        verdict=_member(Verdict, body.get("verdict")),
        ready=_int(body.get("ready")),
        desired=_int(body.get("desired")),
        attainment=float(attainment) / 100.0 if _is_number(attainment) else None,
        at_s=unix_s(body.get("lastTickTime")),
        variants=tuple(v for v in map(_variant, body.get("variants") or []) if v is not None),
    )


def rfc3339(at_s: float) -> str:
    """Unix seconds -> `2026-01-05T08:00:00Z`."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unix_s(timestamp: object) -> float | None:
    """RFC 3339 -> unix seconds; None for anything else."""
    try:
        return datetime.fromisoformat(str(timestamp)).timestamp()
    except ValueError:
        return None


def _variant_json(variant: VariantStatus) -> Json:
    until_s = variant.stocked_out_until_s
    known = {
        "name": variant.name,
        "ready": variant.ready,
        "pending": variant.pending,
        "desired": variant.desired,
        "stockedOutUntil": None if until_s is None else rfc3339(until_s),
        "routingWeight": variant.routing_weight,
    }
    # A list is replaced as a whole, so nothing of it need be removed by a null, which no schema would take.
    return {key: value for key, value in known.items() if value is not None}


def _condition_json(condition: Condition) -> Json:
    return {
        "type": condition.type,
        "status": condition.status,
        "observedGeneration": condition.observed_generation,
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": rfc3339(condition.changed_at_s),
    }


def _variant(body: object) -> VariantStatus | None:
    if not isinstance(body, Mapping) or not body.get("name"):
        return None
    return VariantStatus(
        name=str(body["name"]),
        ready=_int(body.get("ready")),
        pending=_int(body.get("pending")),
        desired=_int(body.get("desired")),
        stocked_out_until_s=unix_s(body.get("stockedOutUntil")),
        routing_weight=_int(body.get("routingWeight")),
    )


def _condition(body: object) -> Condition | None:
    if not isinstance(body, Mapping):
        return None
    kind, status = _member(ConditionType, body.get("type")), _member(ConditionStatus, body.get("status"))
    changed_s = unix_s(body.get("lastTransitionTime"))
    if kind is None or status is None or changed_s is None:
        return None
    reason, message = str(body.get("reason") or ""), str(body.get("message") or "")
    return Condition(kind, status, reason, message, _int(body.get("observedGeneration")) or 0, changed_s)


def _member(kind: type[_Enum], value: object) -> _Enum | None:
    return next((member for member in kind if member.value == value), None)


def _int(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()
