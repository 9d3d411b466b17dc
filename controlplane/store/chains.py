"""A tick as its difference from the one before it of the same target: what could be expected costs nothing.

Most of what a tick remembers is what the tick before saw and planned, and most of what is planned for is what was seen:
the difference is taken from that expectation. Everything that was decided on is kept, so that a brief tick replays as
exactly as a full one, under any version of the planner; what is left out is the fan of the forecast (`values`): nothing
is decided on it, and full ticks keep it.
"""

from __future__ import annotations

import json
from typing import Any

from controlplane.planning.rounding import LENGTH_DIGITS
from controlplane.store.deltas import DeltaReader, DeltaWriter, Json, unreadable

Body = dict[str, Any]
"""A tick as JSON, without its ids."""
QUANTITIES = ("requests_per_s", "input_tokens_per_s", "output_tokens_per_s")


def encode_brief(before: Body, new: Body) -> bytes:
    """`new` (without a fan) as the difference from what `before` lets expect."""
    writer = DeltaWriter()
    writer.value(before["at_s"], new["at_s"])
    writer.value(_expected(before, new["at_s"]), _without_plan(new))
    lengths = _mean_lengths(new["plan"])
    writer.value(_mean_lengths(before["plan"]), lengths)
    writer.value(_expected_plan(before["plan"], new, lengths), new["plan"])
    return writer.to_bytes()


def decode_brief(before: Body, data: bytes) -> Body:
    """The tick that `encode_brief` was given.

    Raises:
        NotADelta: if it cannot be read.
    """
    with unreadable():
        reader = DeltaReader(data)
        at_s = reader.value(before["at_s"])
        found: Body = dict(reader.value(_expected(before, at_s)))
        lengths = reader.value(_mean_lengths(before["plan"]))
        found["plan"] = reader.value(_expected_plan(before["plan"], found, lengths))
        return {key: found[key] for key in before}


def text(body: Json) -> bytes:
    """Its JSON, without blanks."""
    return json.dumps(body, separators=(",", ":")).encode()


def without_fan(body: Body) -> Body:
    """The tick with the peaks of its forecast alone."""
    forecast = body["inputs"]["forecast"]
    if forecast is None:
        return body
    peaks = _with_work_of_sides(forecast, {"values": []})
    for name in QUANTITIES:
        peaks[name] = {**forecast[name], "values": []}
    return {**body, "inputs": {**body["inputs"], "forecast": peaks}}


def _without_plan(body: Body) -> Body:
    return {key: value for key, value in body.items() if key != "plan"}


def _expected(before: Body, at_s: float) -> Body:
    """What is known of a tick at `at_s` once the one before is: its time, and what it remembers."""
    inputs = before["inputs"]
    observation = {**inputs["observation"], "at_s": at_s}
    expected = {**inputs, "observation": observation, "memory": _expected_memory(before)}
    if inputs["forecast"] is not None:
        forecast = {**_with_work_of_sides(inputs["forecast"], {"made_at_s": at_s}), "made_at_s": at_s}
        for name in QUANTITIES:
            forecast[name] = {**forecast[name], "made_at_s": at_s}
        expected["forecast"] = forecast
    return {**_without_plan(before), "at_s": at_s, "inputs": expected}


def _with_work_of_sides(forecast: Body, changes: Body) -> Body:
    """The forecast with `changes` in what is forecast of each role's work. That of whole requests is left: ledgers that
    were written before expect it as it was."""
    if not forecast.get("sides"):
        return dict(forecast)
    sides = [{**side, "work_s_per_s": {**side["work_s_per_s"], **changes}} for side in forecast["sides"]]
    return {**forecast, "sides": sides}


def _expected_memory(before: Body) -> Body:
    memory: Body = before["inputs"]["memory"]
    newest = {"at_s": before["at_s"], "replicas": before["plan"]["replicas"]}
    expected = {**memory, "recommendations": [*memory["recommendations"], newest]}
    load = before["inputs"]["observation"]["load"]
    if load is not None and "mix" in memory:
        expected["mix"] = load
    if memory.get("busy_at_s") is not None:
        expected["busy_at_s"] = before["at_s"]
    return expected


def _mean_lengths(plan: Body) -> dict[str, float] | None:
    """Mean tokens of a prompt and an answer that are planned for."""
    demand = plan["demand"]
    return None if demand is None else {name: demand[name] for name in _LENGTHS}


_LENGTHS = {"input_tokens": "input_lengths", "output_tokens": "output_lengths"}
"""Mean lengths, and the quantiles that go with them."""


def _expected_plan(before: Body, new: Body, means: dict[str, float] | None) -> Body:
    """The plan is for the lengths that were seen, all of them longer or shorter by what the means are."""
    load, demand = new["inputs"]["observation"]["load"], before["demand"]
    if load is None or demand is None or means is None:
        return before
    expected = {key: load[key] if key in load and key != "requests_per_s" else demand[key] for key in demand} | means
    for mean, quantiles in _LENGTHS.items():
        if load[mean]:
            times = means[mean] / load[mean]
            expected[quantiles] = [float(f"{length * times:.{LENGTH_DIGITS}g}") for length in load[quantiles]]
    return {**before, "demand": expected}
