"""How the simulated API server judges a schema's rules: fields, reasons and words are those of a real one."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane.simulation.kubernetes.errors import ApiError
from controlplane.simulation.kubernetes.resources import Resource
from controlplane.simulation.kubernetes.rules import broken_rules
from controlplane.simulation.kubernetes.schema import admit

NUMBER, TEXT = {"type": "number"}, {"type": "string"}


def thing(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def ruled(rule: dict[str, str], **properties: Any) -> dict[str, Any]:
    return {**thing(**properties), "x-kubernetes-validations": [rule]}


def admitted(spec_schema: dict[str, Any], spec: Any) -> Any:
    resource = Resource("example.dev", "v1", "gates", "gate", "Gate", schema=thing(spec=spec_schema))
    return admit(resource, {"metadata": {"name": "g"}, "spec": spec}, strict=True)["spec"]


def causes(spec_schema: dict[str, Any], spec: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(ApiError) as refusal:
        admitted(spec_schema, spec)
    assert refusal.value.code == 422
    return [(c["reason"], c["field"], c["message"]) for c in refusal.value.details["causes"]]


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ({"message": " too low "}, ("FieldValueInvalid", "spec", "Invalid value: too low")),
        ({}, ("FieldValueInvalid", "spec", "Invalid value: failed rule: self.a > 2.0")),
        (
            {"messageExpression": "'a is ' + string(self.a)", "fieldPath": ".a"},
            ("FieldValueInvalid", "spec.a", "Invalid value: a is 1"),
        ),
        ({"message": "no", "reason": "FieldValueForbidden"}, ("FieldValueForbidden", "spec", "Forbidden: no")),
        (
            {"message": "more", "reason": "FieldValueRequired", "fieldPath": ".b"},
            ("FieldValueRequired", "spec.b", "Required value: more"),
        ),
    ],
)
def test_a_broken_rule_is_a_cause(more: dict[str, str], cause: tuple[str, str, str]) -> None:
    # A number that is written as an integer is a double for the rule.
    assert causes(ruled({"rule": "self.a > 2.0", **more}, a=NUMBER, b=TEXT), {"a": 1}) == [cause]
    assert admitted(ruled({"rule": "self.a > 2.0", **more}, a=NUMBER, b=TEXT), {"a": 3}) == {"a": 3}


def test_rules_hold_for_items_and_for_the_values_of_maps() -> None:
    item = ruled({"rule": "self.a != 'x'", "message": "no x"}, a=TEXT)
    schema = thing(many={"type": "array", "items": item}, named={"type": "object", "additionalProperties": item})
    assert [field for _, field, _ in broken_rules(schema, {"many": [{"a": "y"}, {"a": "x"}]}, "")] == ["many[1]"]
    assert [field for _, field, _ in broken_rules(schema, {"named": {"one": {"a": "x"}}}, "")] == ["named.one"]


def test_a_rule_that_cannot_be_evaluated_refuses_and_one_of_transitions_does_not() -> None:
    ((_, field, words),) = causes(ruled({"rule": "self.b == 'x'", "message": "b"}, a=NUMBER, b=TEXT), {"a": 1})
    assert (field, words.endswith("evaluating rule: b")) == ("spec", True)
    assert admitted(ruled({"rule": "self.a >= oldSelf.a"}, a=NUMBER), {"a": 1}) == {"a": 1}


def test_a_date_is_a_moment_for_a_rule() -> None:
    schema = ruled(
        {"rule": "self.at < timestamp('2026-01-02T00:00:00Z')"}, at={"type": "string", "format": "date-time"}
    )
    assert admitted(schema, {"at": "2026-01-01T23:00:00Z"})
    assert causes(schema, {"at": "2026-01-01T23:00:00-05:00"})
    ((reason, field, _), (_, nowhere, _)) = causes(schema, {"at": "yesterday"})
    assert (reason, field, nowhere) == ("FieldValueTypeInvalid", "spec.at", "<nil>")


@pytest.mark.parametrize(
    ("schema", "value", "cause"),
    [
        ({"type": "string", "maxLength": 2}, "abc", ("FieldValueTooLong", "Too long: may not be more than 2 bytes")),
        (
            {"type": "array", "items": TEXT, "maxItems": 1},
            ["a", "b"],
            ("FieldValueTooMany", "Too many: 2: must have at most 1 items"),
        ),
        (
            {"type": "object", "additionalProperties": TEXT, "maxProperties": 1},
            {"a": "", "b": ""},
            ("FieldValueTooMany", "Too many: 2: must have at most 1 items"),
        ),
        (
            {"x-kubernetes-int-or-string": True},
            1.5,
            (
                "FieldValueTypeInvalid",
                'Invalid value: "number": spec.a in body must be of type integer,string: "number"',
            ),
        ),
    ],
)
def test_bounds_of_size(schema: dict[str, Any], value: object, cause: tuple[str, str]) -> None:
    ((reason, field, words),) = causes(thing(a=schema), {"a": value})
    assert (field, (reason, words)) == ("spec.a", cause)


def test_a_list_that_is_a_map_has_each_key_once() -> None:
    keyed = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    schema = thing(many={"type": "array", "items": thing(name=TEXT), **keyed})
    assert causes(schema, {"many": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}) == [
        ("FieldValueDuplicate", "spec.many[2]", 'Duplicate value: {"name":"a"}')
    ]


def test_a_null_is_taken_out_before_defaults_are_given_unless_it_may_be_there() -> None:
    schema = thing(a={**NUMBER, "default": 1}, b=TEXT, c={**TEXT, "nullable": True})
    assert admitted(schema, {"a": None, "b": None, "c": None}) == {"a": 1, "c": None}
