"""What a row of the ledger says outright, for lists, charts and SQL: ids, reason and fleet in as few bytes as they
need."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.domain.decision import ActuationResult, Tick

_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])")
_PARTS = "\x1e"
_HEX = re.compile(r"[0-9a-f]+")
_SHORT, _PAIR = 18, 32
"""Bytes of a group tick's id and a place in it, and of two ids of 32 digits."""


@dataclass(frozen=True, slots=True)
class VariantCount:
    """One variant's replicas at a tick. `wanted`: what the cluster was told to want when it was over."""

    current: int
    desired: int
    wanted: int
    ready: int
    pending: int
    existing: int


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


def spoken(tick: Tick) -> tuple[str, str]:
    """Words for `format()`, and the numbers in them: the fleet, then the reason."""
    text = (fleet_text(tick) + _PARTS + tick.decision.reason).replace("\x00", "")
    words = _NUMBER.sub("%s", text.replace("%", "%%"))
    return words, " ".join(_NUMBER.findall(text))


def fleet_text(tick: Tick) -> str:
    """`name: current desired wanted ready pending existing` of each variant, with semicolons between."""
    told = {a.variant: a.replicas_to for a in tick.actuations if a.result is ActuationResult.APPLIED}
    parts = []
    for variant in tick.inputs.target.variants:
        seen, name = tick.inputs.observation.variant(variant.name), variant.name
        current = tick.decision.current.get(name, 0)
        ready, pending = (seen.ready, seen.pending) if seen else (0, 0)
        existing = seen.ready + seen.pending + seen.terminating + seen.failed if seen else 0
        counts = (current, tick.decision.desired.get(name, current), told.get(name, current), ready, pending, existing)
        parts.append(f"{name}: {' '.join(map(str, counts))}")
    return ";".join(parts)


def fleet_of(text: str) -> Mapping[str, VariantCount]:
    """What `fleet_text` said."""
    found = {}
    for part in filter(None, text.split(";")):
        name, _, counts = part.partition(": ")
        found[name] = VariantCount(*map(int, counts.split()))
    return found
