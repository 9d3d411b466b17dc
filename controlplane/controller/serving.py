"""What the controller serves beside its work: its pages, and the desired counts for those who scale themselves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager

from controlplane.adapters import external_metrics
from controlplane.adapters.clock import monotonic_s
from controlplane.adapters.keda import scaler
from controlplane.adapters.kube_desired import FollowedCounts, LeadOrFollow
from controlplane.adapters.kube_http import KubeHttp
from controlplane.adapters.serving_tls import ServingTls
from controlplane.controller.http import pages, serving
from controlplane.controller.metrics import Inside, registry_of
from controlplane.domain.ports import Clock, DesiredCounts
from controlplane.settings import ServingSettings

_log = logging.getLogger(__name__)


@asynccontextmanager
async def serving_all(settings: ServingSettings, inside: Inside, http: KubeHttp, clock: Clock) -> AsyncIterator[None]:
    """Serve what the settings ask for while inside.

    Raises:
        OSError: if an address cannot be listened at, or a certificate cannot be read.
    """
    async with AsyncExitStack() as stack:
        if settings.pages is not None:
            app = pages(inside.pulse, registry_of(inside), monotonic_s)
            await stack.enter_async_context(serving(app, settings.pages))
        if settings.external_metrics is not None or settings.keda is not None:
            followed = FollowedCounts(http, clock.speed)
            counts = LeadOrFollow(inside.board, followed, lambda: inside.pulse.leads)
            await stack.enter_async_context(_running(followed.follow(lambda: inside.pulse.leads)))
            await _serve_counts(stack, settings, counts, clock)
        yield


async def _serve_counts(stack: AsyncExitStack, settings: ServingSettings, counts: DesiredCounts, clock: Clock) -> None:
    if settings.external_metrics is not None and settings.external_metrics_tls is not None:
        pair, ca = settings.external_metrics_tls, settings.front_proxy_ca
        tls = ServingTls(pair.certificate, pair.key, ca)
        app = external_metrics.application(counts, clock, ca is not None, settings.front_proxy_names)
        await stack.enter_async_context(serving(app, settings.external_metrics, tls.context))
        await stack.enter_async_context(_running(tls.follow()))
    if settings.keda is not None:
        host, pair_or_none = settings.keda.host, settings.keda_tls
        address = f"[{host}]:{settings.keda.port}" if ":" in host else f"{host}:{settings.keda.port}"
        files = (pair_or_none.certificate, pair_or_none.key) if pair_or_none else (None, None)
        port = await stack.enter_async_context(scaler.serving(counts, clock, address, *files))
        _log.info("KEDA's external scaler is at %s:%d", host, port)


@asynccontextmanager
async def _running(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
