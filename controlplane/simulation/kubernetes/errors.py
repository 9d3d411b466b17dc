"""Refusals as a real API server words them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from controlplane.simulation.kubernetes.resources import Json, Resource


@dataclass(slots=True)
class ApiError(Exception):
    """A `Status` of kind Failure."""

    code: int
    reason: str
    message: str
    details: Json = field(default_factory=dict)

    def status(self) -> Json:
        """The object that is sent."""
        body: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self.details:
            body["details"] = self.details
        return {**body, "code": self.code}


def _named(resource: Resource, name: str) -> Json:
    group = {"group": resource.group} if resource.group else {}
    return {"name": name, **group, "kind": resource.plural}


def not_found(resource: Resource, name: str) -> ApiError:
    """404 for one object."""
    return ApiError(404, "NotFound", f'{resource.qualified} "{name}" not found', _named(resource, name))


def no_such_path() -> ApiError:
    """404 for a path that the server does not know."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def already_exists(resource: Resource, name: str) -> ApiError:
    """409 on create."""
    return ApiError(409, "AlreadyExists", f'{resource.qualified} "{name}" already exists', _named(resource, name))


def conflict(resource: Resource, name: str) -> ApiError:
    """409 for a stale resourceVersion."""
    message = (
        f'Operation cannot be fulfilled on {resource.qualified} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    return ApiError(409, "Conflict", message, _named(resource, name))


def apply_conflict(causes: Sequence[tuple[str, str]]) -> ApiError:
    """409 for a server-side apply; `causes` are (owner in words, field path)."""
    count = len(causes)
    by_owner: dict[str, list[str]] = {}
    for owner, path in causes:
        by_owner.setdefault(owner, []).append(path)
    if count == 1:
        listed = f"conflict with {causes[0][0]}: {causes[0][1]}"
    else:
        parts = [f"conflicts with {owner}:\n- " + "\n- ".join(paths) for owner, paths in by_owner.items()]
        listed = "\n".join(parts)
    message = f"Apply failed with {count} conflict{'s' if count > 1 else ''}: {listed}"
    details = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {owner}", "field": path} for owner, path in causes
    ]
    return ApiError(409, "Conflict", message, {"causes": details})


def invalid(kind: str, group: str, name: str, causes: Sequence[tuple[str, str, str]]) -> ApiError:
    """422; `causes` are (reason, field, message)."""
    listed = [f"{path}: {message}" for _, path, message in causes]
    joined = listed[0] if len(listed) == 1 else "[" + ", ".join(listed) + "]"
    qualified = f"{kind}.{group}" if group else kind
    about = {"name": name, "group": group, "kind": kind}
    details = {
        **{key: value for key, value in about.items() if value},
        "causes": [{"reason": r, "message": m, "field": p} for r, p, m in causes],
    }
    return ApiError(422, "Invalid", f'{qualified} "{name}" is invalid: {joined}', details)


def bad_request(message: str) -> ApiError:
    """400."""
    return ApiError(400, "BadRequest", message)


def method_not_allowed() -> ApiError:
    """405."""
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def unsupported_media_type(given: str, allowed: Sequence[str]) -> ApiError:
    """415."""
    message = (
        "the body of the request was in an unknown format - accepted media types include: "
        f"{', '.join(allowed)} (was {given})"
    )
    return ApiError(415, "UnsupportedMediaType", message)


def expired(resource_version: str, oldest: int) -> ApiError:
    """410: the watch's history does not reach that far back."""
    return ApiError(410, "Expired", f"too old resource version: {resource_version} ({oldest})")
