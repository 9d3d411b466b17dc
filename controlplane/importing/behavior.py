"""HPA's `behavior`, which ScaledObjects hold too -> the custom resource's."""

from __future__ import annotations

from controlplane.domain.json_object import FieldError, JsonObject
from controlplane.domain.manifest_base import MAX_REPLICAS, quantity
from controlplane.importing.imported import Fields

MAX_POLICIES = 16
HPA_DOWN = (
    "behavior.scaleDown: HPA's default is to wait 300 s; Tidegate's plan looks a cold start ahead and waits 60 s. "
    "Set stabilizationWindowSeconds and waitOutFalls to keep HPA's."
)


def behavior(given: JsonObject | None) -> tuple[Fields, list[str]]:
    """`behavior` as far as it was written, and notes. What was not is left to Tidegate's defaults.

    Raises:
        FieldError: if a field is of another type than HPA's.
    """
    found: Fields = {}
    notes: list[str] = []
    for direction in ("scaleUp", "scaleDown"):
        rules = given.child(direction) if given else None
        written = _rules(rules, f"behavior.{direction}", notes) if rules else {}
        if direction == "scaleDown" and "stabilizationWindowSeconds" not in written:
            notes.append(HPA_DOWN)
        if direction == "scaleDown" and "stabilizationWindowSeconds" in written:
            written["waitOutFalls"] = True  # HPA's window is kept to the letter
        if written:
            found[direction] = written
    return found, notes


def _rules(rules: JsonObject, where: str, notes: list[str]) -> Fields:
    found: Fields = {}
    if (window := rules.number("stabilizationWindowSeconds")) is not None:
        found["stabilizationWindowSeconds"] = int(min(window, 3600))
    if choice := rules.text("selectPolicy"):
        found["selectPolicy"] = _one_of(rules, "selectPolicy", choice, ("Max", "Min", "Disabled"))
    policies = [_policy(JsonObject.of(f"{rules.where}: policies", one)) for one in rules.items("policies")]
    if policies:
        found["policies"] = policies[:MAX_POLICIES]
    if len(policies) > MAX_POLICIES:
        notes.append(f"{where}.policies: only the first {MAX_POLICIES} of {len(policies)} were carried over.")
    tolerance = rules.values.get("tolerance")
    if tolerance is not None:
        _tolerance(found, str(tolerance), where, notes)
    return found


def _tolerance(found: Fields, text: str, where: str, notes: list[str]) -> None:
    """A quantity as it was written, unless it is above 1: then nothing would ever change."""
    try:
        usable = 0 <= quantity(text) <= 1
    except ValueError:
        usable = False
    if usable:
        found["tolerance"] = text
    else:
        notes.append(f"{where}.tolerance {text} was not carried over; allowed here: from 0 to 1.")


def _policy(policy: JsonObject) -> Fields:
    kind = _one_of(policy, "type", policy.text("type"), ("Pods", "Percent"))
    period = min(policy.needed_count("periodSeconds"), 1800)
    return {"type": kind, "value": min(policy.needed_count("value"), MAX_REPLICAS), "periodSeconds": period}


def _one_of(of: JsonObject, name: str, value: str | None, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise FieldError(f"{of.where}: {name} is {value!r}; allowed: {', '.join(allowed)}")
    return value
