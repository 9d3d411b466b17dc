"""What the simulator tells a scaling policy at a tick, as values. An aggregated engine is called `decode` there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MS = 1000.0


@dataclass(frozen=True, slots=True)
class EnginePass:
    """The newest forward pass of one worker: what ran in it, what waited, and how long it took."""

    worker: int
    wall_s: float
    prefilling: int
    prefill_tokens: int
    prefill_context_tokens: int
    decoding: int
    decode_context_tokens: int
    queued: int

    @property
    def running(self) -> int:
        """Requests in the pass."""
        return self.prefilling + self.decoding

    @property
    def context_tokens(self) -> int:
        """Tokens whose keys and values the pass read or wrote."""
        return self.decode_context_tokens + self.prefill_context_tokens + self.prefill_tokens


@dataclass(frozen=True, slots=True)
class Traffic:
    """The whole fleet between two ticks. `arrived` counts offers; means are over the counts beside them.

    `itl_s` is a mean of requests' means, so it is what Tidegate calls TPOT. A mean of nothing is None.
    """

    seconds: float
    arrived: float
    finished: float
    input_tokens: float | None
    output_tokens: float | None
    first_tokens: float
    ttft_s: float | None
    itl_count: float
    itl_s: float | None
    decode_passes: float
    """Tokens made after the first, summed over requests."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One tick. Workers are named by number; `draining` ones end what they have and take nothing new."""

    now_s: float
    passes: Mapping[int, EnginePass]
    active: tuple[int, ...]
    starting: tuple[int, ...]
    draining: tuple[int, ...]
    traffic: Traffic


def read_snapshot(raw: Mapping[str, Any]) -> Snapshot:
    """The simulator's dictionary as a value.

    Raises:
        KeyError: naming the field that this version of the simulator does not send.
    """
    passes = (_pass(p) for p in raw["decode_fpm_snapshots"])
    draining = tuple(raw["draining_decode_ids"])
    return Snapshot(
        now_s=raw["now_ms"] / MS,
        passes={p.worker: p for p in passes},
        active=tuple(w for w in raw["active_decode_ids"] if w not in draining),
        starting=tuple(raw["starting_decode_ids"]),
        draining=draining,
        traffic=_traffic(raw["traffic"]),
    )


def _pass(raw: Mapping[str, Any]) -> EnginePass:
    return EnginePass(
        worker=raw["worker_id"],
        wall_s=raw["wall_time"],
        prefilling=raw["num_prefill_requests"],
        prefill_tokens=raw["sum_prefill_tokens"],
        prefill_context_tokens=raw["sum_prefill_kv_tokens"],
        decoding=raw["num_decode_requests"],
        decode_context_tokens=raw["sum_decode_kv_tokens"],
        queued=raw["num_queued_prefill"] + raw["num_queued_decode"],
    )


def _traffic(raw: Mapping[str, Any]) -> Traffic:
    finished, firsts, itls = float(raw["shape_count"]), float(raw["ttft_count"]), float(raw["itl_count"])
    return Traffic(
        seconds=raw["duration_s"],
        arrived=float(raw["num_req"]),
        finished=finished,
        input_tokens=raw["avg_isl"] if finished else None,
        output_tokens=raw["avg_osl"] if finished else None,
        first_tokens=firsts,
        ttft_s=raw["avg_ttft_ms"] / MS if firsts else None,
        itl_count=itls,
        itl_s=raw["avg_itl_ms"] / MS if itls else None,
        decode_passes=float(raw["accept_length_forward_count"]),
    )
