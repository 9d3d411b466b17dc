"""Kubernetes' label selectors."""

from __future__ import annotations

import pytest

from controlplane.adapters.label_selector import SelectorError, selector

LABELS = {"name": "chat", "variant": "h100", "tidegate.io/tier": "gold"}


@pytest.mark.parametrize(
    ("text", "selects"),
    [
        ("", True),
        ("name=chat", True),
        ("name==chat,variant=h100", True),
        ("name=chat,variant=l40s", False),
        ("name!=chat", False),
        ("team!=a", True),
        ("variant in (h100, l40s), name=chat", True),
        ("variant notin (h100)", False),
        ("team notin (a)", True),
        ("tidegate.io/tier", True),
        ("!tidegate.io/tier", False),
        ("! team", True),
        ("team=", False),
    ],
)
def test_selectors(text: str, selects: bool) -> None:
    assert selector(text)(LABELS) is selects


@pytest.mark.parametrize("text", ["name=chat,", "=chat", "name in chat", "name in (a", "a b", "name>1"])
def test_what_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(SelectorError, match="labelSelector is"):
        selector(text)
