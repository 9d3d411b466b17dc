"""What the controller serves beside its work: its pages, and the desired counts for those who scale themselves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from controlplane.adapters import external_metrics
from controlplane.adapters.clock import monotonic_s
from controlplane.adapters.keda import scaler
from controlplane.adapters.kube_desired import FollowedCounts, LeadOrFollow
from controlplane.adapters.kube_front_proxy import FrontProxy, front_proxy
from controlplane.adapters.kube_http import KubeHttp
from controlplane.adapters.serving_tls import ServingTls
from controlplane.controller.http import pages, serving
from controlplane.controller.metrics import Inside, registry_of
from controlplane.domain.ports import Clock, DesiredCounts
from controlplane.settings import Address, ServingSettings

_log = logging.getLogger(__name__)


@asynccontextmanager
async def serving_all(
    settings: ServingSettings, inside: Inside, http: KubeHttp, clock: Clock, namespaces: Sequence[str] = ()
) -> AsyncIterator[None]:
    """Serve what the settings ask for while inside; `namespaces` are those that are looked after, none: all.

    Raises:
        OSError: if an address cannot be listened at, or a certificate cannot be read.
        ClusterUnavailable: if it does not say who its front proxy is, and the settings do not either.
    """
    async with AsyncExitStack() as stack:
        if settings.pages is not None:
            app = pages(inside.pulse, registry_of(inside), monotonic_s)
            await stack.enter_async_context(serving(app, settings.pages))
        if settings.external_metrics is not None or settings.keda is not None:
            followed = FollowedCounts(http, clock.speed, namespaces)
            counts = LeadOrFollow(inside.board, followed, lambda: inside.pulse.leads)
            await stack.enter_async_context(_running(followed.follow(lambda: inside.pulse.leads)))
            if settings.external_metrics is not None:
                await _serve_external(stack, settings, counts, http, clock)
            if settings.keda is not None:
                await _serve_keda(stack, settings.keda, settings.keda_tls_dir, counts, clock)
        yield


async def _serve_external(
    stack: AsyncExitStack, settings: ServingSettings, counts: DesiredCounts, http: KubeHttp, clock: Clock
) -> None:
    assert settings.external_metrics is not None
    assert settings.external_metrics_tls_dir is not None, "settings_from asks for it"
    proxy = await _front_proxy(settings, http)
    tls = ServingTls(settings.external_metrics_tls_dir, proxy.ca if proxy else "")
    app = external_metrics.application(counts, clock, proxy is not None, proxy.names if proxy else ())
    await stack.enter_async_context(serving(app, settings.external_metrics, tls.context))
    await stack.enter_async_context(_running(tls.follow()))


async def _front_proxy(settings: ServingSettings, http: KubeHttp) -> FrontProxy | None:
    """Who alone may ask; None where that is not to be checked."""
    if not settings.front_proxy:
        _log.warning("external metrics are served to whoever asks: TIDEGATE_FRONT_PROXY_CA is off")
        return None
    if settings.front_proxy_ca is not None:
        return FrontProxy(settings.front_proxy_ca.read_text(), settings.front_proxy_names)
    told = await front_proxy(http)
    return FrontProxy(told.ca, settings.front_proxy_names or told.names)


async def _serve_keda(
    stack: AsyncExitStack, address: Address, tls_dir: Path | None, counts: DesiredCounts, clock: Clock
) -> None:
    host = f"[{address.host}]" if ":" in address.host else address.host
    port = await stack.enter_async_context(scaler.serving(counts, clock, f"{host}:{address.port}", tls_dir))
    _log.info("KEDA's external scaler is at %s:%d", host, port)


@asynccontextmanager
async def _running(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
