"""The CustomResourceDefinition: what a real API server demands of it, and that it says what the reader says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from controlplane.crds import inference_autoscaler
from controlplane.domain.manifest import target_from_manifest
from controlplane.domain.manifest_spec import Spec
from controlplane.simulation.kubernetes.schema import admit
from tests.domain.resources import ALONE, RESOURCE, SEVERAL, SPEC_SCHEMA, admitted, resource

VERSION = inference_autoscaler()["spec"]["versions"][0]
ROOT = VERSION["schema"]["openAPIV3Schema"]
FORBIDDEN = {
    "$ref",
    "$schema",
    "id",
    "definitions",
    "dependencies",
    "uniqueItems",
    "additionalItems",
    "patternProperties",
}
"""What a structural schema must not have at all (uniqueItems because it costs quadratic time)."""
ALLOWED = {
    *("description", "type", "format", "default", "enum", "properties", "required", "items", "additionalProperties"),
    *("minimum", "maximum", "exclusiveMinimum", "minLength", "maxLength", "pattern", "minItems", "maxItems"),
    *("maxProperties", "x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
    "x-kubernetes-preserve-unknown-fields",
}


def nodes(schema: dict[str, Any], at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield at, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{at}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{at}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from nodes(schema["additionalProperties"], f"{at}{{}}")


NODES = dict(nodes(ROOT))


@pytest.mark.parametrize("at", NODES)
def test_the_schema_is_structural(at: str) -> None:
    schema = NODES[at]
    assert set(schema) <= ALLOWED, set(schema) - ALLOWED
    assert not FORBIDDEN & set(schema)
    assert schema.get("type") or schema.get("x-kubernetes-preserve-unknown-fields"), "no type"
    assert not ("properties" in schema and "additionalProperties" in schema)
    assert schema.get("type") != "array" or "items" in schema
    assert set(schema.get("required", ())) <= set(schema.get("properties", {}))
    if schema.get("x-kubernetes-list-type") == "map":
        keys, item = schema["x-kubernetes-list-map-keys"], schema["items"]
        assert all(key in item["required"] or "default" in item["properties"][key] for key in keys)


@pytest.mark.parametrize("at", [at for at in NODES if at.startswith(".spec")])
def test_what_rules_walk_is_bounded_so_that_their_cost_can_be_estimated(at: str) -> None:
    schema = NODES[at]
    if schema.get("type") == "array":
        assert "maxItems" in schema
    if schema.get("type") == "string":
        assert "maxLength" in schema or "enum" in schema or "format" in schema
    if "additionalProperties" in schema:
        assert "maxProperties" in schema


@pytest.mark.parametrize("at", [at for at in NODES if at.startswith((".spec", ".status"))])
def test_every_field_is_described(at: str) -> None:
    assert at.endswith(("[]", "{}")) or NODES[at].get("description")


RULES = [(at, rule) for at, schema in NODES.items() for rule in schema.get("x-kubernetes-validations", ())]


@pytest.mark.parametrize(("at", "rule"), RULES, ids=lambda v: v if isinstance(v, str) else v["message"][:40])
def test_a_rule_has_one_line_words_and_a_field_that_there_is(at: str, rule: dict[str, Any]) -> None:
    assert rule["message"]
    assert "\n" not in rule["message"] + rule["rule"]
    assert rule.get("reason", "FieldValueInvalid") in ("FieldValueInvalid", "FieldValueRequired", "FieldValueForbidden")
    assert at + rule.get("fieldPath", "") in NODES


def test_patterns_are_ones_that_go_knows_too() -> None:
    for schema in NODES.values():
        assert not re.search(r"\(\?[=!<]|\\[1-9]", schema.get("pattern", ""))


@pytest.mark.parametrize("at", [at for at, schema in NODES.items() if "default" in schema])
def test_a_default_is_reached_from_an_object_that_leaves_its_parents_out(at: str) -> None:
    """A nested default is applied where its parent is there alone: so optional parents have the default {} or mean
    something by being absent."""
    *parents, _ = at.split(".")
    for depth in range(3, len(parents) + 1):
        parent = ".".join(parents[:depth])
        if parent.endswith("[]"):
            continue
        meaningful = parent.rpartition(".")[2] in ("scaleTargetRef", "scaleToZero", "tls", "prometheus", "pool")
        assert meaningful or NODES[parent].get("default") == {}, parent


def test_columns_are_shown_by_default_and_point_at_fields() -> None:
    columns = VERSION["additionalPrinterColumns"]
    assert [c["name"] for c in columns] == ["Mode", "Verdict", "Ready", "Desired", "Attainment", "Reason", "Age"]
    for column in columns:
        assert "priority" not in column
        assert column["jsonPath"] in NODES or column["jsonPath"] == ".metadata.creationTimestamp"


# The schema and the reader's models say the same

MODEL = Spec.model_json_schema(by_alias=True)
BOUNDS = ("minimum", "maximum", "minLength", "maxLength", "pattern", "minItems", "maxItems", "maxProperties")


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Without references, and without the null that pydantic allows where a field is optional."""
    found = dict(schema)
    for part in (found.pop("$ref", None), *(a.get("$ref") for a in found.pop("allOf", ()))):
        if part:
            found = {**resolved(MODEL["$defs"][part.rpartition("/")[2]]), **found}
    if "anyOf" in found:
        (only,) = [branch for branch in found.pop("anyOf") if branch.get("type") != "null"]
        found = {**resolved(only), **found}
    if found.get("default", ...) is None:
        del found["default"]
    return found


def differences(crd: dict[str, Any], model: dict[str, Any], at: str) -> Iterator[str]:
    model = resolved(model)
    if "exclusiveMinimum" in model:
        model = {**model, "minimum": model["exclusiveMinimum"], "exclusiveMinimum": True}
    for word in (*BOUNDS, "exclusiveMinimum", "format"):
        if crd.get(word) != model.get(word) and not (at.endswith(".tolerance") and word not in ("minimum", "maximum")):
            yield f"{at}: {word} is {crd.get(word)} in the schema, {model.get(word)} in the model"
    if crd.get("type") != model.get("type") and not at.endswith(".tolerance"):
        yield f"{at}: type is {crd.get('type')} in the schema, {model.get('type')} in the model"
    if sorted(crd.get("enum", ())) != sorted(model.get("enum", ())):
        yield f"{at}: enum is {crd.get('enum')} in the schema, {model.get('enum')} in the model"
    if set(crd.get("required", ())) != set(model.get("required", ())):
        yield f"{at}: required is {crd.get('required')} in the schema, {model.get('required')} in the model"
    ours, theirs = crd.get("properties", {}), model.get("properties", {})
    for name in sorted(set(ours) ^ set(theirs)):
        yield f"{at}.{name}: in one of them alone"
    for name in sorted(set(ours) & set(theirs)):
        yield from differences(ours[name], theirs[name], f"{at}.{name}")
    if "items" in crd:
        yield from differences(crd["items"], model.get("items", {}), f"{at}[]")


def test_names_types_enums_and_bounds_are_the_models() -> None:
    assert not list(differences(SPEC_SCHEMA, MODEL, "spec"))


LEFT_TO_THE_READER = {"schedules", "overrides"}
"""Empty lists: a list that is absent is the same."""


@pytest.mark.parametrize("spec", [ALONE, SEVERAL, {**ALONE, "scaleToZero": {}}], ids=["one", "several", "zero"])
def test_defaults_of_the_schema_are_the_models(spec: dict[str, Any]) -> None:
    """What an API server fills in is what the reader fills in, field by field."""
    plain = Spec.model_validate(spec).model_dump(mode="json", by_alias=True, exclude_none=True)
    kept = admitted(spec)["spec"]
    assert {k: v for k, v in plain.items() if k not in LEFT_TO_THE_READER} == kept


def test_a_resource_means_the_same_before_and_after_the_api_server() -> None:
    for spec in (ALONE, SEVERAL):
        assert target_from_manifest(resource(spec)) == target_from_manifest(admitted(spec))


def test_the_whole_status_is_kept() -> None:
    status = {
        "observedGeneration": 3,
        "mode": "Live",
        "verdict": "up",
        "reason": "demand",
        "ready": 2,
        "desired": 3,
        "attainment": "99.1%",
        "lastTickTime": "2026-01-01T00:00:00Z",
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "observedGeneration": 3,
                "reason": "Planned",
                "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ],
        "variants": [
            {
                "name": "h100",
                "ready": 2,
                "pending": 1,
                "desired": 3,
                "stockedOutUntil": "2026-01-01T00:10:00Z",
                "routingWeight": 0.5,
            }
        ],
    }
    whole = {**resource(ALONE), "status": status}
    assert admit(RESOURCE, whole, strict=True)["status"] == status
