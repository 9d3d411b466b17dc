"""A CustomResourceDefinition's fields as tables in Markdown: `tidegate crd --markdown`, and docs/custom-resource.md."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]


def reference(definition: Schema) -> str:
    """Every field of `spec` and `status`, and every rule, of the definition's storage version."""
    version = next(v for v in definition["spec"]["versions"] if v.get("storage"))
    root = version["schema"]["openAPIV3Schema"]["properties"]
    lines: list[str] = []
    for part in ("spec", "status"):
        lines += ["", f"### {part}", "", "| field | type | default | allowed | meaning |", "|---|---|---|---|---|"]
        lines += [_row(path, schema, required) for path, schema, required in _fields(root[part], "")]
    lines += ["", "### Rules", "", "| at | what must hold, in the words of the refusal |", "|---|---|"]
    lines += [f"| `{at}` | {rule['message']} |" for at, rule in _rules(root["spec"], "spec")]
    return "\n".join(lines[1:]) + "\n"


def _fields(schema: Schema, at: str) -> Iterator[tuple[str, Schema, bool]]:
    for name, inner in schema.get("properties", {}).items():
        path = f"{at}.{name}" if at else name
        yield path, inner, name in schema.get("required", ())
        below = inner.get("items", inner)
        yield from _fields(below, f"{path}[]" if "items" in inner else path)


def _row(path: str, schema: Schema, required: bool) -> str:
    default = f"`{json.dumps(schema['default'])}`" if "default" in schema and schema["default"] != {} else ""
    cells = (f"`{path}`", _type(schema), "required" if required else default, _allowed(schema), schema["description"])
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type(schema: Schema) -> str:
    kind = str(schema.get("type", "number or string"))
    if kind == "array":
        return f"list of {schema['items']['type']}s"
    if "additionalProperties" in schema:
        return f"map of {schema['additionalProperties']['type']}s"
    return f"{kind} ({schema['format']})" if schema.get("format") == "date-time" else kind


def _allowed(schema: Schema) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("pattern") and schema.get("type") == "string":
        return f"`{schema['pattern']}`"
    low, high = schema.get("minimum"), schema.get("maximum")
    above = "above" if schema.get("exclusiveMinimum") else "from"
    said = [f"{above} {low}"] if low is not None else []
    said += [f"up to {high}"] if high is not None else []
    if schema.get("type") == "array" and "maxItems" in schema:
        said.append(f"{schema.get('minItems', 0)} to {schema['maxItems']}")
    return " ".join(said)


def _rules(schema: Schema, at: str) -> Iterator[tuple[str, Schema]]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield at + rule.get("fieldPath", ""), rule
    for name, inner in schema.get("properties", {}).items():
        below = inner.get("items", inner)
        yield from _rules(below, f"{at}.{name}[]" if "items" in inner else f"{at}.{name}")
