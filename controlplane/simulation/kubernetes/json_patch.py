"""JSON patch (RFC 6902) over a JSON object, with a real API server's refusals."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from controlplane.simulation.kubernetes.errors import ApiError, bad_request
from controlplane.simulation.kubernetes.resources import Json


def json_patch(body: Json, operations: Sequence[Any]) -> Json:
    """The object after the operations, all or none.

    Raises:
        ApiError: 400 for what is no operation, 422 for one that does not hold: a failed `test`, or a path that is not.
    """
    patched = copy.deepcopy(body)
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise bad_request("json: cannot unmarshal into Go value of type jsonpatch.Patch")
        _do(patched, operation)
    return patched


def _do(body: Json, operation: Json) -> None:
    path, value = _parts(operation["path"]), copy.deepcopy(operation.get("value"))
    match operation.get("op"):
        case "test":
            if _get(body, path) != value:
                raise _unfit(f"testing value {operation['path']} failed: test failed")
        case "add":
            _put(body, path, value, insert=True)
        case "replace":
            _get(body, path)
            _put(body, path, value, insert=False)
        case "remove":
            _take(body, path)
        case "move":
            _put(body, path, _take(body, _parts(str(operation.get("from", "")))), insert=True)
        case "copy":
            _put(body, path, copy.deepcopy(_get(body, _parts(str(operation.get("from", ""))))), insert=True)
        case other:
            raise bad_request(f"Unexpected kind: {other}")


def _parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _get(body: Any, path: Sequence[str]) -> Any:
    for part in path:
        body = _child(body, part)
    return body


def _child(body: Any, part: str) -> Any:
    if isinstance(body, dict) and part in body:
        return body[part]
    if isinstance(body, list) and part.isdigit() and int(part) < len(body):
        return body[int(part)]
    raise _unfit(f"the path has no {part!r}: missing path")


def _put(body: Any, path: Sequence[str], value: Any, insert: bool) -> None:
    parent, last = _get(body, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list) and last == "-":
        parent.append(value)
    elif isinstance(parent, list) and last.isdigit() and int(last) <= len(parent):
        parent[int(last) : int(last) + (0 if insert else 1)] = [value]
    else:
        raise _unfit(f"add operation does not apply: there is no place {last!r}")


def _take(body: Any, path: Sequence[str]) -> Any:
    taken = _get(body, path)
    parent, last = _get(body, path[:-1]), path[-1]
    del parent[int(last) if isinstance(parent, list) else last]
    return taken


def _unfit(words: str) -> ApiError:
    message = f"the server rejected our request due to an error in our request: {words}"
    return ApiError(422, "Invalid", message)
