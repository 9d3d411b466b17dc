"""The measured tables of shared/profiles, read into one form. Times are in seconds."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MS = 1e-3
AGGREGATED = "measured_e2e_agg.csv"
DYNAMO = "dynamo_h200_tp1_llama31_8b_fp8_{}.csv"
SPLITWISE = "splitwise_sim_medians.csv"
REQUESTS = "llmservingsim_vllm_measured_requests.csv"
LARGE_GPUS = ("h100_sxm", "h200_sxm", "b200_sxm")


@dataclass(frozen=True, slots=True)
class Point:
    """One measured row: `users` requests at a time of these lengths, and what came out. None where it was not
    measured. `deployment` names what one set of coefficients is fitted to, `setting` what else may differ in it."""

    deployment: tuple[str, ...]
    setting: tuple[str, ...]
    input_tokens: int
    output_tokens: int
    users: int
    ttft_s: float | None
    tpot_s: float | None
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class MeasuredRequest:
    """One request of a recorded run; `queue_s` and `ttft_s` from its arrival."""

    deployment: tuple[str, ...]
    arrived_s: float
    input_tokens: int
    output_tokens: int
    queue_s: float
    ttft_s: float
    tpot_s: float
    e2e_s: float


def aggregated_points(folder: Path, backend: str = "vllm", gpus: tuple[str, ...] = LARGE_GPUS) -> list[Point]:
    """Rows of the aggregated end-to-end table with that backend on those GPUs."""
    points = []
    for row in _rows(folder / AGGREGATED):
        if row["backend"] != backend or row["gpu"] not in gpus:
            continue
        width = str(int(float(row["tp_size"])))
        points.append(
            Point(
                deployment=(row["model"], row["gpu"], width),
                setting=(row["precision"], row["moe_ep_size"], row["attention_dp_size"]),
                input_tokens=int(float(row["isl"])),
                output_tokens=int(float(row["osl"])),
                users=max(1, round(float(row["concurrency_eff"]))),
                ttft_s=float(row["ttft_ms"]) * MS,
                tpot_s=float(row["tpot_ms"]) * MS,
            )
        )
    return points


DYNAMO_OSL = 500
"""Answers in Dynamo's sweep of decoding; a row's context is its prompt and half of the answer, so 350 is 100 + 250."""


def dynamo_points(folder: Path) -> list[Point]:
    """Idle TTFT by prompt, and ITL by context and requests in flight, whose prompts are cached. The table states KV use
    that was asked for; requests in flight come from its throughput, by Little's law."""
    name, points = ("Llama-3.1-8B FP8", "H200", "1"), []
    for row in _rows(folder / DYNAMO.format("prefill")):
        points.append(Point(name, ("prefill",), int(row["prefill_isl"]), 1, 1, float(row["prefill_ttft"]) * MS, None))
    for row in _rows(folder / DYNAMO.format("decode")):
        itl_s = float(row["z_itl"]) * MS
        users = max(1, round(float(row["z_thpt_per_gpu"]) * itl_s))
        prompt = round(float(row["y_context_length"])) - DYNAMO_OSL // 2
        points.append(Point(name, ("decode",), prompt, DYNAMO_OSL, users, None, itl_s, cached_tokens=prompt))
    return points


def splitwise_points(folder: Path) -> list[Point]:
    """A batch of equal prompts read at once, then decoded together."""
    return [
        Point(
            deployment=(row["model"], row["hardware"], row["tensor_parallel"]),
            setting=(),
            input_tokens=int(row["prompt_size"]),
            output_tokens=int(row["token_size"]),
            users=int(row["batch_size"]),
            ttft_s=float(row["prompt_ms"]) * MS,
            tpot_s=float(row["token_ms"]) * MS,
        )
        for row in _rows(folder / SPLITWISE)
    ]


def measured_requests(folder: Path) -> list[MeasuredRequest]:
    """The recorded runs under overload, in order of arrival within each deployment."""
    found = [
        MeasuredRequest(
            deployment=(row["model"], row["gpu"], "1"),
            arrived_s=float(row["arrival_s"]),
            input_tokens=int(row["input_tokens"]),
            output_tokens=int(row["output_tokens"]),
            queue_s=float(row["queue_s"]),
            ttft_s=float(row["ttft_s"]),
            tpot_s=float(row["tpot_s"]),
            e2e_s=float(row["e2e_s"]),
        )
        for row in _rows(folder / REQUESTS)
    ]
    return sorted(found, key=lambda r: (r.deployment, r.arrived_s, r.input_tokens, r.output_tokens))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
