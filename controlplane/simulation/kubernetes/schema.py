"""A custom resource against its definition: defaults, unknown fields, types and bounds. CEL rules are not evaluated."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from controlplane.simulation.kubernetes.errors import bad_request, invalid
from controlplane.simulation.kubernetes.resources import Json, Resource

Cause = tuple[str, str, str]
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}
_TOP = ("apiVersion", "kind", "metadata")


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
    if causes:
        raise invalid(resource.kind, resource.group, str(body.get("metadata", {}).get("name", "")), causes)
    return {**head, **rest}


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
        if key not in value and "default" in inner:
            value[key] = copy.deepcopy(inner["default"])
        if key in value:
            _default(inner, value[key])


def _check(schema: Json, value: Any, at: str) -> Iterator[Cause]:
    kind = schema.get("type")
    if value is None and schema.get("nullable"):
        return
    if schema.get("x-kubernetes-int-or-string"):
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


def _check_object(schema: Json, value: Json, at: str) -> Iterator[Cause]:
    for key in schema.get("required", ()):
        if key not in value:
            yield "FieldValueRequired", _join(at, key), "Required value"
    for key, inner in _properties(schema).items():
        if key in value:
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
    if isinstance(value, list) and len(value) < schema.get("minItems", 0):
        yield cause(f"should have at least {schema['minItems']} items")


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
