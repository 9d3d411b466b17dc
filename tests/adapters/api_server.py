"""The simulated API server alone, without a fleet, and with what may go wrong between it and its clients."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from aiohttp import web

from controlplane.adapters.clock import real_now_s
from controlplane.simulation.kubernetes.http import KubernetesApi
from controlplane.simulation.kubernetes.resources import Registry
from controlplane.simulation.kubernetes.store import Store
from controlplane.simulation.kubernetes.verbs import Verbs

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Refusal = tuple[int, str]


def _now() -> str:
    return datetime.fromtimestamp(real_now_s(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class SimulatedApi:
    """An API server in this process. `refuse` maps what a path starts with to the status and reason of every answer;
    `asked` keeps each request's method, path and query."""

    def __init__(self, directory: Path) -> None:
        self.registry = Registry()
        self.store = Store(_now)
        self.verbs = Verbs(self.store, self.registry, _now)
        self.kubeconfig = directory / "simulated-kubeconfig"
        self.refuse: dict[str, Refusal] = {}
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> SimulatedApi:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; again on the same port after a `stop`."""
        api = KubernetesApi(self.store, self.registry, self.verbs, real_now_s).application()
        api.middlewares.append(self._gate())
        self._runner = web.AppRunner(api, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]
        server = {"server": self.url}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "simulated", "cluster": server}],
            "users": [{"name": "anyone", "user": {"token": "anyone"}}],
            "contexts": [{"name": "simulated", "context": {"cluster": "simulated", "user": "anyone"}}],
            "current-context": "simulated",
        }
        self.kubeconfig.write_text(yaml.safe_dump(config))

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Be away."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def expire(self) -> None:
        """Make every version of before now too old, as a restart after a compaction does."""
        await self.stop()
        self.store.compact()
        await self.start()

    def count(self, method: str, part: str, **query: str) -> int:
        """Requests so far whose path holds `part` and whose query holds these."""
        return sum(
            m == method and part in path and all(q.get(k) == v for k, v in query.items()) for m, path, q in self.asked
        )

    def _gate(self) -> Any:
        @web.middleware
        async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.asked.append((request.method, request.path, dict(request.query)))
            for start, (code, reason) in self.refuse.items():
                if request.path.startswith(start):
                    body = {
                        "kind": "Status",
                        "status": "Failure",
                        "code": code,
                        "reason": reason,
                        "message": "on purpose",
                    }
                    return web.json_response(body, status=code, headers=self.headers)
            return await handler(request)

        return gate
