"""Differences come back as what they were taken from, whatever it is, and are small where little changed."""

from __future__ import annotations

import json
import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.planning.rounding import rounded
from controlplane.store.bits import BitReader, BitWriter
from controlplane.store.deltas import NotADelta, decode, encode

NUMBERS = st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False))
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(), st.from_regex(r"[a-z %.]*\d{1,4}(\.\d{1,3})?[a-z ]*"))
NAMES = st.sampled_from(["at_s", "rate", "mix", "variants"])
VALUES = st.recursive(LEAVES, lambda v: st.one_of(st.lists(v, max_size=5), st.dictionaries(NAMES, v)), max_leaves=12)


@given(VALUES, VALUES)
def test_any_value_comes_back_from_any_base(base: object, new: object) -> None:
    found = decode(base, encode(base, new))
    assert found == new
    assert encode(base, base) == encode(new, new), "what did not change costs the same, whatever its size"


@given(st.lists(st.dictionaries(NAMES, NUMBERS, min_size=1), min_size=1, max_size=9), st.data())
def test_a_memory_that_moved_on_costs_what_it_gained(base: list[dict[str, object]], data: st.DataObject) -> None:
    new = base[data.draw(st.integers(0, len(base) - 1)) :]
    assert decode(base, encode(base, new)) == new
    assert len(encode(base, new)) <= 6


@given(st.lists(st.tuples(st.integers(0, 2**60 - 1), st.integers(60, 64))))
def test_bits_come_back_in_their_order(numbers: list[tuple[int, int]]) -> None:
    writer = BitWriter()
    for number, size in numbers:
        writer.put(number, size)
        writer.number(number)
    reader = BitReader(writer.to_bytes())
    assert [(reader.get(size), reader.read_number()) for _, size in numbers] == [(n, n) for n, _ in numbers]


@given(VALUES, st.binary(max_size=60))
def test_bytes_that_are_no_difference_are_refused_or_read(base: object, data: bytes) -> None:
    with suppress(NotADelta):
        decode(base, data)


def test_a_changed_digit_costs_a_few_bits() -> None:
    base = {"rate": 12.34, "waiting": 3.0, "reason": "2 replicas carry 12.3 requests/s", "name": "x" * 200}
    new = {**base, "rate": 12.37, "reason": "2 replicas carry 12.4 requests/s"}
    assert len(encode(base, new)) <= 6
    assert len(json.dumps(new)) > 250


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [(123.456, 3, 123.0), (0.00123456, 3, 0.00123), (-7.0, 4, -7.0), (0.0, 3, 0.0), (math.inf, 3, math.inf)],
)
def test_rounding_keeps_significant_digits(value: float, digits: int, expected: float) -> None:
    assert rounded(value, digits) == expected


@given(st.floats(allow_nan=False), st.integers(1, 7))
def test_rounding_twice_is_rounding_once(value: float, digits: int) -> None:
    once = rounded(value, digits)
    assert rounded(once, digits) == once
