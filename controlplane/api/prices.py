"""Prices over the catalog's: of an accelerator, or of one variant. Administrators say what things cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse

from controlplane.api.catalog import AcceleratorName, AcceleratorOut, accelerator_out, found_accelerator
from controlplane.api.money import AcceleratorPriceIn, VariantPriceIn, price_out
from controlplane.api.principals import demand
from controlplane.api.problems import MISSING, NotFound, bad_value
from controlplane.api.variants import VariantOut, seen_target, variant_out
from controlplane.api.wording import NO_LONGER
from controlplane.api.writes import Write, Writing, answer
from controlplane.domain.access import AccessRole
from controlplane.domain.directives import PriceKind
from controlplane.domain.target import Target
from controlplane.store.prices import NewPrice, Prices, StoredPrice
from controlplane.store.unit import Unit

router = APIRouter(prefix="/api/v1", tags=["catalog"])

VariantName = Annotated[str, Path(examples=["h100"])]


@router.put("/catalog/accelerators/{accelerator}/price", response_model=AcceleratorOut, responses=MISSING | NO_LONGER)
def set_accelerator_price(accelerator: AcceleratorName, body: AcceleratorPriceIn, write: Writing) -> JSONResponse:
    """Say what a GPU costs an hour, on the version that was read (`If-Match`; "0" where nobody said anything yet).

    It concerns variants whose resource gives no price of their own, from the next decision on.
    """
    demand(write.who, AccessRole.ADMIN, None)
    gpu = found_accelerator(accelerator)
    if body.usd_per_hour is None and body.spot_usd_per_hour is None:
        raise bad_value("usd_per_hour", "None", "an amount here or in spot_usd_per_hour")
    wanted = _new(write, body.usd_per_hour, body.spot_usd_per_hour, body.ttl_s, body.reason)
    with write.unit(AccessRole.ADMIN, None) as unit:
        made = _say(unit, write, PriceKind.ACCELERATOR, gpu.name, None, wanted)
        return answer(unit, 200, accelerator_out(gpu, made, unit.now_s), made.version)


@router.delete(
    "/catalog/accelerators/{accelerator}/price", response_model=AcceleratorOut, responses=MISSING | NO_LONGER
)
def drop_accelerator_price(accelerator: AcceleratorName, write: Writing) -> JSONResponse:
    """Go back to the catalog's price."""
    demand(write.who, AccessRole.ADMIN, None)
    gpu = found_accelerator(accelerator)
    with write.unit(AccessRole.ADMIN, None) as unit:
        version = _take_back(unit, write, PriceKind.ACCELERATOR, gpu.name, None)
        view = accelerator_out(gpu, None, unit.now_s)
        return answer(unit, 200, view.model_copy(update={"etag": f'"{version}"'}), version)


@router.put(
    "/targets/{namespace}/{name}/variants/{variant}/price", response_model=VariantOut, responses=MISSING | NO_LONGER
)
def set_variant_price(
    namespace: str, name: str, variant: VariantName, body: VariantPriceIn, request: Request, write: Writing
) -> JSONResponse:
    """Say what a replica of one variant costs an hour, over its resource's word and the catalog's."""
    demand(write.who, AccessRole.ADMIN, namespace)
    target = _with_variant(request, namespace, name, variant)
    wanted = _new(write, body.usd_per_replica_hour, None, body.ttl_s, body.reason)
    with write.unit(AccessRole.ADMIN, namespace) as unit:
        made = _say(unit, write, PriceKind.VARIANT, f"{target.key}/{variant}", namespace, wanted)
        view = variant_out(request, target, variant, made)
        return answer(unit, 200, view, made.version)


@router.delete(
    "/targets/{namespace}/{name}/variants/{variant}/price", response_model=VariantOut, responses=MISSING | NO_LONGER
)
def drop_variant_price(
    namespace: str, name: str, variant: VariantName, request: Request, write: Writing
) -> JSONResponse:
    """Go back to the resource's price, or the catalog's."""
    demand(write.who, AccessRole.ADMIN, namespace)
    target = _with_variant(request, namespace, name, variant)
    with write.unit(AccessRole.ADMIN, namespace) as unit:
        version = _take_back(unit, write, PriceKind.VARIANT, f"{target.key}/{variant}", namespace)
        view = variant_out(request, target, variant, None)
        return answer(unit, 200, view.model_copy(update={"price_etag": f'"{version}"'}), version)


def _with_variant(request: Request, namespace: str, name: str, variant: str) -> Target:
    target = seen_target(request, namespace, name)
    if variant not in [v.name for v in target.variants]:
        raise NotFound(f"target {target.key} has no variant {variant}")
    return target


def _new(write: Write, usd: Decimal | None, spot: Decimal | None, ttl_s: float | None, reason: str) -> NewPrice:
    expires_at_s = None if ttl_s is None else write.request.now_s + ttl_s
    return NewPrice(usd, spot, expires_at_s, write.who.name, reason)


def _say(unit: Unit, write: Write, kind: PriceKind, name: str, namespace: str | None, new: NewPrice) -> StoredPrice:
    before = Prices(write.writer.engine).get(kind, name)
    made = Prices.say(unit, kind, name, write.version(), new)
    old = price_out(before).model_dump(mode="json") if before is not None and before.active(unit.now_s) else None
    unit.audit("price.set", f"prices/{kind}/{name}", namespace, old, price_out(made).model_dump(mode="json"))
    return made


def _take_back(unit: Unit, write: Write, kind: PriceKind, name: str, namespace: str | None) -> int:
    """The version after it."""
    version = write.version()
    before = Prices.take_back(unit, kind, name, version)
    if before is None:
        raise NotFound(f"nobody says a price of {name} now")
    unit.audit("price.end", f"prices/{kind}/{name}", namespace, price_out(before).model_dump(mode="json"), None)
    return version + 1
