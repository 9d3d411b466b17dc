"""Which resources the API server serves: a kind's plural, and whether it has `/scale`.

One document per group and version that somebody names (`/apis/GROUP/VERSION`) is asked for, not the aggregated one of
the whole cluster: it is small, it comes from the server that serves the group, and one aggregated API that is away does
not make the others stale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from controlplane.adapters.kube_http import Json, KubeError, KubeHttp
from controlplane.adapters.kube_limits import Priority

MISS_S = 10.0
"""Real seconds for which "there is no such kind" is believed: a CRD may be installed at any time, and a resource that
names a kind that is not there must not cost a request at each tick."""


class KindUnknown(Exception):
    """The API server does not serve that kind; the message says what it asked for, and what there is."""


@dataclass(frozen=True, slots=True)
class ApiResource:
    """One kind as the API server serves it."""

    base: str
    """`/api/v1` or `/apis/GROUP/VERSION`."""
    kind: str
    plural: str
    namespaced: bool
    scalable: bool

    def path(self, namespace: str, name: str) -> str:
        """The path of one object."""
        middle = f"/namespaces/{namespace}" if self.namespaced else ""
        return f"{self.base}{middle}/{self.plural}/{name}"


def base_path(api_version: str) -> str:
    """`v1` -> `/api/v1`, `apps/v1` -> `/apis/apps/v1`."""
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


class Discovery:
    """Kinds by group and version, kept once they were found."""

    def __init__(self, http: KubeHttp, real_s: Callable[[], float]) -> None:
        self._http = http
        self._real_s = real_s
        self._kinds: dict[str, dict[str, ApiResource]] = {}
        self._asked_at_s: dict[str, float] = {}

    async def find(self, api_version: str, kind: str, priority: Priority = Priority.READ) -> ApiResource:
        """The resource of a kind.

        Raises:
            KindUnknown: if there is none.
            KubeError, ClusterUnavailable: if discovery itself is refused or fails.
        """
        found = self._kinds.get(api_version, {}).get(kind)
        if found is None and self._may_ask(api_version):
            await self._ask(api_version, priority)
            found = self._kinds.get(api_version, {}).get(kind)
        if found is None:
            served = ", ".join(sorted(self._kinds.get(api_version, {}))) or "nothing"
            raise KindUnknown(f"the cluster serves no {kind} in {api_version}; it serves {served} there")
        return found

    def forget(self, api_version: str) -> None:
        """Ask again at the next `find`: a path that it gave is not there any more."""
        self._kinds.pop(api_version, None)
        self._asked_at_s.pop(api_version, None)

    def _may_ask(self, api_version: str) -> bool:
        asked_at_s = self._asked_at_s.get(api_version)
        return asked_at_s is None or self._real_s() - asked_at_s >= MISS_S

    async def _ask(self, api_version: str, priority: Priority) -> None:
        base = base_path(api_version)
        try:
            listed = await self._http.get(base, priority=priority)
        except KubeError as error:
            if error.status != 404:
                raise
            listed = {}
        self._kinds[api_version] = _kinds(base, listed)
        self._asked_at_s[api_version] = self._real_s()


def _kinds(base: str, listed: Json) -> dict[str, ApiResource]:
    entries = listed.get("resources") or []
    scalable = {entry["name"].split("/")[0] for entry in entries if entry["name"].endswith("/scale")}
    return {
        entry["kind"]: ApiResource(
            base, entry["kind"], entry["name"], bool(entry.get("namespaced")), entry["name"] in scalable
        )
        for entry in entries
        if "/" not in entry["name"]
    }
