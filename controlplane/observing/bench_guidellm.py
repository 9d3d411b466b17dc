"""GuideLLM's benchmarks.json: a report with one benchmark a load (guidellm/benchmark/schemas)."""

from __future__ import annotations

from controlplane.domain.json_object import FieldError, JsonObject
from controlplane.domain.measurement import Latency, Measurement

MS = 1e-3


def is_guidellm(document: JsonObject) -> bool:
    """Whether it looks like one."""
    return isinstance(document.values.get("benchmarks"), list)


def read_guidellm(document: JsonObject) -> tuple[Measurement, ...]:
    """Its runs, in the file's order.

    Raises:
        FieldError: if a field is of the wrong kind, or a needed one is missing.
    """
    model = _model(document)
    return tuple(
        _read(JsonObject.of(f"{document.where}: benchmarks[{number}]", item), model)
        for number, item in enumerate(document.items("benchmarks"))
    )


def _model(document: JsonObject) -> str | None:
    for place in ("config", "args"):
        arguments = document.child(place)
        if arguments is not None and isinstance(arguments.values.get("model"), str):
            return arguments.text("model")
    return None


def _read(run: JsonObject, model: str | None) -> Measurement:
    metrics = run.child("metrics")
    if metrics is None:
        raise FieldError(f"{run.where}: metrics is absent; allowed: an object, as GuideLLM 0.2 and later write it")
    totals = metrics.child("request_totals") or run.child("request_totals")
    # Requests that the end of the run cut off say nothing of the server.
    succeeded, errored = (_number(totals, name) or 0.0 for name in ("successful", "errored"))
    goodput = _statistic(metrics, "request_goodput", "mean")
    return Measurement(
        source="guidellm",
        model=model,
        rate_rps=_rate(run),
        concurrency=_statistic(metrics, "request_concurrency", "mean"),
        input_tokens=_statistic(metrics, "prompt_token_count", "mean"),
        output_tokens=_statistic(metrics, "output_token_count", "mean"),
        requests=int(succeeded + errored),
        failed=int(errored),
        duration_s=_duration(run),
        ttft=_latency(metrics, "time_to_first_token_ms"),
        # GuideLLM's time_per_output_token has the first token in it; its inter_token_latency is what others call TPOT.
        tpot=_latency(metrics, "inter_token_latency_ms"),
        itl=None,
        throughput_rps=_statistic(metrics, "requests_per_second", "mean"),
        output_tokens_per_s=_statistic(metrics, "output_tokens_per_second", "mean"),
        goodput_rps=goodput,
        attainment=metrics.number("slo_attainment"),
    )


def _number(parent: JsonObject | None, name: str) -> float | None:
    return None if parent is None else parent.number(name)


def _summary(metrics: JsonObject, name: str) -> JsonObject | None:
    """The distribution over successful requests."""
    by_status = metrics.child(name)
    return None if by_status is None else by_status.child("successful")


def _statistic(metrics: JsonObject, name: str, statistic: str) -> float | None:
    return _number(_summary(metrics, name), statistic)


def _latency(metrics: JsonObject, name: str) -> Latency | None:
    summary = _summary(metrics, name)
    if summary is None or summary.number("count") == 0:
        return None
    percentiles = summary.child("percentiles")
    values = (summary.number("mean"), summary.number("median"), _number(percentiles, "p99"))
    return Latency(*(None if value is None else value * MS for value in values))


def _rate(run: JsonObject) -> float | None:
    """The rate that was offered, where the strategy has one."""
    for place in ("config", "args"):
        parent = run.child(place)
        strategy = parent.child("strategy") if parent is not None else None
        if strategy is not None and isinstance(strategy.values.get("rate"), int | float):
            return strategy.number("rate")
    return None


def _duration(run: JsonObject) -> float | None:
    duration_s = run.number("duration")
    if duration_s is not None:
        return duration_s
    start_s, end_s = run.number("start_time"), run.number("end_time")
    return end_s - start_s if start_s is not None and end_s is not None else None
