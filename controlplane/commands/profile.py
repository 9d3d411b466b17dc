"""`tidegate profile`: measure a server, or read what another tool measured; print, plot, fit."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from controlplane.adapters.completion_stream import Endpoint
from controlplane.adapters.engine_process import EngineProcess
from controlplane.adapters.openai_client import OpenAiClient
from controlplane.adapters.pareto_plot import check_plot, draw_pareto
from controlplane.adapters.profiler import Load, Profiler, Search, served_model
from controlplane.commands.fit import PLAIN_WIDTH, shown
from controlplane.commands.options import OptionError, accelerators, model_shape, numbers, positive
from controlplane.domain.measurement import Latency, Measurement
from controlplane.domain.target import Slo
from controlplane.observing.benchmarks import read_benchmarks, written
from controlplane.planning.pareto import frontier, points
from controlplane.planning.rate_search import best_run
from controlplane.planning.roofline import StepCost, prior
from controlplane.planning.step_fit import TooFewPoints, fit_step_cost

RESULT_MAX_BYTES = 512 * 1024 * 1024
"""A GuideLLM report with every request in it reaches some hundred megabytes."""


@dataclass(frozen=True, slots=True)
class ProfileOptions:
    """As typed."""

    url: str | None
    launch: str | None
    imported: Sequence[Path]
    engine_arguments: Sequence[str]
    start_timeout_s: float
    model: str | None
    chat: bool
    api_key: str | None
    input_tokens: int
    output_tokens: int
    rates: str | None
    bisect: bool
    start_rps: float
    ttft_s: float
    tpot_s: float
    attainment: float
    duration_s: float
    timeout_s: float
    seed: int
    gpus: int
    config: str | None
    accelerator: str | None
    json_path: Path | None
    plot_path: Path | None


def run_profile(options: ProfileOptions) -> None:
    """Measure or import, print the table, and write what was asked for.

    Raises:
        ValueError: naming the option, the file or the server that cannot be used, and what is allowed.
    """
    _check(options)
    step_prior = _prior(options)
    runs = _imported(options.imported) if options.imported else _measured_now(options)
    slo = Slo(options.ttft_s, options.tpot_s, options.attainment)
    best, missed_rps = best_run(runs, slo.attainment)
    if options.json_path is not None:
        options.json_path.write_text(written(runs, slo, best), encoding="utf-8")
    Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH).print(_table(runs, options.gpus))
    for note in dict.fromkeys(note for run in runs for note in run.notes):
        print(f"note: {note}")
    if not options.imported:
        print(_verdict(best, missed_rps, slo))
    if step_prior is not None:
        print(_fitted(runs, step_prior))
    if options.plot_path is not None:
        title = next((run.model for run in runs if run.model), "profile")
        draw_pareto(points(runs, options.gpus), options.plot_path, title, options.attainment)


def _check(options: ProfileOptions) -> None:
    sources = [bool(options.url), bool(options.launch), bool(options.imported)]
    if sum(sources) != 1:
        raise OptionError(f"{sum(sources)} sources are given; allowed: one of URL, --launch MODEL and --import FILE")
    if options.bisect and options.rates is not None:
        raise OptionError(f"--bisect and --rates {options.rates} are both given; allowed: one of them")
    for option, count in (("--isl", options.input_tokens), ("--osl", options.output_tokens), ("--gpus", options.gpus)):
        if count < 1:
            raise OptionError(f"{option} is {count}; allowed: an integer of 1 or more")
    for option, value in (
        ("--ttft", options.ttft_s),
        ("--tpot", options.tpot_s),
        ("--duration", options.duration_s),
        ("--timeout", options.timeout_s),
        ("--start-timeout", options.start_timeout_s),
        ("--start-rate", options.start_rps),
    ):
        positive(option, value)
    if not 0 < options.attainment <= 1:
        raise OptionError(f"--attainment is {options.attainment}; allowed: above 0, up to 1")
    if options.json_path is not None and not options.json_path.absolute().parent.is_dir():
        raise OptionError(f"--json is {str(options.json_path)!r}; allowed: a file in a directory that exists")
    if options.plot_path is not None:
        check_plot(options.plot_path)


def _prior(options: ProfileOptions) -> StepCost | None:
    """Where the fit of a step's cost starts; None where it was not asked for."""
    if options.config is None and options.accelerator is None:
        return None
    if options.config is None or options.accelerator is None:
        raise OptionError("--config and --accelerator are given one without the other; allowed: both, or neither")
    (gpu,) = accelerators([options.accelerator], [])
    shape = model_shape(options.config)
    return prior(shape.model(options.input_tokens + options.output_tokens, options.gpus), gpu, options.gpus)


def _imported(files: Sequence[Path]) -> tuple[Measurement, ...]:
    runs: list[Measurement] = []
    for file in files:
        if not file.is_file() or file.stat().st_size > RESULT_MAX_BYTES:
            raise OptionError(f"--import is {str(file)!r}; allowed: a file of at most {RESULT_MAX_BYTES >> 20} MiB")
        runs += read_benchmarks(file.read_text(encoding="utf-8", errors="replace"), file.name)
    if not runs:
        raise OptionError(f"--import has no run in {', '.join(file.name for file in files)}; allowed: at least one")
    return tuple(runs)


def _measured_now(options: ProfileOptions) -> tuple[Measurement, ...]:
    async def guarded() -> tuple[Measurement, ...]:
        # SIGTERM as Ctrl-C: what was launched is stopped on the way out.
        work = asyncio.ensure_future(_measured(options))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
        return await work

    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)


async def _measured(options: ProfileOptions) -> tuple[Measurement, ...]:
    async with AsyncExitStack() as stack:
        url = options.url or ""
        if options.launch is not None:
            engine = EngineProcess(options.launch, options.engine_arguments, options.start_timeout_s, _told)
            url = (await stack.enter_async_context(engine)).url
        endpoint = Endpoint.CHAT if options.chat else Endpoint.COMPLETIONS
        client = await stack.enter_async_context(OpenAiClient(url, endpoint, options.api_key, options.timeout_s))
        model = await served_model(client, options.model)
        slo = Slo(options.ttft_s, options.tpot_s, options.attainment)
        load = Load(model, options.input_tokens, options.output_tokens, slo, options.duration_s, options.seed)
        profiler = Profiler(client, load, _told)
        await profiler.prepare()
        if options.rates is None:
            return await profiler.search(Search(options.start_rps))
        return tuple([await profiler.measure(rate) for rate in numbers("--rates", options.rates)])


def _told(line: str) -> None:
    """Progress, apart from the result."""
    print(line, file=sys.stderr, flush=True)


COLUMNS = ("SOURCE", "RATE/S", "IN FLIGHT", "ISL", "OSL", "N", "FAILED", "TTFT p50 ms", "p99", "TPOT p50 ms", "p99")
MORE_COLUMNS = ("ITL p50 ms", "p99", "REQ/S", "TOK/S", "GOODPUT/S", "MET SLO", "TOK/S/USER", "TOK/S/GPU", "")


def _table(runs: Sequence[Measurement], gpus: int) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in (*COLUMNS, *MORE_COLUMNS):
        table.add_column(column, justify="left" if column in ("SOURCE", "") else "right", no_wrap=True)
    placed = {point.measurement: point for point in points(runs, gpus)}
    best = {point.measurement for point in frontier(tuple(placed.values()))}
    for run in runs:
        point = placed.get(run)
        table.add_row(
            *(run.source, shown(run.rate_rps, ".2f"), shown(run.concurrency, ".1f")),
            *(shown(run.input_tokens, ".0f"), shown(run.output_tokens, ".0f"), str(run.requests), str(run.failed)),
            *(cell for kind in (run.ttft, run.tpot, run.itl) for cell in _latency_cells(kind)),
            *(shown(run.throughput_rps, ".2f"), shown(run.output_tokens_per_s, ".1f")),
            *(shown(run.goodput_rps, ".2f"), shown(run.attainment, ".1%")),
            *((f"{point.per_user:.1f}", f"{point.per_gpu:.1f}") if point else ("-", "-")),
            "pareto" if run in best else "",
        )
    return table


def _latency_cells(kind: Latency | None) -> tuple[str, str]:
    if kind is None:
        return "-", "-"
    return shown(kind.p50_s, ".1f", 1e3), shown(kind.p99_s, ".1f", 1e3)


def _verdict(best: Measurement | None, missed_rps: float | None, slo: Slo) -> str:
    limits = f"TTFT <= {slo.ttft_s:g} s and TPOT <= {slo.tpot_s * 1e3:g} ms for {slo.attainment:.1%}"
    if best is None:
        return f"no rate met {limits}"
    above = "" if missed_rps is None else f"; {missed_rps:.3g} requests/s missed it"
    return f"goodput {best.goodput_rps:.3g} requests/s at {best.rate_rps:.3g} offered, with {limits}{above}"


def _fitted(runs: Sequence[Measurement], start: StepCost) -> str:
    try:
        fitted = fit_step_cost(runs, start)
    except TooFewPoints as error:
        return f"step cost: not fitted, {error}"
    cost = fitted.cost
    return "\n".join(
        (
            f"step cost from {fitted.equations} equations, {fitted.relative_error:.1%} off in the root mean square:",
            *(
                f"  {name} = {value * 1e6:.4g} us ({value / before:.2f} x the datasheets')"
                for name, value, before in (
                    ("a (a step)", cost.a_s, start.a_s),
                    ("b (a prompt token)", cost.b_s_per_token, start.b_s_per_token),
                    ("c (a sequence that decodes)", cost.c_s_per_sequence, start.c_s_per_sequence),
                    ("d (a token of context)", cost.d_s_per_token, start.d_s_per_token),
                )
            ),
        )
    )
