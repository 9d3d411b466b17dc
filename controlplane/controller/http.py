"""The controller's own pages: probes and metrics."""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from controlplane.controller.pulse import Pulse
from controlplane.settings import Address

_log = logging.getLogger(__name__)


def pages(pulse: Pulse, registry: CollectorRegistry, real_s: Callable[[], float]) -> web.Application:
    """`/healthz`: the loop is alive. `/readyz`: it does its work, or another does. `/metrics`."""

    async def healthz(_: web.Request) -> web.Response:
        return _answer(pulse.alive(real_s()), "the loop has not turned for too long")

    async def readyz(_: web.Request) -> web.Response:
        return _answer(pulse.ready(real_s()), "no tick has gone well for too long")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return app


@asynccontextmanager
async def serving(app: web.Application, address: Address, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve while inside; gives the port.

    Raises:
        OSError: if the address cannot be listened at.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address.host, address.port, ssl_context=tls)
        await site.start()
        port = int(runner.addresses[0][1])
        _log.info("listening at %s://%s:%d", "http" if tls is None else "https", address.host, port)
        yield port
    finally:
        await runner.cleanup()


def _answer(well: bool, words: str) -> web.Response:
    return web.Response(text="ok\n" if well else f"{words}\n", status=200 if well else 503)
