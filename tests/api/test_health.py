"""What the health page is told: parts that are there, parts that are missed, and what could not be read of targets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from controlplane.adapters.clock import ManualClock
from controlplane.adapters.task_sender import RecordedTasks
from controlplane.api.app import create_app
from controlplane.api.doors import Doors
from controlplane.api.principals import Everybody
from controlplane.domain.access import AccessRole, Grant, Principal, PrincipalKind
from controlplane.domain.observation import Fault, FaultKind
from controlplane.domain.presence import Process, ProcessKind
from controlplane.store.ledger import PostgresLedger
from controlplane.store.presence import Processes
from tests.builders import NOW_S, make_target, make_tick

PATH = "/api/v1/health"
CONTROLLER = Process("host-a_1", ProcessKind.CONTROLLER, "1.0", leads=True, spooled=0)
WORKER = Process("worker@host-a_2", ProcessKind.WORKER, "1.0", busy=1)
BEAT = Process("beat@host-a_3", ProcessKind.BEAT, "1.0")


class Ward:
    """The API at a fleet of one target, whose newest decision was just made."""

    def __init__(self, url: str, namespace: str | None = None) -> None:
        self.tasks = RecordedTasks()
        who = Principal("user:1", "ada", PrincipalKind.USER, (Grant(AccessRole.VIEWER, namespace),))
        self.clock = ManualClock(NOW_S + 1)
        app = create_app(url, self.clock, doors=Doors(Everybody(who), limited=False), tasks=self.tasks)
        self.client = TestClient(app)

    def told(self) -> dict[str, Any]:
        answer = self.client.get(PATH)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


@pytest.fixture
def url(database_url: str, recording: PostgresLedger) -> str:
    recording.save_targets([make_target()], NOW_S)
    recording.append([make_tick("t1")])
    for process in (CONTROLLER, WORKER, BEAT):
        Processes(recording.engine).say(process)
    return database_url


def sql(url: str, statement: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]


def test_all_is_well(url: str) -> None:
    told = Ward(url).told()
    assert (told["problems"], told["ok"], told["leader"]) == ([], True, "host-a_1")
    database = told["database"]
    assert (database["current"], database["revision"]) == (True, database["newest_revision"])
    assert database["size_bytes"] > 1_000_000
    assert 0 < database["latency_s"] < 10
    assert int(database["version"].split(".")[0]) >= 14
    assert 1 <= database["connections"] <= database["max_connections"]
    assert told["broker"] == {"answers": True, "waiting": 0, "queued_jobs": 0, "running_jobs": 0}
    assert {one["kind"]: one["busy"] for one in told["processes"]} == {"Beat": None, "Controller": None, "Worker": 1}
    assert [(one["target"], one["late"]) for one in told["targets"]] == [("default/chat", False)]


def test_who_is_silent_is_missed_and_then_forgotten(url: str, recording: PostgresLedger) -> None:
    sql(url, "UPDATE processes SET seen_at = now() - interval '46 seconds'")
    told = Ward(url).told()
    assert (told["ok"], told["leader"], {one["alive"] for one in told["processes"]}) == (False, None, {False})
    assert [words.partition(" has been")[0] for words in told["problems"]] == [
        "no controller that leads",
        "no worker",
        "no beat",
    ]
    sql(url, "UPDATE processes SET seen_at = now() - interval '11 minutes'")
    Processes(recording.engine).say(replace(CONTROLLER, leads=False))
    told = Ward(url).told()
    assert [(one["name"], one["leads"]) for one in told["processes"]] == [("host-a_1", False)]
    assert told["problems"][0].startswith("no controller that leads")


def test_queues_spools_and_a_broker_that_is_away(url: str, recording: PostgresLedger) -> None:
    ward = Ward(url)
    ward.tasks.send("tidegate.fit_forecast", "default/chat")
    assert ward.told()["broker"]["waiting"] == 1
    Processes(recording.engine).say(replace(CONTROLLER, spooled=12))
    assert ward.told()["problems"] == ["host-a_1 holds 12 ticks in its spool that the database lacks"]
    ward.tasks.away = True
    told = ward.told()
    assert (told["broker"]["answers"], told["broker"]["waiting"]) == (False, None)
    assert told["problems"][0] == "the broker does not answer: jobs and fits wait"


def test_faults_and_lateness_of_the_targets_that_one_may_see(url: str, recording: PostgresLedger) -> None:
    tick = make_tick("t2", at_s=NOW_S + 1)
    fault = Fault(FaultKind.UNREACHABLE, "chat-1", detail="timed out")
    seen = replace(tick.inputs.observation, faults=(fault, replace(fault, replica="chat-2")), coverage=0.5)
    recording.append([replace(tick, inputs=replace(tick.inputs, observation=seen))])
    ward = Ward(url)
    told = ward.told()
    (one,) = told["targets"]
    assert (one["coverage"], one["faults"][0]["count"], one["late"]) == (0.5, 2, False)
    assert told["problems"] == ["default/chat: 2 faults in its metrics, e.g. Unreachable: chat-1: timed out"]
    ward.clock.advance(600)
    assert "default/chat has no recent decision" in ward.told()["problems"]
    assert Ward(url, "elsewhere").told()["targets"] == []


def test_a_schema_that_is_not_this_programs(url: str) -> None:
    sql(url, "UPDATE alembic_version SET version_num = '0005'")
    told = Ward(url).told()
    assert (told["database"]["current"], told["database"]["revision"]) == (False, "0005")
    assert "tidegate migrate" in told["problems"][0]
