"""The commands beside those of the processes, as typer reads them; what they do is imported when they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand


def register(app: typer.Typer) -> None:
    """Add them."""
    app.command()(fit)
    app.command()(profile)
    app.command(cls=_ManyValues)(league)
    app.command()(crd)
    imports = typer.Typer(no_args_is_help=True, help="Write another autoscaler's object as an InferenceAutoscaler.")
    imports.command("hpa")(_import_hpa)
    imports.command("scaledobject")(_import_scaled_object)
    app.add_typer(imports, name="import")
    app.command()(dialects)


def dialects(
    into: Annotated[Path | None, typer.Option(help="Renew the tables in this Markdown file instead.")] = None,
) -> None:
    """Which metrics are read of which engine, as Markdown: docs/metrics-sources.md has these tables."""
    from controlplane.commands.dialects import run_dialects

    run_dialects(into)


def fit(
    model: Annotated[str, typer.Argument(help="A catalog name, a config.json, or a folder with one.")],
    accelerator: Annotated[list[str] | None, typer.Option(help="Only this one; may be repeated.")] = None,
    price: Annotated[list[str] | None, typer.Option(help="NAME=USD per GPU hour; may be repeated.")] = None,
    isl: Annotated[int, typer.Option(help="Mean input tokens.")] = 1000,
    osl: Annotated[int, typer.Option(help="Mean output tokens.")] = 200,
    ttft: Annotated[float, typer.Option(help="Limit of the time to first token, seconds.")] = 2.0,
    tpot: Annotated[float, typer.Option(help="Limit of the time per output token, seconds.")] = 0.1,
    tp: Annotated[str, typer.Option(help="Tensor-parallel widths.")] = "1,2,4,8",
    kv_dtype: Annotated[
        str, typer.Option(help="Of the KV cache: auto (as the checkpoint says), bf16 or fp8.")
    ] = "auto",
    max_loras: Annotated[
        int | None, typer.Option(help="LoRA adapters in a batch, as vLLM's --max-loras; without either: no LoRA.")
    ] = None,
    lora_rank: Annotated[int | None, typer.Option(help="Their highest rank, as vLLM's --max-lora-rank.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every accelerator at every width.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON: every row.")] = False,
) -> None:
    """What fits where: memory, latencies, requests/s within the SLO, and the price of a token."""
    from controlplane.commands.fit import FitOptions, run_fit

    run_fit(
        FitOptions(
            model=model,
            accelerators=accelerator or (),
            prices=price or (),
            input_tokens=isl,
            output_tokens=osl,
            ttft_s=ttft,
            tpot_s=tpot,
            widths=tp,
            kv_dtype=kv_dtype,
            max_loras=max_loras,
            lora_rank=lora_rank,
            every=every,
            as_json=as_json,
        )
    )


def profile(
    url: Annotated[str | None, typer.Argument(help="A running OpenAI-compatible server.")] = None,
    launch: Annotated[str | None, typer.Option(help="Start `vllm serve MODEL` instead (extra: vllm).")] = None,
    imported: Annotated[
        list[Path] | None,
        typer.Option("--import", help="Read a result of vllm bench serve, GuideLLM or AIPerf; may be repeated."),
    ] = None,
    engine_arg: Annotated[list[str] | None, typer.Option(help="For --launch, e.g. --engine-arg=--dtype=half.")] = None,
    start_timeout: Annotated[float, typer.Option(help="For --launch: seconds until it must be healthy.")] = 900.0,
    model: Annotated[str | None, typer.Option(help="The served name; needed where there are several.")] = None,
    chat: Annotated[bool, typer.Option("--chat", help="/v1/chat/completions instead of /v1/completions.")] = False,
    api_key: Annotated[str | None, typer.Option(help="Bearer token.", envvar="OPENAI_API_KEY")] = None,
    isl: Annotated[int, typer.Option(help="Input tokens of a request.")] = 1000,
    osl: Annotated[int, typer.Option(help="Output tokens of a request.")] = 200,
    rates: Annotated[str | None, typer.Option(help="Requests/s, e.g. 1,2,4; without: bisect.")] = None,
    bisect: Annotated[bool, typer.Option("--bisect", help="Find the highest rate that meets the SLO.")] = False,
    start_rate: Annotated[float, typer.Option(help="Where the bisection starts, requests/s.")] = 1.0,
    ttft: Annotated[float, typer.Option(help="Limit of the time to first token, seconds.")] = 2.0,
    tpot: Annotated[float, typer.Option(help="Limit of the time per output token, seconds.")] = 0.1,
    attainment: Annotated[float, typer.Option(help="Share of requests that must meet both.")] = 0.99,
    duration: Annotated[float, typer.Option(help="Seconds that are judged, per rate.")] = 60.0,
    timeout: Annotated[float, typer.Option(help="Seconds for one request.")] = 600.0,
    seed: Annotated[int, typer.Option(min=0, help="Of arrivals and prompts.")] = 1,
    gpus: Annotated[int, typer.Option(help="GPUs of the server: for tokens/s per GPU, and the fit.")] = 1,
    config: Annotated[
        str | None, typer.Option(help="With --accelerator: fit a step's cost; as MODEL of `fit`.")
    ] = None,
    accelerator: Annotated[str | None, typer.Option(help="Of the catalog, for the fit of a step's cost.")] = None,
    out: Annotated[Path | None, typer.Option("--json", help="Where to write the measurements.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Where to draw the Pareto picture (.svg, .png, .pdf).")] = None,
) -> None:
    """Measure a running server: TTFT, TPOT, ITL, and the goodput within the SLO."""
    from controlplane.commands.profile import ProfileOptions, run_profile

    run_profile(
        ProfileOptions(
            url=url,
            launch=launch,
            imported=imported or (),
            engine_arguments=engine_arg or (),
            start_timeout_s=start_timeout,
            model=model,
            chat=chat,
            api_key=api_key,
            input_tokens=isl,
            output_tokens=osl,
            rates=rates,
            bisect=bisect,
            start_rps=start_rate,
            ttft_s=ttft,
            tpot_s=tpot,
            attainment=attainment,
            duration_s=duration,
            timeout_s=timeout,
            seed=seed,
            gpus=gpus,
            config=config,
            accelerator=accelerator,
            json_path=out,
            plot_path=plot,
        )
    )


class _ManyValues(TyperCommand):
    """Lets an option that may be repeated take several values at once, as a shell's wildcard gives them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See click's `Command`."""
        repeatable = {name for p in self.params if getattr(p, "multiple", False) for name in p.opts}
        spread: list[str] = []
        option: str | None = None
        for place, arg in enumerate(args):
            if arg.startswith("-"):
                option = arg if arg in repeatable else None
            elif option is not None and args[place - 1] != option:
                spread.append(option)
            spread.append(arg)
        return super().parse_args(ctx, spread)


def league(
    trace: Annotated[list[Path], typer.Option(help="Traces, .csv or .csv.gz: one or more.")],
    scenario: Annotated[
        list[str] | None, typer.Option(help="Shipped scenarios' names, or files; without: the four league-*.")
    ] = None,
    cold_start: Annotated[str, typer.Option(help="Mean seconds until a replica is Ready.")] = "60,180,420",
    policy: Annotated[
        list[str] | None,
        typer.Option(help="tidegate, static:N, static-best, a peer, or oracle; without: all. The oracle always plays."),
    ] = None,
    tuned: Annotated[bool, typer.Option("--tuned", help="Every peer also with its best setting, as NAME*.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Whole traces, not their liveliest windows.")] = False,
    requests: Annotated[int, typer.Option(help="The most requests of a window.")] = 400_000,
    copies_within: Annotated[
        float,
        typer.Option(
            help="Rates are scaled by copies shifted by at most so many seconds; with 15 they come in clumps."
        ),
    ] = 300.0,
    jobs: Annotated[int | None, typer.Option(help="Processes; without: one a core.")] = None,
    again: Annotated[
        list[str] | None, typer.Option(help="Play these policies anew, though their rows are in the file.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--json", help="Where to write the rows; what it has already is not played again.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="A folder for one picture a case.")] = None,
) -> None:
    """Tidegate and its peers on the same traces, scenarios and cold starts: attainment, cost, and the oracle's."""
    from controlplane.commands.league import LeagueOptions, default_policies, default_scenarios, run_league
    from controlplane.commands.options import names

    run_league(
        LeagueOptions(
            traces=trace,
            scenarios=scenario or default_scenarios(),
            cold_starts=cold_start,
            policies=names(policy or ()) or default_policies(),
            tuned=tuned,
            requests=None if full else requests,
            jobs=jobs,
            again=names(again or ()),
            json_path=out,
            plot_path=plot,
            copies_within_s=copies_within,
        )
    )


def crd(markdown: Annotated[bool, typer.Option("--markdown", help="Its fields as tables instead.")] = False) -> None:
    """Print the CustomResourceDefinitions, for `kubectl apply -f -`."""
    from controlplane.commands.crd_reference import reference
    from controlplane.crds import inference_autoscaler, plain_yaml

    typer.echo((reference if markdown else plain_yaml)(inference_autoscaler()), nl=False)


_Namespace = Annotated[str, typer.Option("--namespace", "-n", help="Its namespace.")]
_Model = Annotated[
    str | None, typer.Option(help="The catalog's name; without: what the workload's command line serves.")
]
_Gpu = Annotated[str | None, typer.Option(help="The catalog's name; without: discovered from the pod template.")]
_Preset = Annotated[str, typer.Option(help="The SLO: Chat, RAG, CodeCompletion or Batch.")]
_File = Annotated[Path | None, typer.Option("--file", "-f", help="Read it from this YAML file, not from the cluster.")]
_Output = Annotated[Path | None, typer.Option("--output", "-o", help="Where to write the resource; without: stdout.")]


def _import_hpa(
    name: Annotated[str, typer.Argument(help="Of the HorizontalPodAutoscaler.")],
    namespace: _Namespace = "default",
    model: _Model = None,
    accelerator: _Gpu = None,
    slo: _Preset = "Chat",
    file: _File = None,
    output: _Output = None,
) -> None:
    """A HorizontalPodAutoscaler (autoscaling/v2) as an InferenceAutoscaler in Shadow."""
    from controlplane.commands.imports import ImportOptions, import_hpa

    import_hpa(ImportOptions(name, namespace, model, accelerator, slo, file, output))


def _import_scaled_object(
    name: Annotated[str, typer.Argument(help="Of the ScaledObject.")],
    namespace: _Namespace = "default",
    model: _Model = None,
    accelerator: _Gpu = None,
    slo: _Preset = "Chat",
    file: _File = None,
    output: _Output = None,
) -> None:
    """A KEDA ScaledObject as an InferenceAutoscaler in Shadow."""
    from controlplane.commands.imports import ImportOptions, import_scaled_object

    import_scaled_object(ImportOptions(name, namespace, model, accelerator, slo, file, output))
