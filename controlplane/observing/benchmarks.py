"""Benchmark results of other tools, and our own, as measurements: which tool wrote it is seen from the document."""

from __future__ import annotations

import json

from pydantic import TypeAdapter, ValidationError

from controlplane.domain.json_object import FieldError, JsonObject
from controlplane.domain.measurement import Measurement
from controlplane.domain.target import Slo
from controlplane.observing.bench_aiperf import is_aiperf, read_aiperf
from controlplane.observing.bench_guidellm import is_guidellm, read_guidellm
from controlplane.observing.bench_vllm import is_vllm, read_vllm

KIND = "tidegate-profile"
"""Marks a document that `tidegate profile --json` wrote."""
KNOWN = (
    "the JSON of `vllm bench serve --save-result`, GuideLLM (benchmarks.json), AIPerf (profile_export_aiperf.json), "
    "genai-perf, or `tidegate profile --json`"
)
_RUNS = TypeAdapter(tuple[Measurement, ...])


def read_benchmarks(text: str, name: str) -> tuple[Measurement, ...]:
    """The runs in a file's text; `name` is what messages call it.

    Raises:
        FieldError: if it is not JSON, not of a tool that is known, or a field of it cannot be used.
    """
    documents = _documents(text, name)
    return tuple(run for document in documents for run in _read(JsonObject.of(name, document)))


def written(runs: tuple[Measurement, ...], slo: Slo, best: Measurement | None) -> str:
    """Our own document, which `read_benchmarks` takes back. `best` is the run whose goodput is the answer."""
    document = {
        "kind": KIND,
        "slo": {"ttft_s": slo.ttft_s, "tpot_s": slo.tpot_s, "attainment": slo.attainment},
        "goodput_rps": None if best is None else best.goodput_rps,
        "offered_rps": None if best is None else best.rate_rps,
        "measurements": _RUNS.dump_python(runs, mode="json"),
    }
    return json.dumps(document, indent=2) + "\n"


def _documents(text: str, name: str) -> list[object]:
    """One document, or one a line as `vllm bench serve --append-result` writes them."""
    try:
        return [json.loads(text)]
    except ValueError as whole:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            return [json.loads(line) for line in lines] if len(lines) > 1 else _refuse(name, whole)
        except ValueError:
            return _refuse(name, whole)


def _refuse(name: str, error: ValueError) -> list[object]:
    raise FieldError(f"{name} is not JSON ({error}); allowed: {KNOWN}")


def _read(document: JsonObject) -> tuple[Measurement, ...]:
    if document.values.get("kind") == KIND:
        return _own(document)
    if is_guidellm(document):
        return read_guidellm(document)
    if is_aiperf(document):
        return (read_aiperf(document),)
    if is_vllm(document):
        return (read_vllm(document),)
    fields = ", ".join(list(document.values)[:5]) or "nothing"
    raise FieldError(f"{document.where} has {fields}; allowed: {KNOWN}")


def _own(document: JsonObject) -> tuple[Measurement, ...]:
    try:
        return _RUNS.validate_python(document.items("measurements"))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise FieldError(f"{document.where}: measurements.{place} cannot be read: {first['msg']}") from error
