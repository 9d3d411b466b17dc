"""A target's variants, and everything that people say of it now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from controlplane.api import present
from controlplane.api.money import PriceOut, exact, price_out
from controlplane.api.principals import Who, demand
from controlplane.api.problems import MISSING, NotFound
from controlplane.api.views import VariantStatus
from controlplane.api.writes import etag
from controlplane.domain.access import AccessRole
from controlplane.domain.directives import DirectiveSet, PriceKind
from controlplane.domain.target import FreezeDirection, Origin, OverrideKind, PriceSource, Target
from controlplane.planning.directives import directed
from controlplane.planning.peoples_words import freeze_words, in_force, override_words
from controlplane.store.directives import PostgresDirectives
from controlplane.store.prices import Prices, StoredPrice
from controlplane.store.queries import Queries, TargetRow

router = APIRouter(prefix="/api/v1", tags=["targets"])


class VariantOut(BaseModel):
    """One variant as it is now, and whose word its price is. `price_etag` is for changes of the price."""

    status: VariantStatus
    usd_per_replica_hour: Decimal
    price_source: PriceSource
    price: PriceOut | None
    price_etag: str


class OverrideInForce(BaseModel):
    """An override of the API (with an id) or of the custom resource.

    `holds` names the variants that it holds of; of the others something else does.
    """

    id: str | None
    origin: Origin
    kind: OverrideKind
    replicas: int | None
    variant: str | None
    actor: str
    reason: str
    expires_at_s: float | None
    holds: list[str]
    words: str


class FreezeInForce(BaseModel):
    """A freeze that concerns the target. `begun` False: it is still to begin."""

    id: str
    namespace: str | None
    target: str | None
    direction: FreezeDirection
    actor: str
    reason: str
    starts_at_s: float
    ends_at_s: float
    begun: bool
    words: str


class DirectivesOut(BaseModel):
    """All that people say of a target now: in the API and in its custom resource."""

    target: str
    now_s: float
    overrides: list[OverrideInForce]
    freezes: list[FreezeInForce]
    variants: list[VariantOut]


@router.get("/targets/{namespace}/{name}/variants", responses=MISSING)
def variants(namespace: str, name: str, request: Request, who: Who) -> list[VariantOut]:
    """A target's variants, with the price that the next decision goes by."""
    demand(who, AccessRole.VIEWER, namespace)
    return _variants(request, seen_target(request, namespace, name))


@router.get("/targets/{namespace}/{name}/directives", responses=MISSING)
def directives(namespace: str, name: str, request: Request, who: Who) -> DirectivesOut:
    """Every override and freeze that concerns a target now, those of its custom resource too, and its prices."""
    demand(who, AccessRole.VIEWER, namespace)
    target = seen_target(request, namespace, name)
    now_s: float = request.app.state.clock.now_s()
    said = PostgresDirectives(request.app.state.writer.engine).current(now_s)
    return DirectivesOut(
        target=target.key,
        now_s=now_s,
        overrides=_overrides(directed(target, said, now_s), now_s),
        freezes=_freezes(target, said, now_s),
        variants=_variants(request, target),
    )


def seen_target(request: Request, namespace: str, name: str) -> Target:
    """A mirrored target, without what the API says of it.

    Raises:
        NotFound: if there is none.
    """
    queries: Queries = request.app.state.queries
    found = queries.target(f"{namespace}/{name}")
    if found is None:
        raise NotFound(f"there is no target {namespace}/{name}")
    return found


def _variants(request: Request, target: Target) -> list[VariantOut]:
    said = Prices(request.app.state.writer.engine).newest(PriceKind.VARIANT)
    return list(_shown(request, target, said, said))


def variant_out(request: Request, target: Target, name: str, stored: StoredPrice | None) -> VariantOut:
    """One variant as it will be when a write is committed, after which `stored` is what was said last of its price."""
    key = f"{target.key}/{name}"
    mine = {} if stored is None else {key: stored}
    return next(one for one in _shown(request, target, mine, {key: stored}) if one.status.name == name)


def _shown(
    request: Request,
    target: Target,
    said: Mapping[str, StoredPrice],
    instead: Mapping[str, StoredPrice | None],
) -> Iterator[VariantOut]:
    """Every variant, with `said` as what was said last of variants' prices; those of accelerators are read, and those
    of variants that are in `instead` left out, since `said` knows better."""
    now_s: float = request.app.state.clock.now_s()
    known = PostgresDirectives(request.app.state.writer.engine).current(now_s)
    prices = tuple(p for p in known.prices if p.kind is PriceKind.ACCELERATOR or p.name not in instead)
    priced = directed(target, DirectiveSet(prices=prices), now_s)
    queries: Queries = request.app.state.queries
    summary = present.target_summary(TargetRow(priced, queries.tick_at(target.key, None), None, (), ()))
    for status in summary.variants:
        mine = said.get(f"{target.key}/{status.name}")
        active = mine if mine is not None and mine.active(now_s) else None
        usd = active.usd_per_hour if active else None
        yield VariantOut(
            status=status if usd is None else replace(status, usd_per_replica_hour=float(usd)),
            usd_per_replica_hour=exact(status.usd_per_replica_hour) if usd is None else usd,
            price_source=priced.variant(status.name).priced_by if usd is None else PriceSource.OVERRIDE,
            price=price_out(active) if active else None,
            price_etag=etag(mine.version if mine else 0),
        )


def _overrides(target: Target, now_s: float) -> list[OverrideInForce]:
    policy = target.policy
    holding = {v.name: in_force(policy, v.name, now_s) for v in target.variants}
    return [
        OverrideInForce(
            id=one.id or None,
            origin=one.origin,
            kind=one.kind,
            replicas=one.replicas,
            variant=one.variant,
            actor=one.actor,
            reason=one.reason,
            expires_at_s=one.expires_at_s,
            holds=[name for name, held in holding.items() if one in held],
            words=override_words(one),
        )
        for one in policy.overrides
        if one.expires_at_s is None or now_s < one.expires_at_s
    ]


def _freezes(target: Target, said: DirectiveSet, now_s: float) -> list[FreezeInForce]:
    return [
        FreezeInForce(
            id=one.freeze.id,
            namespace=one.namespace,
            target=one.target,
            direction=one.freeze.direction,
            actor=one.freeze.actor,
            reason=one.freeze.reason,
            starts_at_s=one.freeze.starts_at_s,
            ends_at_s=one.freeze.ends_at_s,
            begun=one.freeze.holds(now_s),
            words=freeze_words(one.freeze),
        )
        for one in said.freezes
        if one.concerns(target.namespace, target.name)
    ]
