"""The decisions in which a freeze was heard: of which target, by whom they are seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controlplane.domain.access import AccessRole
from controlplane.domain.target import Target
from controlplane.planning.directives import directed
from controlplane.store.directives import PostgresDirectives
from controlplane.store.ledger import PostgresLedger
from tests.api.test_overrides import NOW_S, Office
from tests.builders import make_group, make_inputs, make_target, make_tick

EVERYTHING: dict[str, Any] = {"ttl_s": 3600, "reason": "database move"}


@pytest.fixture
def url(database_url: str, recording: PostgresLedger) -> str:
    recording.save_targets([make_target()], NOW_S)
    return database_url


def tick(tick_id: str, target: Target, at_s: float) -> Any:
    return make_tick(tick_id, make_group(make_inputs(target)), at_s, f"group of {tick_id}")


def test_those_that_heard_it_alone(url: str, recording: PostgresLedger) -> None:
    office = Office(url, AccessRole.OPERATOR, "default")
    frozen = {"namespace": "default", "target": "chat", "ttl_s": 600, "reason": "launch"}
    made = office.client.post("/api/v1/freezes", json=frozen).json()
    heard = directed(make_target(), PostgresDirectives(recording.engine).current(NOW_S), NOW_S)
    recording.append(
        [
            tick("t0", make_target(), NOW_S - 15),
            tick("t1", make_target(), NOW_S + 1),
            tick("t2", heard, NOW_S + 15),
            tick("t3", make_target(), NOW_S + 615),
        ]
    )
    assert [item["id"] for item in office.client.get(made["ticks"]).json()["items"]] == ["t2"]
    assert Office(url, AccessRole.VIEWER, "elsewhere").client.get(made["ticks"]).status_code == 404


def test_one_of_several_targets_asks_of_which(url: str, recording: PostgresLedger) -> None:
    other = replace(make_target(), namespace="lab")
    recording.save_targets([make_target(), other], NOW_S)
    made = Office(url, AccessRole.ADMIN, None).client.post("/api/v1/freezes", json=EVERYTHING).json()
    said = PostgresDirectives(recording.engine).current(NOW_S)
    recording.append([tick("t1", directed(make_target(), said, NOW_S), NOW_S + 15)])
    recording.append([tick("t2", directed(other, said, NOW_S), NOW_S + 15)])
    everywhere = Office(url, AccessRole.VIEWER, None).client
    unsaid = everywhere.get(made["ticks"])
    assert (unsaid.status_code, unsaid.json()["allowed"]) == (422, "default/chat, lab/chat")
    of_lab = everywhere.get(made["ticks"], params={"target": "lab/chat"}).json()
    assert [item["id"] for item in of_lab["items"]] == ["t2"]
    of_default = Office(url, AccessRole.VIEWER, "default").client
    assert [item["id"] for item in of_default.get(made["ticks"]).json()["items"]] == ["t1"]
    strange = of_default.get(made["ticks"], params={"target": "lab/chat"})
    assert (strange.status_code, strange.json()["allowed"]) == (422, "default/chat")


def test_one_of_no_target_has_none(url: str) -> None:
    made = Office(url, AccessRole.OPERATOR, "empty").client.post(
        "/api/v1/freezes", json={**EVERYTHING, "namespace": "empty"}
    )
    assert Office(url, AccessRole.VIEWER, "empty").client.get(made.json()["ticks"]).json() == {
        "items": [],
        "next_cursor": None,
    }
