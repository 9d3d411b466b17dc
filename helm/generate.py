"""Makes the chart's values.schema.json and README.md from the comments of values.yaml: `python helm/generate.py`.

A comment `# -- text` above a key describes it; `# @schema {...}` (YAML, after it) adds to what its default says of its
type. Objects are closed: a key that values.yaml does not have is refused.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parent / "tidegate"
KEY = re.compile(r"^(?P<indent> *)(?P<name>[A-Za-z]\w*):(?: |$)")
STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
OBJECTS = {"type": "array", "items": {"type": "object"}}
ANYTHING = {"type": "object"}
QUANTITIES = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}
BY_NAME: dict[str, dict[str, Any]] = {
    "annotations": STRINGS,
    "labels": STRINGS,
    "commonLabels": STRINGS,
    "serviceAccountAnnotations": STRINGS,
    "nodeSelector": STRINGS,
    "tolerations": OBJECTS,
    "affinity": ANYTHING,
    "topologySpreadConstraints": OBJECTS,
    "extraEnv": OBJECTS,
    "extraVolumes": OBJECTS,
    "extraVolumeMounts": OBJECTS,
    "runAsUser": {"type": ["integer", "null"], "minimum": 1},
    "resources": {"$ref": "#/definitions/resources"},
    "pod": {"$ref": "#/definitions/pod"},
}
"""Keys that mean the same wherever they are. What Kubernetes itself defines (affinity and its like) stays open: the
API server knows it better, and by its version."""
RESOURCES = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"requests": QUANTITIES, "limits": QUANTITIES, "claims": OBJECTS},
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of values.yaml: its dotted path, what its comment says, and its own part of the schema."""

    path: tuple[str, ...]
    text: str
    schema: dict[str, Any] | None


class CommentError(ValueError):
    """A comment of values.yaml that is missing or cannot be read; names the key."""


def entries(text: str) -> Iterator[Entry]:
    """The keys in order. Lines of a default that is written over several lines are not keys.

    Raises:
        CommentError: if an `@schema` is no YAML object.
    """
    path: list[str] = []
    words: list[str] = []
    schema: dict[str, Any] | None = None
    for line in text.splitlines():
        comment = line.strip()
        if comment.startswith("# @schema "):
            schema = _inline(comment.removeprefix("# @schema "))
        elif comment.startswith("# -- "):
            words = [comment.removeprefix("# -- ")]
        elif found := KEY.match(line):
            path = [*path[: len(found["indent"]) // 2], found["name"]]
            yield Entry(tuple(path), " ".join(words), schema)
            words, schema = [], None


def _inline(text: str) -> dict[str, Any]:
    loaded = yaml.safe_load(text)
    if not isinstance(loaded, dict):
        raise CommentError(f"@schema is {text!r}; allowed: a YAML object")
    return loaded


def schema_of(values: dict[str, Any], found: dict[tuple[str, ...], Entry]) -> dict[str, Any]:
    """The whole JSON schema, draft 7 (which every Helm reads)."""
    pod = _object(values["pod"], ("pod",), found)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart tidegate",
        "definitions": {"pod": pod, "resources": RESOURCES},
        **_object(values, (), found, {"global": {"type": "object", "description": "Of parent charts; not read."}}),
    }


def _object(
    values: dict[str, Any],
    at: tuple[str, ...],
    found: dict[tuple[str, ...], Entry],
    more: dict[str, Any] | None = None,
) -> dict[str, Any]:
    properties = {name: _value(value, (*at, name), found) for name, value in values.items()}
    return {"type": "object", "additionalProperties": False, "properties": {**properties, **(more or {})}}


def _value(value: Any, at: tuple[str, ...], found: dict[tuple[str, ...], Entry]) -> dict[str, Any]:
    entry = found[at]
    if at[-1] in BY_NAME:
        part = dict(BY_NAME[at[-1]])
    elif isinstance(value, dict) and value and entry.schema is None:
        return _object(value, at, found)
    else:
        part = {"type": _type(value), **(entry.schema or {})}
    if not entry.text and "$ref" not in part:
        raise CommentError(f"{'.'.join(at)} has no comment `# -- ...` above it")
    return part if "$ref" in part else {"description": entry.text, **part}


def _type(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names[type(value)]


def rows(values: Any, at: tuple[str, ...], found: dict[tuple[str, ...], Entry]) -> Iterator[str]:
    """Lines of the table of values: one for every key that has a description."""
    for name, value in values.items():
        entry = found[(*at, name)]
        if entry.text:
            default = json.dumps(value).replace("|", "\\|")
            words = entry.text.replace("|", "\\|")
            yield f"| `{'.'.join(entry.path)}` | `{default}` | {words} |"
        elif isinstance(value, dict):
            yield from rows(value, (*at, name), found)


README = """# The chart tidegate

{description}. Version {version}, for Kubernetes {kube}.

    helm install tidegate helm/tidegate --namespace tidegate --create-namespace \\
      --set image.repository=REGISTRY/tidegate \\
      --set postgres.existingSecret=tidegate-postgres --set broker.existingSecret=tidegate-broker

A trial, with a PostgreSQL and a Valkey of its own:

    helm install tidegate helm/tidegate --namespace tidegate --create-namespace \\
      --set image.repository=REGISTRY/tidegate \\
      --set postgres.bundled.enabled=true --set broker.bundled.enabled=true

Step by step, with going live, upgrades and removal: [docs/install.md](../../docs/install.md). The
CustomResourceDefinition is in `crds/`: Helm installs it once and never upgrades or removes it;
`tidegate crd | kubectl apply --server-side -f -` upgrades it.

## Values

A key that is not here is refused. This page and `values.schema.json` are made from `values.yaml` by
`python helm/generate.py`.

| key | default | |
|---|---|---|
{rows}
"""


def documents(chart: Path) -> dict[str, str]:
    """The two generated files of a chart, by name.

    Raises:
        CommentError: if a key has no comment.
    """
    text = (chart / "values.yaml").read_text(encoding="utf-8")
    about = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    values, found = yaml.safe_load(text), {entry.path: entry for entry in entries(text)}
    table = "\n".join(rows(values, (), found))
    page = README.format(
        description=about["description"], version=about["version"], kube=about["kubeVersion"], rows=table
    )
    return {"values.schema.json": json.dumps(schema_of(values, found), indent=2) + "\n", "README.md": page}


def main() -> int:
    """Write them; with `--check` only say whether they are as they would be written."""
    stale = [
        name for name, text in documents(CHART).items() if not (CHART / name).exists() or _read(CHART / name) != text
    ]
    if "--check" in sys.argv[1:]:
        print("\n".join(f"{name} is stale: run python helm/generate.py" for name in stale) or "up to date")
        return 1 if stale else 0
    for name, text in documents(CHART).items():
        (CHART / name).write_text(text, encoding="utf-8")
    return 0


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
