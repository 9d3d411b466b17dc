"""What it cost and what it carried, by target, namespace, variant or day; as JSON, CSV or Parquet."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import TypeAdapter

from controlplane.api.exports import chunks, csv_lines
from controlplane.api.principals import Who, demand
from controlplane.api.problems import bad_value
from controlplane.api.ranges import moment
from controlplane.domain.access import AccessRole
from controlplane.domain.target import Target
from controlplane.store.baselines import Baseline, baselines
from controlplane.store.queries import Queries
from controlplane.store.reports import Cell, Reports

DEFAULT_S = 30 * 86_400.0
LONGEST_S = 366 * 86_400.0
CENT, MIL = Decimal("0.01"), Decimal("0.0001")
NOTES = (
    "All of it is of every decision, summed by the hour; requests and tokens of a variant go as its GPUs do.",
    "Each decision speaks for the time until the next, at most five minutes: while nobody looked, nothing is counted.",
)
router = APIRouter(prefix="/api/v1", tags=["reports"])


class By(StrEnum):
    """What a row is of."""

    TARGET = "target"
    NAMESPACE = "namespace"
    VARIANT = "variant"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One row; dollars are decimal text. `attainment` is the share of requests that met their SLO, `goodput_rps` those
    per second. `savings_usd` is `baseline_usd` less the cost of the targets that have a baseline; None: none has."""

    key: str
    requests: int
    attainment: float | None
    goodput_rps: float | None
    gpu_hours: float
    tokens: int
    cost_usd: Decimal
    usd_per_million_tokens: Decimal | None
    baseline_usd: Decimal | None
    savings_usd: Decimal | None
    baseline: str
    """Whose word the baseline is."""


@dataclass(frozen=True, slots=True)
class Report:
    """Rows by key, and the sum over all of them."""

    from_s: float
    to_s: float
    by: By
    rows: tuple[ReportRow, ...]
    total: ReportRow
    notes: tuple[str, ...] = NOTES


EXPORTS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Report,
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.get("/reports", response_model=Report, responses=EXPORTS)
def reports(
    request: Request,
    who: Who,
    since: Annotated[str | None, Query(alias="from", description="unix seconds or RFC 3339; included")] = None,
    until: Annotated[str | None, Query(alias="to", description="unix seconds or RFC 3339; not included")] = None,
    by: By = By.TARGET,
    namespace: str | None = None,
    format: Annotated[Literal["json", "csv", "parquet"], Query()] = "json",
) -> Response:
    """Attainment, goodput, GPU-hours, dollars and savings of the targets that you may see; the last 30 days without a
    range."""
    seen = who.namespaces(AccessRole.VIEWER)
    if namespace is not None:
        demand(who, AccessRole.VIEWER, namespace)
        seen = frozenset((namespace,))
    to_s = moment(until, "to")
    to_s = request.app.state.clock.now_s() if to_s is None else to_s
    from_s = moment(since, "from")
    from_s = max(0.0, to_s - DEFAULT_S) if from_s is None else from_s
    if not 0 < to_s - from_s <= LONGEST_S:
        raise bad_value("from", str(since), f"a time before `to`, at most {LONGEST_S:.0f} s before it")
    found = _report(request, seen, from_s, to_s, by)
    if format == "csv":
        return _file(csv_lines(*_table(found)), "text/csv", "csv")
    if format == "parquet":
        return _file(chunks(_parquet(found)), "application/vnd.apache.parquet", "parquet")
    return JSONResponse(TypeAdapter(Report).dump_python(found, mode="json"))


def _report(request: Request, seen: frozenset[str] | None, from_s: float, to_s: float, by: By) -> Report:
    queries: Queries = request.app.state.queries
    targets = [t for t in queries.targets() if seen is None or t.namespace in seen]
    cells = Reports(queries.engine).cells([t.key for t in targets], from_s, to_s)
    against = baselines(queries.engine, targets)
    grouped: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        grouped[_key(cell, by, targets)].append(cell)
    rows = tuple(_row(key, grouped[key], against) for key in sorted(grouped))
    return Report(from_s, to_s, by, rows, _row("total", cells, against))


def _key(cell: Cell, by: By, targets: Sequence[Target]) -> str:
    match by:
        case By.TARGET:
            return cell.target
        case By.NAMESPACE:
            return next(t.namespace for t in targets if t.key == cell.target)
        case By.VARIANT:
            return f"{cell.target}/{cell.variant}"
        case By.DAY:
            return cell.day


def _row(key: str, cells: Sequence[Cell], against: Mapping[str, Baseline]) -> ReportRow:
    requests, met, known = (sum(getattr(c, name) for c in cells) for name in ("requests", "met", "known"))
    tokens, cost = sum(c.tokens for c in cells), sum((c.cost_usd for c in cells), Decimal(0))
    days = {(c.target, c.day): c.seconds for c in cells}
    seconds = sum(days.values()) / max(1, len({t for t, _ in days}))
    baseline, of = _baseline(cells, against)
    return ReportRow(
        key=key,
        requests=round(requests),
        attainment=met / known if known else None,
        goodput_rps=met / known * requests / seconds if known and seconds else None,
        gpu_hours=round(sum(c.gpu_hours for c in cells), 3),
        tokens=round(tokens),
        cost_usd=cost.quantize(CENT),
        usd_per_million_tokens=(cost / Decimal(repr(tokens / 1e6))).quantize(MIL) if tokens > 0 else None,
        baseline_usd=None if baseline is None else baseline.quantize(CENT),
        savings_usd=None if baseline is None else (baseline - of).quantize(CENT),
        baseline="; ".join(
            dict.fromkeys(f"{c.target}: {against[c.target].source}" for c in cells if c.target in against)
        ),
    )


def _baseline(cells: Sequence[Cell], against: Mapping[str, Baseline]) -> tuple[Decimal | None, Decimal]:
    """What the baselines would have cost, and what their targets did. A stated fleet's hours are shared out among a
    day's variants as its dollars are."""
    counted = [c for c in cells if c.target in against]
    if not counted:
        return None, Decimal(0)
    parts: dict[tuple[str, str], int] = defaultdict(int)
    for cell in counted:
        parts[cell.target, cell.day] += 1
    total = sum(
        (
            against[c.target].cost(c.cost_usd, Decimal(repr(c.seconds / 3600.0)) / parts[c.target, c.day])
            for c in counted
        ),
        Decimal(0),
    )
    return total, sum((c.cost_usd for c in counted), Decimal(0))


# Files


def _table(report: Report) -> tuple[list[str], list[list[object]]]:
    columns = [field.name for field in fields(ReportRow)]
    return columns, [[asdict(row)[name] for name in columns] for row in (*report.rows, report.total)]


def _parquet(report: Report) -> bytes:
    # Imported here: it is heavy, and only this needs it.
    import pyarrow as pa
    import pyarrow.parquet as pq

    money = pa.decimal128(18, 4)
    kinds = {
        "key": pa.string(),
        "baseline": pa.string(),
        "requests": pa.int64(),
        "tokens": pa.int64(),
        "attainment": pa.float64(),
        "goodput_rps": pa.float64(),
        "gpu_hours": pa.float64(),
    }
    schema = pa.schema([(field.name, kinds.get(field.name, money)) for field in fields(ReportRow)])
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([asdict(row) for row in report.rows], schema=schema), out)
    return out.getvalue()


def _file(body: Any, media_type: str, ending: str) -> StreamingResponse:
    headers = {"Content-Disposition": f'attachment; filename="tidegate-report.{ending}"'}
    return StreamingResponse(body, media_type=media_type, headers=headers)
