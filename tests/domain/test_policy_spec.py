"""A policy as custom resources, and what differs between two of its versions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.manifest import ManifestError, target_from_manifest
from controlplane.domain.policy_spec import PathChange, differences, manifest, merge_patch, targets
from controlplane.domain.target import Mode

SPEC: dict[str, Any] = {
    "model": "llama-3.1-8b",
    "slo": {"ttftSeconds": 1.0, "tpotSeconds": 0.05},
    "variants": [
        {
            "name": "h100",
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat-h100"},
            "accelerator": "H100",
            "minReplicas": 1,
            "maxReplicas": 8,
        }
    ],
}


def test_it_makes_a_target_in_each_namespace() -> None:
    made = targets("chat", ["a", "b"], SPEC, "v-1")
    assert [(t.key, t.policy_version, t.policy.mode) for t in made] == [
        ("a/chat", "v-1", Mode.LIVE),
        ("b/chat", "v-1", Mode.LIVE),
    ]
    assert targets("chat", ["a"], {**SPEC, "mode": "Shadow"}, "v-1")[0].policy.mode is Mode.SHADOW


def test_a_resource_of_the_cluster_cannot_say_that_it_is_a_policy() -> None:
    made = manifest("chat", "a", SPEC, "v-1")
    made["metadata"]["uid"] = "u-1"
    assert target_from_manifest(made).policy_version is None


@pytest.mark.parametrize(
    ("name", "namespaces", "change", "field"),
    [
        ("Chat", ["a"], {}, "name"),
        ("chat", [], {}, "namespaces"),
        ("chat", ["a", "a"], {}, "namespaces"),
        ("chat", ["a", "b/c"], {}, "namespaces[1]"),
        ("chat", ["a"], {"model": "gpt-9"}, "spec.model"),
        ("chat", ["a"], {"slo": {"ttftSeconds": -1}}, "spec.slo.ttftSeconds"),
        ("chat", ["a"], {"group": "a\x00b"}, "spec"),
        ("chat", ["a"], {"colour": "red"}, "spec.colour"),
    ],
)
def test_what_is_wrong_is_named(name: str, namespaces: list[str], change: dict[str, Any], field: str) -> None:
    with pytest.raises(ManifestError) as error:
        targets(name, namespaces, {**SPEC, **change})
    assert error.value.field == field


def test_differences_are_named_by_path() -> None:
    after = {
        **SPEC,
        "slo": {"ttftSeconds": 2.0},
        "priority": 3,
        "variants": [{**SPEC["variants"][0], "maxReplicas": 9}],
    }
    assert differences(SPEC, after) == [
        PathChange("spec.priority", None, 3),
        PathChange("spec.slo.tpotSeconds", 0.05, None),
        PathChange("spec.slo.ttftSeconds", 1.0, 2.0),
        PathChange("spec.variants[0].maxReplicas", 8, 9),
    ]


JSON = st.recursive(
    st.integers(-3, 3) | st.text("ab", max_size=2) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)


def applied(before: Any, patch: Any) -> Any:
    """RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    made = dict(before) if isinstance(before, dict) else {}
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = applied(made.get(key), value)
    return made


@given(OBJECTS, OBJECTS)
def test_the_merge_patch_makes_one_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert applied(before, merge_patch(before, after)) == after
    assert merge_patch(before, before) == {}
    assert (differences(before, before), bool(differences(before, after)) or before == after) == ([], True)
