"""The catalog: accelerators with the prices that hold, models, and what fits where."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from controlplane.api.money import PriceOut, exact, price_out
from controlplane.api.principals import Who
from controlplane.api.problems import MISSING, NotFound, bad_value
from controlplane.api.writes import etag
from controlplane.domain import catalog
from controlplane.domain.catalog import Accelerator, Model
from controlplane.domain.directives import PriceKind
from controlplane.domain.target import PriceSource, Slo
from controlplane.planning.fit_report import FitRow, Workload, fit_rows
from controlplane.planning.model_shape import shape_of
from controlplane.store.prices import Prices, StoredPrice

WIDTHS = (1, 2, 4, 8)
"""Tensor-parallel widths that are tried where none is asked for: those of one machine."""

router = APIRouter(prefix="/api/v1/catalog", tags=["catalog"])

AcceleratorName = Annotated[str, Path(examples=["H100"])]
ModelName = Annotated[str, Path(examples=["llama-3.1-8b"])]


class AcceleratorOut(BaseModel):
    """One GPU: the datasheet's numbers, and what an hour of it costs by whose word. Money is decimal text."""

    name: str
    memory_bytes: float
    bandwidth_bytes_per_s: float
    bf16_flops_per_s: float
    link_bytes_per_s: float
    peer_bytes_per_s: float | None
    usd_per_hour: Decimal
    usd_per_hour_source: PriceSource
    spot_usd_per_hour: Decimal
    spot_usd_per_hour_source: PriceSource
    catalog_usd_per_hour: Decimal
    catalog_spot_usd_per_hour: Decimal
    override: PriceOut | None
    etag: str


class ModelOut(BaseModel):
    """A decoder-only transformer, from its config.json."""

    name: str
    parameters: float
    layers: int
    hidden_size: int
    attention_heads: int
    kv_heads: int
    head_dim: int
    max_context_tokens: int
    weight_bytes: float
    kv_bytes_per_token: float


class FitOut(BaseModel):
    """One accelerator at one tensor-parallel width. What cannot be said is null; `why` says what stands against it.

    `ttft_s` is that of an idle replica, `tpot_s` the mean at `goodput_rps`, which is what one replica carries within
    the SLO. `sequences` fit into the cache at full length, or are the engine's limit.
    """

    accelerator: str
    gpus: int
    fits: bool
    why: str | None
    caution: str | None
    weight_bytes: float
    kv_bytes_per_token: float
    kv_tokens: int | None
    sequences: int | None
    ttft_s: float | None
    tpot_s: float | None
    goodput_rps: float | None
    bound: str | None
    usd_per_hour: Decimal
    usd_per_million_output_tokens: Decimal | None
    usd_per_million_tokens: Decimal | None
    cheapest: bool


@router.get("/accelerators")
def accelerators(request: Request, who: Who) -> list[AcceleratorOut]:  # noqa: ARG001 (whoever is somebody may read it)
    """Every accelerator of the catalog, at the prices that hold now."""
    now_s: float = request.app.state.clock.now_s()
    said = _prices(request).newest(PriceKind.ACCELERATOR)
    return [accelerator_out(gpu, said.get(gpu.name), now_s) for gpu in catalog.ACCELERATORS.values()]


@router.get("/accelerators/{accelerator}", responses=MISSING, response_model=AcceleratorOut)
def accelerator(accelerator: AcceleratorName, request: Request, who: Who) -> JSONResponse:  # noqa: ARG001 (as above)
    """One accelerator; its ETag is that of its price."""
    gpu, said = found_accelerator(accelerator), _prices(request).get(PriceKind.ACCELERATOR, accelerator)
    view = accelerator_out(gpu, said, request.app.state.clock.now_s())
    return JSONResponse(view.model_dump(mode="json"), headers={"ETag": view.etag})


@router.get("/models")
def models(who: Who) -> list[ModelOut]:  # noqa: ARG001 (as above)
    """Every model of the catalog."""
    return [_model_out(model) for model in catalog.MODELS.values()]


@router.get("/models/{model}/fit", responses=MISSING)
def fit(
    model: ModelName,
    request: Request,
    who: Who,  # noqa: ARG001 (as above)
    accelerator: Annotated[list[str] | None, Query(description="may be repeated; every one without")] = None,
    gpus: Annotated[list[Annotated[int, Query(ge=1, le=64)]] | None, Query(description="GPUs per replica")] = None,
    isl: Annotated[int, Query(ge=1, le=10_000_000, description="mean input tokens")] = 1000,
    osl: Annotated[int, Query(ge=1, le=10_000_000, description="mean output tokens")] = 200,
    ttft: Annotated[float, Query(gt=0, le=86_400, description="limit of the time to first token, s")] = 2.0,
    tpot: Annotated[float, Query(gt=0, le=86_400, description="limit of the time per output token, s")] = 0.1,
) -> list[FitOut]:
    """What fits where, and what it carries within the SLO at which price: predicted from datasheets, not measured."""
    if model not in catalog.MODELS:
        raise NotFound(f"there is no model {model}; there are {', '.join(catalog.MODELS)}")
    for name in accelerator or ():
        if name not in catalog.ACCELERATORS:
            raise bad_value("accelerator", name, ", ".join(catalog.ACCELERATORS))
    names = list(dict.fromkeys(accelerator or catalog.ACCELERATORS))
    now_s: float = request.app.state.clock.now_s()
    said = _prices(request).newest(PriceKind.ACCELERATOR)
    priced = [_at_price(catalog.ACCELERATORS[name], said.get(name), now_s) for name in names]
    widths = sorted(set(gpus or WIDTHS))
    rows = fit_rows(shape_of(catalog.MODELS[model]), priced, widths, Workload(isl, osl), Slo(ttft, tpot))
    return [_fit_out(row) for row in rows]


def found_accelerator(name: str) -> Accelerator:
    """The accelerator of that name.

    Raises:
        NotFound: naming those there are.
    """
    if name not in catalog.ACCELERATORS:
        raise NotFound(f"there is no accelerator {name}; there are {', '.join(catalog.ACCELERATORS)}")
    return catalog.ACCELERATORS[name]


def accelerator_out(gpu: Accelerator, said: StoredPrice | None, now_s: float) -> AcceleratorOut:
    """As the API shows it, with what was said last of its price."""
    active = said if said is not None and said.active(now_s) else None
    usd = active.usd_per_hour if active else None
    spot = active.spot_usd_per_hour if active else None
    return AcceleratorOut(
        name=gpu.name,
        memory_bytes=gpu.memory_bytes,
        bandwidth_bytes_per_s=gpu.bandwidth_bytes_per_s,
        bf16_flops_per_s=gpu.bf16_flops_per_s,
        link_bytes_per_s=gpu.link_bytes_per_s,
        peer_bytes_per_s=gpu.peer_bytes_per_s,
        usd_per_hour=exact(gpu.usd_per_hour) if usd is None else usd,
        usd_per_hour_source=PriceSource.CATALOG if usd is None else PriceSource.OVERRIDE,
        spot_usd_per_hour=exact(gpu.spot_usd_per_hour) if spot is None else spot,
        spot_usd_per_hour_source=PriceSource.CATALOG if spot is None else PriceSource.OVERRIDE,
        catalog_usd_per_hour=exact(gpu.usd_per_hour),
        catalog_spot_usd_per_hour=exact(gpu.spot_usd_per_hour),
        override=price_out(active) if active else None,
        etag=etag(said.version if said else 0),
    )


def _prices(request: Request) -> Prices:
    return Prices(request.app.state.writer.engine)


def _at_price(gpu: Accelerator, said: StoredPrice | None, now_s: float) -> Accelerator:
    if said is None or not said.active(now_s) or said.usd_per_hour is None:
        return gpu
    return replace(gpu, usd_per_hour=float(said.usd_per_hour))


def _model_out(model: Model) -> ModelOut:
    return ModelOut(
        name=model.name,
        parameters=model.parameters,
        layers=model.layers,
        hidden_size=model.hidden_size,
        attention_heads=model.attention_heads,
        kv_heads=model.kv_heads,
        head_dim=model.head_dim,
        max_context_tokens=model.max_context_tokens,
        weight_bytes=model.weight_bytes,
        kv_bytes_per_token=model.kv_bytes_per_token,
    )


def _fit_out(row: FitRow) -> FitOut:
    output, tokens = row.usd_per_million_output, row.usd_per_million_tokens
    return FitOut(
        accelerator=row.accelerator,
        gpus=row.gpus,
        fits=row.fits,
        why=row.why,
        caution=row.caution,
        weight_bytes=row.weight_bytes,
        kv_bytes_per_token=row.kv_bytes_per_token,
        kv_tokens=row.kv_tokens,
        sequences=row.sequences,
        ttft_s=row.ttft_s,
        tpot_s=row.tpot_s,
        goodput_rps=row.requests_per_s,
        bound=row.bound,
        usd_per_hour=exact(row.usd_per_hour),
        usd_per_million_output_tokens=None if output is None else exact(output),
        usd_per_million_tokens=None if tokens is None else exact(tokens),
        cheapest=row.cheapest,
    )
