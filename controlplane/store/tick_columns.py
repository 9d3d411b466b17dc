"""What a row of the ledger says outright, for lists, charts, sums and SQL, in as few bytes as it needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.domain.decision import ActuationResult, Tick
from controlplane.domain.target import Role, Variant
from controlplane.observing.gauges import existing, kv_usage, running, slowest, waiting
from controlplane.store.codec import spent_usd_per_hour

_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])")
_HEX = re.compile(r"[0-9a-f]+")
_SHORT, _PAIR = 18, 32
"""Bytes of a group tick's id and a place in it, and of two ids of 32 digits."""
UNKNOWN = "-"
"""A number that nobody knows."""


@dataclass(frozen=True, slots=True)
class VariantCount:
    """One variant's replicas at a tick. `wanted`: what the cluster was told to want when it was over."""

    current: int
    desired: int
    wanted: int
    ready: int | None
    pending: int | None
    existing: int
    cold_start_s: float | None


def pack_ids(group_tick_id: str, tick_id: str) -> bytes:
    """Both ids; `tick_id` of the database takes them apart."""
    if _is_hex(group_tick_id, 32):
        if _is_hex(tick_id, 36) and tick_id.startswith(group_tick_id):
            return bytes.fromhex(tick_id)
        if _is_hex(tick_id, 32):
            return bytes.fromhex(group_tick_id + tick_id)
    packed = f"{group_tick_id}\n{tick_id}".encode()
    return packed + b"\n" if len(packed) in (_SHORT, _PAIR) else packed


def unpack_ids(ids: bytes) -> tuple[str, str]:
    """The group tick's id and the tick's."""
    if len(ids) == _SHORT:
        return ids[:16].hex(), ids.hex()
    if len(ids) == _PAIR:
        return ids[:16].hex(), ids[16:].hex()
    group, tick, *_ = ids.decode().split("\n")
    return group, tick


def _is_hex(text: str, size: int) -> bool:
    return len(text) == size and _HEX.fullmatch(text) is not None


def reason_parts(reason: str) -> tuple[str, str]:
    """Words for `format()`, and the numbers in them."""
    text = reason.replace("\x00", "")
    return _NUMBER.sub("%s", text.replace("%", "%%")), " ".join(_NUMBER.findall(text))


def fleet_parts(tick: Tick) -> tuple[str, str]:
    """Words for `format()`, and the numbers: of each variant, `;` between, `current desired wanted ready pending
    existing cold_start_s usd_per_replica_hour gpus_per_replica name`. What seldom changes is in the words."""
    told = {a.variant: a.replicas_to for a in tick.actuations if a.result is ActuationResult.APPLIED}
    words, numbers = [], []
    for variant in tick.inputs.target.variants:
        name = variant.name.replace("\x00", "").replace("%", "%%")
        words.append(f"%s %s %s %s %s %s %s {variant.usd_per_replica_hour!r} {variant.gpus_per_replica} {name}")
        numbers += _counts(tick, variant, told)
    return ";".join(words), " ".join(numbers)


def _counts(tick: Tick, variant: Variant, told: Mapping[str, int]) -> list[str]:
    seen, name = tick.inputs.observation.variant(variant.name), variant.name
    current = tick.decision.current.get(name, 0)
    start = tick.inputs.cold_starts.get(name)
    return [
        str(current),
        str(tick.decision.desired.get(name, current)),
        str(told.get(name, current)),
        str(seen.ready) if seen else UNKNOWN,
        str(seen.pending) if seen else UNKNOWN,
        str(existing(seen)),
        UNKNOWN if start is None else f"{start.p90_s:.4g}",
    ]


def fleet_of(words: str, numbers: str) -> dict[str, VariantCount]:
    """What `fleet_parts` said."""
    found, counts = {}, numbers.split(" ")
    for place, part in enumerate(words.split(";") if words else ()):
        name = part.split(" ", 9)[9].replace("%%", "%")
        current, desired, wanted, ready, pending, there, start = counts[place * 7 : place * 7 + 7]
        found[name] = VariantCount(
            int(current), int(desired), int(wanted), _int(ready), _int(pending), int(there), _float(start)
        )
    return found


def _int(text: str) -> int | None:
    return None if text == UNKNOWN else int(text)


def _float(text: str) -> float | None:
    return None if text == UNKNOWN else float(text)


def gauges_of(tick: Tick) -> dict[str, float | None]:
    """The columns of numbers, by their name."""
    seen, target, forecast = tick.inputs.observation, tick.inputs.target, tick.inputs.forecast
    fronts = {v.name for v in target.variants if v.role is not Role.DECODE}
    ttft, tpot = slowest(seen, "ttft", fronts), slowest(seen, "tpot", {v.name for v in target.variants})
    ahead_s = forecast.made_at_s + forecast.horizon_s - tick.at_s if forecast else None
    peaks = {f"forecast_p{round(level * 100)}": level for level in (0.1, 0.5, 0.9)}
    found = {
        "requests_per_s": seen.load.requests_per_s if seen.load else None,
        "input_tokens": seen.load.input_tokens if seen.load else None,
        "output_tokens": seen.load.output_tokens if seen.load else None,
        "planned_requests_per_s": tick.plan.demand.requests_per_s if tick.plan.demand else None,
        "attainment": seen.attainment,
        "usd_per_hour": spent_usd_per_hour(tick),
        "waiting": waiting(seen),
        "running": running(seen),
        "kv_usage": kv_usage(seen),
        "ttft_p50_s": ttft.p50_s if ttft else None,
        "ttft_p99_s": ttft.p99_s if ttft else None,
        "tpot_p50_s": tpot.p50_s if tpot else None,
        "tpot_p99_s": tpot.p99_s if tpot else None,
        "forecast_ahead_s": ahead_s,
        **{name: forecast.requests_per_s.peak_at(level) if forecast else None for name, level in peaks.items()},
    }
    return {name: None if value is None else _real(value) for name, value in found.items()}


def _real(value: float) -> float:
    """Within what four bytes hold: the body has the number itself."""
    if abs(value) < _LEAST_REAL:
        return 0.0
    return max(-_MOST_REAL, min(value, _MOST_REAL))


_LEAST_REAL, _MOST_REAL = 1e-37, 3.4e38
