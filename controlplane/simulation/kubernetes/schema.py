"""A custom resource against its definition: defaults, unknown fields, types, bounds and CEL rules."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from controlplane.simulation.kubernetes.errors import bad_request, invalid
from controlplane.simulation.kubernetes.resources import Json, Resource
from controlplane.simulation.kubernetes.rules import Cause, broken_rules

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}
_TOP = ("apiVersion", "kind", "metadata")
_BLOCKING = {
    "FieldValueRequired",
    "FieldValueNotSupported",
    "FieldValueTypeInvalid",
    "FieldValueTooLong",
    "FieldValueTooMany",
}
"""Where one of these is found, rules are not reached: they might read what is not there."""
_NOT_REACHED = (
    "FieldValueInvalid",
    "<nil>",
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
)


def admit(resource: Resource, body: Json, strict: bool) -> Json:
    """The object with defaults filled in and unknown fields pruned.

    Raises:
        ApiError: 422 naming every field at fault, or 400 for unknown fields where `strict` is set.
    """
    if resource.kind == "Deployment":
        _check_deployment(body)
    if resource.schema is None:
        return body
    schema = {**resource.schema, "properties": {k: v for k, v in _properties(resource.schema).items() if k not in _TOP}}
    head = {key: value for key, value in body.items() if key in _TOP}
    rest = copy.deepcopy({key: value for key, value in body.items() if key not in _TOP})
    unknown = list(_prune(schema, rest, ""))
    if unknown and strict:
        listed = ", ".join(f'unknown field "{path}"' for path in unknown)
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f"strict decoding error: {listed}"
        )
    _default(schema, rest)
    causes = list(_check(schema, rest, ""))
    causes += _rule_causes(schema, rest, causes)
    if causes:
        raise invalid(resource.kind, resource.group, str(body.get("metadata", {}).get("name", "")), causes)
    return {**head, **rest}


def _rule_causes(schema: Json, value: Json, causes: Sequence[Cause]) -> list[Cause]:
    if not any(reason in _BLOCKING for reason, _, _ in causes):
        return list(broken_rules(schema, value, ""))
    return [_NOT_REACHED] if "x-kubernetes-validations" in json.dumps(schema) else []


def _check_deployment(body: Json) -> None:
    """The fields that the cluster itself reads; without them its Deployments could not be played."""
    spec = body.get("spec") or {}
    replicas = spec.get("replicas", 0)
    if isinstance(replicas, bool) or not isinstance(replicas, int):
        raise bad_request(
            'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal '
            f"{_type_name(replicas)} into Go struct field DeploymentSpec.spec.replicas of type int32"
        )
    causes: list[Cause] = []
    if replicas < 0:
        words = f"Invalid value: {replicas}: must be greater than or equal to 0"
        causes.append(("FieldValueInvalid", "spec.replicas", words))
    if not spec.get("selector"):
        causes.append(("FieldValueRequired", "spec.selector", "Required value"))
    if causes:
        raise invalid("Deployment", "apps", str(body.get("metadata", {}).get("name", "")), causes)


def _properties(schema: Json) -> Json:
    found = schema.get("properties", {})
    return found if isinstance(found, dict) else {}


def _prune(schema: Json, value: Any, at: str) -> Iterator[str]:
    """Take unknown fields out; yields their paths."""
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from _prune(schema.get("items", {}), item, f"{at}[{place}]")
    if not isinstance(value, dict) or schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    known, free = _properties(schema), schema.get("additionalProperties")
    for key in list(value):
        path = f"{at}.{key}" if at else key
        if key in known:
            yield from _prune(known[key], value[key], path)
        elif isinstance(free, dict):
            yield from _prune(free, value[key], path)
        elif not free:
            del value[key]
            yield path


def _default(schema: Json, value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _default(schema.get("items", {}), item)
    if not isinstance(value, dict):
        return
    for key, inner in _properties(schema).items():
        if value.get(key, ...) is None and not inner.get("nullable"):
            del value[key]
        if key not in value and "default" in inner:
            value[key] = copy.deepcopy(inner["default"])
        if key in value:
            _default(inner, value[key])


def _check(schema: Json, value: Any, at: str) -> Iterator[Cause]:
    kind = schema.get("type")
    if value is None and schema.get("nullable"):
        return
    if schema.get("x-kubernetes-int-or-string") and not (_is("integer", value) or _is("string", value)):
        found = _type_name(value)
        words = f'Invalid value: "{found}": {at} in body must be of type integer,string: "{found}"'
        yield "FieldValueTypeInvalid", at, words
        return
    if kind and not _is(kind, value):
        found = _type_name(value)
        yield "FieldValueTypeInvalid", at, f'Invalid value: "{found}": {at} in body must be of type {kind}: "{found}"'
        return
    yield from _bounds(schema, value, at)
    if isinstance(value, dict):
        yield from _check_object(schema, value, at)
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from _check(schema.get("items", {}), item, f"{at}[{place}]")
        yield from _duplicates(schema, value, at)


def _duplicates(schema: Json, items: Sequence[Any], at: str) -> Iterator[Cause]:
    """Items of a list that is a map whose keys are there already."""
    seen = []
    for place, item in enumerate(items if schema.get("x-kubernetes-list-type") == "map" else ()):
        if not isinstance(item, dict):
            continue
        key = {name: item[name] for name in schema["x-kubernetes-list-map-keys"] if name in item}
        if key in seen:
            shown = json.dumps(key, separators=(",", ":"))
            yield "FieldValueDuplicate", f"{at}[{place}]", f"Duplicate value: {shown}"
        seen.append(key)


def _check_object(schema: Json, value: Json, at: str) -> Iterator[Cause]:
    for key in schema.get("required", ()):
        if key not in value:
            yield "FieldValueRequired", _join(at, key), "Required value"
    free = schema.get("additionalProperties")
    for key in value:
        inner = _properties(schema).get(key, free)
        if isinstance(inner, dict):
            yield from _check(inner, value[key], _join(at, key))


def _bounds(schema: Json, value: Any, at: str) -> Iterator[Cause]:
    def cause(words: str) -> Cause:
        return "FieldValueInvalid", at, f"Invalid value: {_shown(value)}: {at} in body {words}"

    if "enum" in schema and value not in schema["enum"]:
        allowed = ", ".join(f'"{v}"' for v in schema["enum"])
        yield "FieldValueNotSupported", at, f"Unsupported value: {_shown(value)}: supported values: {allowed}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if "minimum" in schema and value < schema["minimum"]:
            yield cause(f"should be greater than or equal to {schema['minimum']}")
        if "maximum" in schema and value > schema["maximum"]:
            yield cause(f"should be less than or equal to {schema['maximum']}")
        if schema.get("exclusiveMinimum") is True and value == schema.get("minimum"):
            yield cause(f"should be greater than {schema['minimum']}")
    if isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield cause(f"should match '{schema['pattern']}'")
        if len(value) < schema.get("minLength", 0):
            yield cause(f"should be at least {schema['minLength']} chars long")
        if len(value) > schema.get("maxLength", len(value)):
            yield "FieldValueTooLong", at, f"Too long: may not be more than {schema['maxLength']} bytes"
        if schema.get("format") == "date-time" and not _is_moment(value):
            words = f'Invalid value: "{value}": {at} in body must be of type date-time: "{value}"'
            yield "FieldValueTypeInvalid", at, words
    if isinstance(value, list) and len(value) < schema.get("minItems", 0):
        yield cause(f"should have at least {schema['minItems']} items")
    for kind, limit in ((list, "maxItems"), (dict, "maxProperties")):
        if isinstance(value, kind) and len(value) > schema.get(limit, len(value)):
            yield "FieldValueTooMany", at, f"Too many: {len(value)}: must have at most {schema[limit]} items"


_MOMENT = re.compile(r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$")


def _is_moment(text: str) -> bool:
    """Whether it is RFC 3339, with its offset."""
    try:
        datetime.fromisoformat(text.upper())
    except ValueError:
        return False
    return bool(_MOMENT.match(text))


def _is(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])


def _type_name(value: Any) -> str:
    if value is None:
        return "null"
    return next(name for name in ("boolean", "integer", "number", "string", "array", "object") if _is(name, value))


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _join(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key
