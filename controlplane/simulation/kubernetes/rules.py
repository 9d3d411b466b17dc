"""The CEL rules of a schema (`x-kubernetes-validations`), judged as an API server judges them.

Transition rules, those that read `oldSelf`, are left out; so is the cost of a rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

import cel

from controlplane.simulation.kubernetes.resources import Json

Cause = tuple[str, str, str]
RULES = "x-kubernetes-validations"
_FAILURES = (KeyError, TypeError, ValueError, RuntimeError, IndexError, ArithmeticError)
"""What CEL raises where a rule cannot be evaluated: an absent field, a wrong type, a division by zero."""


def broken_rules(schema: Json, value: Any, at: str) -> Iterator[Cause]:
    """(reason, field, message) of every rule that the value breaks, outer ones first."""
    if schema.get(RULES):
        self_ = _as_cel(schema, value)
        for rule in schema[RULES]:
            yield from _judged(rule, self_, at)
    if isinstance(value, dict):
        free = schema.get("additionalProperties")
        for key, inner in value.items():
            known = schema.get("properties", {}).get(key, free if isinstance(free, dict) else {})
            yield from broken_rules(known, inner, f"{at}.{key}" if at else key)
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from broken_rules(schema.get("items", {}), item, f"{at}[{place}]")


def _judged(rule: Json, self_: Any, at: str) -> Iterator[Cause]:
    field = at + rule.get("fieldPath", "") if at else rule.get("fieldPath", "").removeprefix(".")
    words = rule.get("message", "").strip() or f"failed rule: {rule['rule'].strip()}"
    try:
        program = _compiled(rule["rule"])
        if "oldSelf" in program.variables() or program.execute({"self": self_}) is True:
            return
        if "messageExpression" in rule:
            words = str(_compiled(rule["messageExpression"]).execute({"self": self_}))
    except _FAILURES as error:
        yield "FieldValueInvalid", at, f"Invalid value: {error} evaluating rule: {words}"
        return
    reason = rule.get("reason", "FieldValueInvalid")
    yield reason, field, f"{_PREFIXES.get(reason, _PREFIXES['FieldValueInvalid'])}: {words}"


_PREFIXES = {
    "FieldValueInvalid": "Invalid value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueRequired": "Required value",
    "FieldValueDuplicate": "Duplicate value",
}


@lru_cache(maxsize=1024)
def _compiled(rule: str) -> cel.Program:
    return cel.compile(rule)


def _as_cel(schema: Json, value: Any) -> Any:
    """The value in the types that a rule sees: a `number` is a double though it is written as 1, a date is a moment."""
    if isinstance(value, dict):
        free = schema.get("additionalProperties")
        properties = schema.get("properties", {})
        return {k: _as_cel(properties.get(k, free if isinstance(free, dict) else {}), v) for k, v in value.items()}
    if isinstance(value, list):
        return [_as_cel(schema.get("items", {}), item) for item in value]
    if schema.get("type") == "number" and isinstance(value, int):
        return float(value)
    if schema.get("format") == "date-time" and isinstance(value, str):
        return datetime.fromisoformat(value.upper())
    return value
