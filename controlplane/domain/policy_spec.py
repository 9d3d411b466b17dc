"""A policy of the API as the custom resources that it stands for, and what differs between two of its versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controlplane.domain.manifest import API_VERSION, KIND, POLICY_VERSION, ManifestError, target_from_manifest
from controlplane.domain.target import Mode, Target

Json = Mapping[str, Any]
"""A JSON object as it was given; what it means is told by the manifest's reader alone."""

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_MISSING = object()


@dataclass(frozen=True, slots=True)
class PathChange:
    """One field that differs. `before` or `after` is None where the field is absent."""

    path: str
    before: Any
    after: Any


def manifest(name: str, namespace: str, spec: Json, version_id: str | None = None, number: int = 0) -> dict[str, Any]:
    """The custom resource that a version stands for in one namespace.

    With `version_id` it is for the controller: marked as the version's, and Live where the spec does not say another
    mode, since the life cycle says when it decides.
    """
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    body = dict(spec)
    if version_id is not None:
        metadata |= {"generation": number, "annotations": {POLICY_VERSION: version_id}}
        if body.get("mode") is None:
            body["mode"] = Mode.LIVE.value
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": body}


def targets(name: str, namespaces: Sequence[str], spec: Json, version_id: str | None = None) -> tuple[Target, ...]:
    """The targets that a version makes, in the order of the namespaces.

    Raises:
        ManifestError: naming the field, the value and what is allowed.
    """
    for field, label in (("name", name), *((f"namespaces[{n}]", one) for n, one in enumerate(namespaces))):
        if not _LABEL.fullmatch(label):
            raise ManifestError(field, f"is {label!r}; allowed: a DNS label, as of an object in Kubernetes")
    if not namespaces:
        raise ManifestError("namespaces", "is empty; allowed: at least one namespace")
    if len(set(namespaces)) < len(namespaces):
        raise ManifestError("namespaces", f"is {list(namespaces)}; allowed: each namespace once")
    if any("\x00" in text for text in _texts(spec)):
        raise ManifestError("spec", "holds the character U+0000; allowed: text without it")
    return tuple(target_from_manifest(manifest(name, namespace, spec, version_id)) for namespace in namespaces)


def differences(before: Json, after: Json, path: str = "spec") -> list[PathChange]:
    """Every field that differs, by its path, e.g. `spec.variants[0].maxReplicas`."""
    return list(_differences(before, after, path))


def _differences(before: Any, after: Any, path: str) -> Iterator[PathChange]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from _differences(before.get(key, _MISSING), after.get(key, _MISSING), f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list):
        for place in range(max(len(before), len(after))):
            one, other = (side[place] if place < len(side) else _MISSING for side in (before, after))
            yield from _differences(one, other, f"{path}[{place}]")
    elif before != after or isinstance(before, bool) != isinstance(after, bool):
        yield PathChange(path, None if before is _MISSING else before, None if after is _MISSING else after)


def merge_patch(before: Json, after: Json) -> dict[str, Any]:
    """The JSON merge patch (RFC 7396) that makes `before` into `after`: lists whole, what is gone as null."""
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key, _MISSING)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            inner = merge_patch(old, value)
            if inner:
                patch[key] = inner
        elif value != old:
            patch[key] = value
    return patch


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
