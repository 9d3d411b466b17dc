"""JSON patches as RFC 6902 has them, and as an API server refuses them."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane.simulation.kubernetes.errors import ApiError
from controlplane.simulation.kubernetes.json_patch import json_patch

BODY: dict[str, Any] = {"a": {"b": 1, "c/d": 2}, "list": [1, 2, 3]}


@pytest.mark.parametrize(
    ("operation", "after"),
    [
        ({"op": "add", "path": "/a/e", "value": 3}, {"a": {"b": 1, "c/d": 2, "e": 3}, "list": [1, 2, 3]}),
        ({"op": "add", "path": "/list/1", "value": 9}, {**BODY, "list": [1, 9, 2, 3]}),
        ({"op": "add", "path": "/list/-", "value": 9}, {**BODY, "list": [1, 2, 3, 9]}),
        ({"op": "replace", "path": "/list/0", "value": 9}, {**BODY, "list": [9, 2, 3]}),
        ({"op": "remove", "path": "/list/0"}, {**BODY, "list": [2, 3]}),
        ({"op": "remove", "path": "/a/c~1d"}, {**BODY, "a": {"b": 1}}),
        ({"op": "test", "path": "/a/b", "value": 1}, BODY),
        ({"op": "copy", "from": "/a/b", "path": "/e"}, {**BODY, "e": 1}),
        ({"op": "move", "from": "/a/b", "path": "/e"}, {"a": {"c/d": 2}, "list": [1, 2, 3], "e": 1}),
    ],
)
def test_an_operation_does_what_the_standard_says(operation: dict[str, Any], after: dict[str, Any]) -> None:
    assert json_patch(BODY, [operation]) == after


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ({"op": "test", "path": "/a/b", "value": 2}, 422),
        ({"op": "replace", "path": "/none", "value": 2}, 422),
        ({"op": "remove", "path": "/list/7"}, 422),
        ({"op": "add", "path": "/list/7", "value": 2}, 422),
        ({"op": "turn", "path": "/a"}, 400),
        ({"op": "add"}, 400),
        ("add", 400),
    ],
)
def test_what_does_not_hold_is_refused_and_nothing_is_done(operation: Any, code: int) -> None:
    with pytest.raises(ApiError) as refused:
        json_patch(BODY, [{"op": "remove", "path": "/a/b"}, operation] if code == 400 else [operation])
    assert refused.value.code == code
    assert BODY == {"a": {"b": 1, "c/d": 2}, "list": [1, 2, 3]}
