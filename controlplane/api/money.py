"""Money at the API: decimal text, never a binary fraction."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from controlplane.api.wording import LONGEST_S, Reason
from controlplane.store.prices import StoredPrice

Usd = Annotated[Decimal, Field(ge=0, le=1_000_000, max_digits=13, decimal_places=6, examples=["2.49"])]
"""Dollars; 0 too, of what is paid for already."""
_PLACES = Decimal("0.000001")


class AcceleratorPriceIn(BaseModel):
    """What an hour of one GPU costs. An amount that is left out stays the catalog's."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"usd_per_hour": "2.49", "ttl_s": 86400, "reason": "new contract"}]},
    )

    usd_per_hour: Usd | None = None
    spot_usd_per_hour: Usd | None = None
    ttl_s: Annotated[
        float | None, Field(gt=0, le=12 * LONGEST_S, description="seconds until it ends; absent: until taken back")
    ] = None
    reason: Reason


class VariantPriceIn(BaseModel):
    """What an hour of one whole replica costs."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"usd_per_replica_hour": "7.90", "ttl_s": 86400, "reason": "reserved"}]},
    )

    usd_per_replica_hour: Usd
    ttl_s: Annotated[
        float | None, Field(gt=0, le=12 * LONGEST_S, description="seconds until it ends; absent: until taken back")
    ] = None
    reason: Reason


class PriceOut(BaseModel):
    """A price that somebody said, and how long it holds. Of a variant `usd_per_hour` is that of a whole replica."""

    usd_per_hour: Decimal | None
    spot_usd_per_hour: Decimal | None
    actor: str
    reason: str
    created_at_s: float
    expires_at_s: float | None


def exact(usd: float) -> Decimal:
    """Dollars to the millionth, which is below what any cloud bills."""
    return Decimal(repr(usd)).quantize(_PLACES).normalize() + 0


def price_out(stored: StoredPrice) -> PriceOut:
    """As the API shows it."""
    return PriceOut(
        usd_per_hour=stored.usd_per_hour,
        spot_usd_per_hour=stored.spot_usd_per_hour,
        actor=stored.actor,
        reason=stored.reason,
        created_at_s=stored.created_at_s,
        expires_at_s=stored.expires_at_s,
    )
