"""Jobs and explanations, asked for over HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from controlplane.adapters.clock import ManualClock
from controlplane.adapters.task_sender import RecordedTasks
from controlplane.api.app import create_app
from controlplane.api.doors import Doors
from controlplane.api.principals import Everybody
from controlplane.domain.access import AccessRole, Grant, Principal, PrincipalKind
from controlplane.domain.jobs import RUN_JOB
from controlplane.store.jobs import Jobs
from controlplane.store.ledger import PostgresLedger
from controlplane.store.queries import Queries
from controlplane.store.recorded import Recorded
from controlplane.workers.jobs import work
from tests.builders import NOW_S, make_target, make_tick
from tests.planning.test_counterfactuals import group

WINDOW = {"target": "default/chat", "since": NOW_S, "until": NOW_S + 1860}
WHAT_IF: dict[str, Any] = {"kind": "WhatIf", **WINDOW, "slo": {"ttft_s": 1.5}, "load_factor": 1.5}
REPLAY: dict[str, Any] = {"kind": "Replay", **WINDOW, "policy": "static:2"}


class Desk:
    """The API as one principal, with the tasks that it sent."""

    def __init__(self, url: str, role: AccessRole = AccessRole.OPERATOR, namespace: str | None = "default") -> None:
        who = Principal(f"user:{role}", "someone", PrincipalKind.USER, (Grant(role, namespace),))
        self.tasks = RecordedTasks()
        doors = Doors(Everybody(who), limited=False)
        self.app = create_app(url, ManualClock(NOW_S + 4000), doors=doors, tasks=self.tasks)
        self.client = TestClient(self.app)

    def play(self, job_id: str) -> None:
        engine = self.app.state.writer.engine
        work(Jobs(engine), Recorded(Queries(engine)), UUID(job_id))


@pytest.fixture
def url(database_url: str, recording: PostgresLedger) -> str:
    recording.save_targets([make_target()], NOW_S)
    told = group(23.5, {"h100": 3, "l40s": 1}, {"h100": 4, "l40s": 1})
    for n in range(30):
        tick = make_tick(f"t{n}", told, NOW_S + 60 * n, f"g{n}")
        recording.append([tick])
    recording.append([replace(make_tick("t30", group(23.5, {"h100": 4, "l40s": 1}), NOW_S + 1800, "g30"))])
    return database_url


@pytest.fixture
def desk(url: str) -> Desk:
    return Desk(url)


@pytest.mark.parametrize(("body", "result"), [(WHAT_IF, "what_if"), (REPLAY, "replay")])
def test_it_is_asked_for_sent_played_and_found_again(desk: Desk, body: dict[str, Any], result: str) -> None:
    asked = desk.client.post("/api/v1/jobs", json=body)
    assert (asked.status_code, asked.json()["status"]) == (202, "Queued"), asked.text
    assert desk.tasks.sent == [(RUN_JOB, asked.json()["id"])]
    desk.play(asked.json()["id"])
    found = desk.client.get(asked.headers["location"]).json()
    assert (found["status"], found["progress"]) == ("Succeeded", 1.0)
    assert isinstance(found[result]["recorded"]["cost_usd"], str)
    listed = desk.client.get("/api/v1/jobs", params={"kind": body["kind"]}).json()["items"]
    assert [one["id"] for one in listed] == [found["id"]]
    assert result not in listed[0]


def test_a_broker_that_is_away_keeps_it_queued(desk: Desk) -> None:
    desk.tasks.away = True
    asked = desk.client.post("/api/v1/jobs", json=WHAT_IF)
    assert asked.status_code == 202
    assert [str(one) for one in Jobs(desk.app.state.writer.engine).waiting()] == [asked.json()["id"]]


def test_the_same_request_again_is_one_job(desk: Desk) -> None:
    key = {"Idempotency-Key": "k"}
    first, again = (desk.client.post("/api/v1/jobs", json=WHAT_IF, headers=key) for _ in range(2))
    assert first.json() == again.json()
    assert len(desk.tasks.sent) == 1


def test_it_is_cancelled_on_the_version_that_was_read(desk: Desk) -> None:
    where = desk.client.post("/api/v1/jobs", json=REPLAY).headers["location"]
    assert desk.client.delete(where).status_code == 428
    ended = desk.client.delete(where, headers={"If-Match": '"1"'})
    assert (ended.status_code, ended.json()["status"]) == (200, "Cancelled")
    assert desk.client.delete(where, headers={"If-Match": ended.headers["etag"]}).status_code == 409
    desk.play(ended.json()["id"])
    assert desk.client.get(where).json()["status"] == "Cancelled"


@pytest.mark.parametrize(
    ("change", "field", "status"),
    [
        ({"policy": "hpa"}, "policy", 422),
        ({"policy": "version"}, "policy", 422),
        ({"spec": {"model": "x"}}, "policy", 422),
        ({"until": NOW_S - 1}, "until", 422),
        ({"since": "yesterday"}, "since", 422),
        ({"until": NOW_S + 40 * 86_400}, "until", 422),
        ({"target": "chat"}, "Replay.target", 422),
        ({"target": "default/none"}, None, 404),
        ({"version_id": str(uuid4()), "policy": "version"}, None, 404),
    ],
)
def test_a_wrong_one_is_refused_by_field(desk: Desk, change: dict[str, Any], field: str | None, status: int) -> None:
    answer = desk.client.post("/api/v1/jobs", json={**REPLAY, **change})
    assert (answer.status_code, answer.json().get("field")) == (status, field), answer.text
    assert desk.tasks.sent == []


def test_who_may(url: str) -> None:
    viewer = Desk(url, AccessRole.VIEWER)
    assert viewer.client.post("/api/v1/jobs", json=WHAT_IF).status_code == 403
    assert Desk(url, AccessRole.ADMIN, "elsewhere").client.post("/api/v1/jobs", json=WHAT_IF).status_code == 404
    where = Desk(url).client.post("/api/v1/jobs", json=WHAT_IF).headers["location"]
    assert viewer.client.get(where).status_code == 200
    stranger = Desk(url, AccessRole.OPERATOR, "elsewhere").client
    assert (stranger.get(where).status_code, stranger.get("/api/v1/jobs").json()["items"]) == (404, [])


# Why


def test_a_decision_is_explained(desk: Desk) -> None:
    found = desk.client.get("/api/v1/ticks/t0/explain").json()
    assert (found["tick_id"], found["verdict"], found["reproduced"]) == ("t0", "hold", True)
    lifted = [one for one in found["would_change"] if one["change"]["kind"] == "Rule"]
    assert "if the rule stabilization were lifted" in lifted[0]["sentence"]
    assert found["outcome"]["complete"]
    assert found["outcome"]["forecast"]["realised_peak_rps"] == 23.5
    at = desk.client.get("/api/v1/targets/default/chat/explain", params={"at": NOW_S + 65}).json()
    assert at["tick_id"] == "t1"


def test_why_the_last_scale_down_was_not_done(desk: Desk) -> None:
    found = desk.client.get("/api/v1/targets/default/chat/why-not", params={"verdict": "down"}).json()
    assert found["sentence"].startswith("The last scale-down of default/chat was not done because the plan wanted")
    assert "stabilization" in found["sentence"]
    up = desk.client.get("/api/v1/targets/default/chat/why-not", params={"verdict": "up"})
    assert up.status_code == 404


def test_a_target_that_does_not_exist_is_told_from_one_without_a_decision(desk: Desk) -> None:
    unknown = desk.client.get("/api/v1/targets/default/chad/explain").json()["detail"]
    assert unknown == "there is no target default/chad; in namespace default there are: default/chat"
    early = desk.client.get("/api/v1/targets/default/chat/explain", params={"at": 1.0}).json()["detail"]
    assert early == "there is no decision of target default/chat at or before 1.0"


@pytest.mark.parametrize(
    "path", ["/ticks/none/explain", "/targets/default/none/explain", "/targets/default/none/why-not"]
)
def test_what_is_not_there_is_not_explained(desk: Desk, path: str) -> None:
    assert desk.client.get(f"/api/v1{path}").status_code == 404
