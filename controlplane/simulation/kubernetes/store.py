"""Objects, their versions, and the history that watches read."""

from __future__ import annotations

import asyncio
import copy
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from controlplane.simulation.kubernetes.errors import already_exists, bad_request, conflict, expired, not_found
from controlplane.simulation.kubernetes.resources import Json, Resource, at_path

HISTORY = 4000
"""Changes that a watch may still be told of: minutes of a busy fleet. A real server compacts after five minutes."""
Match = Callable[[Json], bool]


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a watch."""

    resource_version: int
    resource: Resource
    kind: str
    body: Json


class Store:
    """Everything that the server holds, in memory. Bodies are never handed out to be changed in place."""

    def __init__(self, now: Callable[[], str]) -> None:
        self._now = now
        self._objects: dict[tuple[str, str, str, str], Json] = {}
        self._history: deque[Change] = deque(maxlen=HISTORY)
        self._listeners: set[asyncio.Queue[Change | None]] = set()
        self._compacted = 0
        self.version = 1

    def get(self, resource: Resource, namespace: str, name: str) -> Json:
        """One object.

        Raises:
            ApiError: 404.
        """
        body = self._objects.get(_key(resource, namespace, name))
        if body is None:
            raise not_found(resource, name)
        return copy.deepcopy(body)

    def find(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """One object, or None."""
        return copy.deepcopy(self._objects.get(_key(resource, namespace, name)))

    def list(self, resource: Resource, namespace: str, match: Match) -> list[Json]:
        """Objects that match, by namespace and name; of every namespace where it is empty."""
        found = [
            body
            for (group, plural, space, _), body in sorted(self._objects.items())
            if (group, plural) == (resource.group, resource.plural) and namespace in ("", space) and match(body)
        ]
        return copy.deepcopy(found)

    def create(self, resource: Resource, namespace: str, body: Json) -> Json:
        """Keep a new object; the server's own fields are filled in.

        Raises:
            ApiError: 409 where there is one of that name.
        """
        metadata = body.setdefault("metadata", {})
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + uuid.uuid4().hex[:5]
        key = _key(resource, namespace, metadata["name"])
        if key in self._objects:
            raise already_exists(resource, metadata["name"])
        if resource.namespaced:
            metadata["namespace"] = namespace
        metadata["uid"] = str(uuid.uuid4())
        metadata.setdefault("creationTimestamp", self._now())
        if resource.counts_generations:
            metadata["generation"] = 1
        return self._keep(resource, key, body, "ADDED")

    def replace(self, resource: Resource, body: Json) -> Json:
        """Keep a new body of an object. A resourceVersion in it must be the object's.

        Raises:
            ApiError: 404, or 409 where the resourceVersion is stale.
        """
        metadata = body["metadata"]
        key = _key(resource, metadata.get("namespace", ""), metadata["name"])
        old = self._objects.get(key)
        if old is None:
            raise not_found(resource, metadata["name"])
        given = metadata.get("resourceVersion")
        if given and given != old["metadata"]["resourceVersion"]:
            raise conflict(resource, metadata["name"])
        for name in ("uid", "creationTimestamp", "generation"):
            if name in old["metadata"]:
                metadata[name] = old["metadata"][name]
        metadata["resourceVersion"] = old["metadata"]["resourceVersion"]
        if body == old:
            return copy.deepcopy(old)
        if resource.counts_generations and body.get("spec") != old.get("spec"):
            metadata["generation"] = old["metadata"].get("generation", 0) + 1
        return self._keep(resource, key, body, "MODIFIED")

    def delete(self, resource: Resource, namespace: str, name: str) -> Json:
        """Forget an object; returns its last body.

        Raises:
            ApiError: 404.
        """
        key = _key(resource, namespace, name)
        if key not in self._objects:
            raise not_found(resource, name)
        body = self._objects.pop(key)
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self._tell(Change(self.version, resource, "DELETED", body))
        return copy.deepcopy(body)

    def changes_since(self, resource: Resource, version: str) -> Iterator[Change]:
        """A resource's changes after a resourceVersion.

        Raises:
            ApiError: 410 where the history does not reach that far back, or ends before it; 400 for no number.
        """
        since = int(version) if version.isdecimal() else None
        if since is None:
            raise bad_request(f"resourceVersion: Invalid value: {version!r}: must be a non-negative integer")
        if since > self.version:
            # A version of before a restart: versions begin anew, so the client must list again. (A real server keeps
            # its versions and would answer 504 "Too large resource version".)
            raise expired(version, self.version)
        oldest = self._history[0].resource_version if len(self._history) == HISTORY else self._compacted
        if since < oldest - 1:
            raise expired(version, oldest)
        same = (resource.group, resource.plural)
        return iter(
            [c for c in self._history if c.resource_version > since and (c.resource.group, c.resource.plural) == same]
        )

    def compact(self) -> None:
        """Forget every change so far, as etcd does: watches of before now are answered 410."""
        self._history.clear()
        self._compacted = self.version + 1

    def listen(self) -> asyncio.Queue[Change | None]:
        """A queue of every change from now on; None is the end."""
        queue: asyncio.Queue[Change | None] = asyncio.Queue()
        self._listeners.add(queue)
        return queue

    def hang_up(self) -> None:
        """End every watch: the server stops."""
        for queue in self._listeners:
            queue.put_nowait(None)

    def leave(self, queue: asyncio.Queue[Change | None]) -> None:
        """Stop filling that queue."""
        self._listeners.discard(queue)

    def _keep(self, resource: Resource, key: tuple[str, str, str, str], body: Json, kind: str) -> Json:
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        body.setdefault("apiVersion", resource.group_version)
        body.setdefault("kind", resource.kind)
        self._objects[key] = copy.deepcopy(body)
        self._tell(Change(self.version, resource, kind, copy.deepcopy(body)))
        return body

    def _tell(self, change: Change) -> None:
        self._history.append(change)
        for queue in self._listeners:
            queue.put_nowait(change)


def _key(resource: Resource, namespace: str, name: str) -> tuple[str, str, str, str]:
    return resource.group, resource.plural, namespace if resource.namespaced else "", name


def selector(labels: str, fields: str) -> Match:
    """What `labelSelector` and `fieldSelector` ask for; equality, inequality, `in`, `notin` and existence of labels."""
    label_terms, field_terms = _terms(labels), _terms(fields)

    def match(body: Json) -> bool:
        owned = body["metadata"].get("labels") or {}
        if not all(_holds(term, owned.get) for term in label_terms):
            return False
        return all(_holds(term, lambda path: _text(at_path(body, path))) for term in field_terms)

    return match


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _terms(text: str) -> list[str]:
    """Split at commas that are not within parentheses."""
    terms, depth, current = [], 0, ""
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            terms.append(current)
            current = ""
        else:
            current += letter
    return [term.strip() for term in (*terms, current) if term.strip()]


def _holds(term: str, look: Callable[[str], str | None]) -> bool:
    for operator in ("!=", "==", "="):
        if operator in term:
            name, value = (part.strip() for part in term.split(operator, 1))
            return (look(name) == value) is (operator != "!=")
    for operator, wanted in ((" notin ", False), (" in ", True)):
        if operator in term:
            name, values = term.split(operator, 1)
            allowed = {v.strip() for v in values.strip().strip("()").split(",")}
            return (look(name.strip()) in allowed) is wanted
    return (look(term[1:].strip()) is None) if term.startswith("!") else look(term) is not None
