"""`tidegate fit`: what fits where, as a table or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from rich.console import Console
from rich.table import Table

from controlplane.commands.options import OptionError, accelerators, counts, model_shape, positive
from controlplane.domain.target import Slo
from controlplane.planning.fit_report import FitRow, Workload, best_widths, fit_rows
from controlplane.planning.lora_slots import DEFAULT_RANK, DEFAULT_SLOTS, STEP_SHARE, LoraSlots
from controlplane.planning.model_shape import ModelShape

GB = 1e9
KV_DTYPES: dict[str, float | None] = {"auto": None, "bf16": 2.0, "fp8": 1.0}
PLAIN_WIDTH = 220
"""Columns where the output is no terminal: enough for a row with its reason."""


@dataclass(frozen=True, slots=True)
class FitOptions:
    """As typed."""

    model: str
    accelerators: Sequence[str]
    prices: Sequence[str]
    input_tokens: int
    output_tokens: int
    ttft_s: float
    tpot_s: float
    widths: str
    kv_dtype: str
    max_loras: int | None
    lora_rank: int | None
    every: bool
    as_json: bool


def run_fit(options: FitOptions) -> None:
    """Print the table.

    Raises:
        ValueError: naming the option or the field of config.json that cannot be used, and what is allowed.
    """
    shape = _with_kv_dtype(model_shape(options.model), options.kv_dtype)
    slo = Slo(positive("--ttft", options.ttft_s), positive("--tpot", options.tpot_s))
    for option, tokens in (("--isl", options.input_tokens), ("--osl", options.output_tokens)):
        if tokens < 1:
            raise OptionError(f"{option} is {tokens}; allowed: an integer of 1 or more")
    workload = Workload(options.input_tokens, options.output_tokens)
    gpus, lora = accelerators(options.accelerators, options.prices), _lora(options)
    rows = fit_rows(shape, gpus, counts("--tp", options.widths), workload, slo, lora)
    if options.as_json:
        print(json.dumps(_document(shape, workload, slo, lora, rows), indent=2))
        return
    for line in _heading(shape, workload, slo, lora):
        print(line)
    short = not options.every and not options.accelerators
    Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH).print(_table(best_widths(rows) if short else rows))
    if short:
        print("each accelerator at its cheapest width; --all shows every one, --accelerator NAME all of one")
    print(_verdict(rows))


def _with_kv_dtype(shape: ModelShape, dtype: str) -> ModelShape:
    """As `vllm serve --kv-cache-dtype`."""
    if dtype not in KV_DTYPES:
        raise OptionError(f"--kv-dtype is {dtype!r}; allowed: {', '.join(KV_DTYPES)}")
    element_bytes = KV_DTYPES[dtype]
    return shape if element_bytes is None else replace(shape, kv_bytes_per_element=element_bytes)


def _lora(options: FitOptions) -> LoraSlots | None:
    """As `vllm serve --enable-lora`: what is not given is vLLM's default."""
    if options.max_loras is None and options.lora_rank is None:
        return None
    slots = DEFAULT_SLOTS if options.max_loras is None else options.max_loras
    return LoraSlots(slots, DEFAULT_RANK if options.lora_rank is None else options.lora_rank)


def _document(
    shape: ModelShape, workload: Workload, slo: Slo, lora: LoraSlots | None, rows: Sequence[FitRow]
) -> dict[str, object]:
    slots = None if lora is None else {"max_loras": lora.slots, "max_lora_rank": lora.rank, "step_share": STEP_SHARE}
    return {
        "model": asdict(shape),
        "workload": asdict(workload),
        "slo": {"ttft_s": slo.ttft_s, "tpot_s": slo.tpot_s},
        "lora": slots,
        "rows": [asdict(row) for row in rows],
    }


def _heading(shape: ModelShape, workload: Workload, slo: Slo, lora: LoraSlots | None) -> list[str]:
    count = f"{shape.parameters / GB:.2f}B parameters"
    if shape.active_parameters != shape.parameters:
        count += f", {shape.active_parameters / GB:.2f}B active"
    heads = f"{shape.layers} layers, {shape.attention_heads} heads, {shape.kv_heads} KV heads"
    return [
        f"{shape.name}: {count}, {shape.weight_format}, {heads}, context {shape.max_context_tokens}",
        *(f"note: {note}" for note in shape.notes),
        *_lora_heading(lora),
        f"ISL {workload.input_tokens}, OSL {workload.output_tokens}, TTFT <= {slo.ttft_s:g} s, "
        f"TPOT <= {slo.tpot_s * 1e3:g} ms; predicted from datasheets, not measured",
    ]


def _lora_heading(lora: LoraSlots | None) -> list[str]:
    if lora is None:
        return []
    return [
        f"LoRA: {lora.slots} x rank {lora.rank}, every request with an adapter; steps {STEP_SHARE:.0%} longer, as "
        "measured on vLLM 0.25 (vllm-project/vllm#48887)"
    ]


def _table(rows: Sequence[FitRow]) -> Table:
    table = Table(box=None, pad_edge=False)
    left = ("ACCELERATOR", "FITS", "BOUND", "NOTE")
    lora = any(row.lora_bytes is not None for row in rows)
    for column in (
        *("ACCELERATOR", "TP", "FITS", "WEIGHTS GB", *(["LORA GB"] if lora else [])),
        *("KV B/TOKEN", "KV TOKENS", "SEQS", "TTFT ms", "TPOT ms", "REQ/S"),
        *("BOUND", "$/H", "$/M OUT", "$/M TOKENS", "NOTE"),
    ):
        table.add_column(column, justify="left" if column in left else "right", no_wrap=column != "NOTE")
    for row in rows:
        table.add_row(*_cells(row), style="bold" if row.cheapest else "")
    return table


def _cells(row: FitRow) -> list[str]:
    return [
        row.accelerator,
        str(row.gpus),
        "cheapest" if row.cheapest else "yes" if row.fits else "no",
        f"{row.weight_bytes / GB:.1f}",
        *([] if row.lora_bytes is None else [f"{row.lora_bytes / GB:.2f}"]),
        f"{row.kv_bytes_per_token:.0f}",
        shown(row.kv_tokens, "d"),
        shown(row.sequences, "d"),
        shown(row.ttft_s, ".0f", 1e3),
        shown(row.tpot_s, ".1f", 1e3),
        shown(row.requests_per_s, ".2f"),
        row.bound or "-",
        f"{row.usd_per_hour:.2f}",
        shown(row.usd_per_million_output, ".2f"),
        shown(row.usd_per_million_tokens, ".3f"),
        row.why or row.caution or "",
    ]


def shown(value: float | None, pattern: str, factor: float = 1) -> str:
    """A number times `factor`, or a dash for what is not known: missing is never zero."""
    return "-" if value is None else format(value * factor, pattern)


def _verdict(rows: Sequence[FitRow]) -> str:
    best = next((row for row in rows if row.cheapest), None)
    if best is None:
        return "nothing here serves it within the SLO"
    return (
        f"cheapest: {best.gpus} x {best.accelerator}, {best.requests_per_s:.2f} requests/s a replica, "
        f"${best.usd_per_million_output:.2f} per million output tokens"
    )
