"""Field ownership: `metadata.managedFields`, kept as a real API server keeps it, with lists taken as one value each.

https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from controlplane.simulation.kubernetes.errors import apply_conflict
from controlplane.simulation.kubernetes.resources import Json

Path = tuple[str, ...]
_SERVERS_OWN = (
    *("name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"),
    *("deletionTimestamp", "deletionGracePeriodSeconds", "generateName", "selfLink"),
)
_UNOWNED: tuple[Path, ...] = (*(("metadata", name) for name in _SERVERS_OWN), ("apiVersion",), ("kind",))
"""Fields that nobody owns: the server's own."""


def leaves(value: Json, at: Path = ()) -> dict[Path, Any]:
    """Leaf values by path; a list, or an empty object, is a leaf."""
    found: dict[Path, Any] = {}
    for key, inner in value.items():
        path = (*at, key)
        if path in _UNOWNED:
            continue
        if isinstance(inner, dict) and inner:
            found.update(leaves(inner, path))
        else:
            found[path] = inner
    return found


def _encode(paths: Iterable[Path]) -> Json:
    root: Json = {}
    for path in sorted(paths):
        node = root
        for part in path:
            node = node.setdefault(f"f:{part}", {})
    return root


def _decode(fields: Json, at: Path = ()) -> set[Path]:
    found: set[Path] = set()
    for key, inner in fields.items():
        path = (*at, key.removeprefix("f:"))
        found |= _decode(inner, path) if inner else {path}
    return found


class Owners:
    """Who owns which field of one object."""

    def __init__(self, body: Json) -> None:
        self._entries: dict[tuple[str, str, str], tuple[set[Path], Json]] = {}
        for entry in body.get("metadata", {}).get("managedFields", ()):
            key = (entry["manager"], entry["operation"], entry.get("subresource", ""))
            self._entries[key] = (_decode(entry["fieldsV1"]), entry)

    def took(
        self, manager: str, operation: str, subresource: str, paths: set[Path], api_version: str, now: str
    ) -> None:
        """`manager` wrote these: by an update the others lose them."""
        key = (manager, operation, subresource)
        kept = self._entries.get(key, (set(), {}))[0]
        owned = paths if operation == "Apply" else kept | paths
        entry: Json = {"manager": manager, "operation": operation, "apiVersion": api_version}
        if subresource != "scale":  # a real server keeps no time of what came through /scale
            entry["time"] = now
        entry |= {"fieldsType": "FieldsV1"} | ({"subresource": subresource} if subresource else {})
        self._entries[key] = (owned, entry)

    def lost(self, paths: set[Path], keeper: tuple[str, str, str]) -> None:
        """Everybody but `keeper` loses these."""
        self._entries = {
            key: (owned if key == keeper else owned - paths, entry) for key, (owned, entry) in self._entries.items()
        }

    def owned(self, key: tuple[str, str, str]) -> set[Path]:
        """The fields of one manager."""
        return self._entries.get(key, (set(), {}))[0]

    def others(self, key: tuple[str, str, str], path: Path) -> list[tuple[str, str, str]]:
        """Who else owns a field."""
        return [other for other, (owned, _) in self._entries.items() if other != key and path in owned]

    def written(self) -> list[Json]:
        """As `metadata.managedFields`."""
        return [{**entry, "fieldsV1": _encode(owned)} for owned, entry in self._entries.values() if owned]


def record_update(old: Json | None, new: Json, manager: str, subresource: str, now: str) -> None:
    """Note in `new` that `manager` changed what differs from `old`, by a create, update or patch."""
    before, after = leaves(old) if old else {}, leaves(new)
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    gone = set(before) - set(after)
    owners = Owners(old or {})
    key = (manager, "Update", subresource)
    owners.lost(changed | gone, key)
    if changed:
        owners.took(manager, "Update", subresource, changed, new["apiVersion"], now)
    new["metadata"]["managedFields"] = owners.written()


def apply(live: Json | None, applied: Json, manager: str, subresource: str, force: bool, now: str) -> Json:
    """Server-side apply: the object after it.

    Raises:
        ApiError: 409 where another manager owns a field whose value would change, and `force` is not set.
    """
    wanted = leaves(applied)
    if live is None:
        fresh = copy.deepcopy(applied)
        owners = Owners({})
        owners.took(manager, "Apply", subresource, set(wanted), applied["apiVersion"], now)
        fresh.setdefault("metadata", {})["managedFields"] = owners.written()
        return fresh
    key = (manager, "Apply", subresource)
    owners, current = Owners(live), leaves(live)
    contested = {p for p, value in wanted.items() if p in current and current[p] != value}
    causes = [(_owner(other, live), "." + ".".join(p)) for p in sorted(contested) for other in owners.others(key, p)]
    if causes and not force:
        raise apply_conflict(causes)
    merged = copy.deepcopy(live)
    for path in owners.owned(key) - set(wanted):
        if not owners.others(key, path):
            _remove(merged, path)
    for path, value in wanted.items():
        _set(merged, path, value)
    owners.lost(contested, key)
    owners.took(manager, "Apply", subresource, set(wanted), applied["apiVersion"], now)
    merged["metadata"]["managedFields"] = owners.written()
    return merged


def _owner(key: tuple[str, str, str], live: Json) -> str:
    manager, operation, subresource = key
    words = f'"{manager}"'
    if operation == "Update":
        words += f' with subresource "{subresource}"' if subresource else ""
        words += f" using {live['apiVersion']}"
    return words


def _set(body: Json, path: Path, value: Any) -> None:
    for part in path[:-1]:
        body = body.setdefault(part, {})
    body[path[-1]] = copy.deepcopy(value)


def _remove(body: Json, path: Path) -> None:
    for part in path[:-1]:
        if not isinstance(body.get(part), dict):
            return
        body = body[part]
    body.pop(path[-1], None)


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = copy.deepcopy(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result
