"""What each verb does to the store: one class, no HTTP."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from controlplane.simulation.kubernetes import errors, fields, schema
from controlplane.simulation.kubernetes.json_patch import json_patch
from controlplane.simulation.kubernetes.resources import Json, Registry, Resource, at_path, resource_of_crd
from controlplane.simulation.kubernetes.store import Store

APPLY, MERGE, STRATEGIC, JSON_PATCH = (
    "application/apply-patch+yaml",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/json-patch+json",
)
CRD_KIND = "CustomResourceDefinition"


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about. `name` is empty for a collection."""

    resource: Resource
    namespace: str
    name: str
    subresource: str


@dataclass(frozen=True, slots=True)
class Options:
    """A write's query parameters."""

    manager: str
    force: bool
    strict: bool


class Verbs:
    """Reads and writes as a real API server does them."""

    def __init__(self, store: Store, registry: Registry, now: Callable[[], str]) -> None:
        self._store = store
        self._registry = registry
        self._now = now

    def read(self, at: Target) -> Json:
        """GET of one object, or of its /scale or /status."""
        body = self._store.get(at.resource, at.namespace, at.name)
        return self._shown(at, body)

    def create(self, at: Target, body: Json, options: Options) -> Json:
        """POST to a collection."""
        body.setdefault("apiVersion", at.resource.group_version)
        body.setdefault("kind", at.resource.kind)
        self._check_kind(at, body)
        metadata = body.setdefault("metadata", {})
        if not metadata.get("name") and not metadata.get("generateName"):
            cause = ("FieldValueRequired", "metadata.name", "Required value: name or generateName is required")
            raise errors.invalid(at.resource.kind, at.resource.group, "", [cause])
        body = schema.admit(at.resource, body, options.strict)
        if at.resource.has_status and at.resource.schema is not None:
            body.pop("status", None)
        fields.record_update(None, body, options.manager, "", self._now())
        made = self._store.create(at.resource, at.namespace, body)
        return self._defined(at.resource, made)

    def update(self, at: Target, body: Json, options: Options) -> Json:
        """PUT of an object, its /scale or its /status."""
        live = self._store.get(at.resource, at.namespace, at.name)
        if at.subresource == "scale":
            return self._write_scale(at, live, body, options)
        self._check_kind(at, body)
        body.setdefault("metadata", {}).setdefault("namespace", live["metadata"].get("namespace", ""))
        return self._write(at, live, body, options)

    def patch(self, at: Target, patch: Any, media_type: str, options: Options) -> tuple[Json, bool]:
        """PATCH of an object, its /scale or its /status; the second value says whether it was created."""
        if media_type == APPLY:
            return self._apply(at, patch, options)
        if media_type not in (MERGE, STRATEGIC, JSON_PATCH):
            raise errors.unsupported_media_type(media_type, [JSON_PATCH, MERGE, APPLY])
        live = self._store.get(at.resource, at.namespace, at.name)
        before = self._scale(at, live) if at.subresource == "scale" else live
        wanted = json_patch(before, patch) if media_type == JSON_PATCH else fields.merge_patch(before, patch)
        if at.subresource == "scale":
            return self._write_scale(at, live, wanted, options), False
        # Without a version in the patch it holds for any. (One that a JSON patch has tested is the live one.)
        if media_type == JSON_PATCH or "resourceVersion" not in patch.get("metadata", {}):
            wanted["metadata"].pop("resourceVersion", None)
        return self._write(at, live, wanted, options), False

    def delete(self, at: Target) -> Json:
        """DELETE of one object."""
        gone = self._store.delete(at.resource, at.namespace, at.name)
        if at.resource.kind == CRD_KIND:
            self._registry.remove(resource_of_crd(gone))
        if at.resource.kind == "Pod":
            return gone
        group = {"group": at.resource.group} if at.resource.group else {}
        details = {"name": at.name, **group, "kind": at.resource.plural, "uid": gone["metadata"]["uid"]}
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}

    def _write(self, at: Target, live: Json, wanted: Json, options: Options) -> Json:
        """Keep `wanted`: of its status alone through /status, without its status elsewhere."""
        if (named := wanted["metadata"].get("name")) != at.name:
            raise errors.bad_request(
                f"the name of the object ({named or ''}) does not match the name on the URL ({at.name})"
            )
        merged = copy.deepcopy(wanted)
        if at.subresource == "status":
            merged = {**copy.deepcopy(live), "status": wanted.get("status", {})}
            merged["metadata"]["resourceVersion"] = wanted["metadata"].get("resourceVersion", "")
        elif at.resource.has_status and "status" in live:
            merged["status"] = copy.deepcopy(live["status"])
        elif at.resource.has_status:
            merged.pop("status", None)
        merged = schema.admit(at.resource, merged, options.strict)
        if _differs(live, merged):
            fields.record_update(live, merged, options.manager, at.subresource, self._now())
        else:
            merged["metadata"]["managedFields"] = live["metadata"].get("managedFields", [])
        return self._defined(at.resource, self._store.replace(at.resource, merged))

    def _apply(self, at: Target, applied: Json, options: Options) -> tuple[Json, bool]:
        self._check_kind(at, applied)
        live = self._store.find(at.resource, at.namespace, at.name)
        if at.subresource == "scale":
            if live is None:
                raise errors.not_found(at.resource, at.name)
            wanted = self._checked_replicas(at, applied)
            partial = {"apiVersion": live["apiVersion"], "kind": live["kind"], "spec": {"replicas": wanted}}
            merged = fields.apply(live, partial, options.manager, "scale", options.force, self._now())
            return self._scale(at, self._store.replace(at.resource, merged)), False
        checked = schema.admit(at.resource, applied, options.strict) if live is None else applied
        merged = fields.apply(live, checked, options.manager, at.subresource, options.force, self._now())
        if live is None:
            return self._defined(at.resource, self._store.create(at.resource, at.namespace, merged)), True
        merged = schema.admit(at.resource, merged, options.strict)
        if not _differs(live, merged):
            merged["metadata"]["managedFields"] = _keep_times(live, merged)
        return self._store.replace(at.resource, merged), False

    def _write_scale(self, at: Target, live: Json, scale: Json, options: Options) -> Json:
        wanted = self._checked_replicas(at, scale)
        given = scale.get("metadata", {}).get("resourceVersion")
        merged = copy.deepcopy(live)
        merged["metadata"]["resourceVersion"] = given or ""
        assert at.resource.scale is not None
        *parents, last = at.resource.scale[0].strip(".").split(".")
        place: Json = merged
        for part in parents:
            place = place.setdefault(part, {})
        place[last] = wanted
        fields.record_update(live, merged, options.manager, "scale", self._now())
        return self._scale(at, self._store.replace(at.resource, merged))

    @staticmethod
    def _checked_replicas(at: Target, scale: Json) -> int:
        replicas = scale.get("spec", {}).get("replicas", 0)
        if isinstance(replicas, bool) or not isinstance(replicas, int):
            words = f"Invalid value: {replicas!r}: spec.replicas must be an integer"
            raise errors.invalid("", "", "", [("FieldValueInvalid", "patch", words)])
        if replicas < 0:
            words = f"Invalid value: {replicas}: must be greater than or equal to 0"
            raise errors.invalid("Scale", "autoscaling", at.name, [("FieldValueInvalid", "spec.replicas", words)])
        return replicas

    def _shown(self, at: Target, body: Json) -> Json:
        if not at.subresource or at.subresource == "status":
            return body
        if at.subresource == "scale" and at.resource.scale:
            return self._scale(at, body)
        raise errors.no_such_path()

    @staticmethod
    def _scale(at: Target, body: Json) -> Json:
        assert at.resource.scale is not None
        replicas, current, selector_path = at.resource.scale
        kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        status: Json = {"replicas": at_path(body, current) or 0}
        selector = at_path(body, selector_path) if selector_path else None
        if isinstance(selector, dict):
            selector = _selector_text(selector)
        if selector:
            status["selector"] = selector
        return {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": {name: body["metadata"][name] for name in kept if name in body["metadata"]},
            "spec": {"replicas": at_path(body, replicas) or 0},
            "status": status,
        }

    def _defined(self, resource: Resource, body: Json) -> Json:
        """A CustomResourceDefinition is served from the moment that it is kept."""
        if resource.kind == CRD_KIND:
            self._registry.add(resource_of_crd(body))
            if "status" not in body:
                names = body["spec"]["names"]
                conditions = [{"type": t, "status": "True", "reason": r} for t, r in _ESTABLISHED]
                versions = [v["name"] for v in body["spec"]["versions"] if v.get("storage")]
                body["status"] = {"conditions": conditions, "acceptedNames": names, "storedVersions": versions}
                body = self._store.replace(resource, body)
        return body

    @staticmethod
    def _check_kind(at: Target, body: Json) -> None:
        kind = "Scale" if at.subresource == "scale" else at.resource.kind
        if body.get("kind") not in (None, kind):
            group = {"group": at.resource.group, "kind": at.resource.kind}
            message = f"{body.get('kind')} in version {body.get('apiVersion')!r} cannot be handled as a {kind}"
            raise errors.ApiError(400, "BadRequest", message, {} if not at.resource.group else {"causes": [group]})


_ESTABLISHED = (("NamesAccepted", "NoConflicts"), ("Established", "InitialNamesAccepted"))


def _selector_text(selector: Json) -> str:
    """A LabelSelector as `/scale` shows it."""
    terms = [f"{k}={v}" for k, v in sorted((selector.get("matchLabels") or {}).items())]
    for one in selector.get("matchExpressions") or ():
        key, values = one["key"], ",".join(sorted(one.get("values") or ()))
        forms = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})"}
        terms.append((forms | {"Exists": key, "DoesNotExist": f"!{key}"})[one["operator"]])
    return ",".join(terms)


def _differs(live: Json, wanted: Json) -> bool:
    return fields.leaves(live) != fields.leaves(wanted)


def _keep_times(live: Json, merged: Json) -> list[Any]:
    """An apply that changes nothing keeps the times of the entries that stay the same."""
    before = {_entry(e): e for e in live["metadata"].get("managedFields", ())}
    found = []
    for entry in merged["metadata"]["managedFields"]:
        old = before.get(_entry(entry))
        found.append(old if old and old["fieldsV1"] == entry["fieldsV1"] else entry)
    return found


def _entry(entry: Json) -> tuple[str, str, str]:
    return entry["manager"], entry["operation"], entry.get("subresource", "")
