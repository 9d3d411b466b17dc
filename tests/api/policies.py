"""What tests of policies send, and who sends it."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg
from fastapi.testclient import TestClient

from controlplane.adapters.clock import ManualClock
from controlplane.api.app import create_app
from controlplane.api.doors import Doors
from controlplane.api.principals import Everybody
from controlplane.domain.access import AccessRole, Grant, Principal, PrincipalKind

NOW_S = 1_767_600_000.0
SPEC: dict[str, Any] = {
    "model": "llama-3.1-8b",
    "slo": {"ttftSeconds": 2.0, "tpotSeconds": 0.1},
    "variants": [
        {
            "name": name,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"chat-{name}"},
            "accelerator": accelerator,
            "pricePerReplicaHour": usd,
            "minReplicas": 1,
            "maxReplicas": 10,
        }
        for name, accelerator, usd in (("h100", "H100", 4.0), ("l40s", "L40S", 1.9))
    ],
}
NEW: dict[str, Any] = {"name": "chat", "namespaces": ["team"], "spec": SPEC, "reason": "a first policy"}


class Desk:
    """The API as one principal."""

    def __init__(self, url: str, name: str, *grants: Grant, clock: ManualClock | None = None) -> None:
        self.url = url
        self.clock = clock or ManualClock(NOW_S)
        who = Principal(f"user:{name}", name, PrincipalKind.USER, grants or (Grant(AccessRole.OPERATOR, "team"),))
        app = create_app(url, self.clock, doors=Doors(Everybody(who), limited=False))
        self.client = TestClient(app, raise_server_exceptions=False)

    @staticmethod
    def everywhere() -> tuple[Grant, ...]:
        return (Grant(AccessRole.ADMIN),)

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.client.get(f"/api/v1{path}", **kwargs)

    def post(self, path: str, json: Any = None, etag: str | None = None, **kwargs: Any) -> httpx.Response:
        headers = {**kwargs.pop("headers", {}), **({"If-Match": etag} if etag else {})}
        return self.client.post(f"/api/v1{path}", json=json, headers=headers, **kwargs)

    def create(self, **changes: Any) -> dict[str, Any]:
        made = self.post("/policies", {**NEW, **changes})
        assert made.status_code == 201, made.text
        found: dict[str, Any] = made.json()
        return found

    def go(self, policy: str, number: int, step: str, **body: Any) -> httpx.Response:
        """One step on the version that is newest now."""
        etag = self.get(f"/policies/{policy}").headers["etag"]
        return self.post(f"/policies/{policy}/versions/{number}/{step}", {"reason": step, **body}, etag)

    def version(self, policy: str, **body: Any) -> int:
        etag = self.get(f"/policies/{policy}").headers["etag"]
        made = self.post(f"/policies/{policy}/versions", {"spec": SPEC, "reason": "another", **body}, etag)
        assert made.status_code == 201, made.text
        return int(made.json()["number"])

    def stages(self, policy: str) -> dict[int, str]:
        return {v["number"]: v["stage"] for v in self.get(f"/policies/{policy}").json()["versions"]}

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
            found = connection.execute(statement)  # type: ignore[call-overload]
            return found.fetchall() if found.description else []


def set_approval(desk: Desk, required: bool) -> None:
    """The setting, as its API writes it."""
    desk.rows(
        "INSERT INTO settings (name, value, changed_at, changed_by) "
        f"VALUES ('approval_required', '{str(required).lower()}', now(), 'user:admin')"
    )
