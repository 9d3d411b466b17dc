"""The whole API against its own document, with made-up requests, as administrator and as nobody: nothing falls over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import (
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)

from controlplane.adapters.clock import ManualClock
from controlplane.adapters.task_sender import RecordedTasks
from controlplane.api.app import create_app
from controlplane.api.doors import Doors
from controlplane.api.principals import Everybody
from controlplane.domain.access import SYSTEM
from controlplane.domain.jobs import JobKind
from controlplane.embedded.postgres import EmbeddedPostgres
from controlplane.store.jobs import Jobs
from controlplane.store.ledger import PostgresLedger
from controlplane.store.unit import Request, Writer
from tests.builders import NOW_S, make_target, make_tick
from tests.conftest import _execute

EXAMPLES = 12
"""Of each operation: with some seventy operations, twice, some 1,500 requests."""
ENDLESS = ("/api/v1/events", "/api/v1/jobs/{job_id}/events")
"""Answer as long as somebody listens, or the job is played."""
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """One database for all of it: what one request leaves behind is there for the next."""
    name = "test_schemathesis"
    _execute(postgres, f"CREATE DATABASE {name} TEMPLATE template_migrated")
    url = postgres.url_of(name)
    ledger = PostgresLedger(url)
    ledger.save_targets([make_target()], NOW_S)
    ledger.append([replace(make_tick("t1"), duration_s=0.1)])
    with Writer(ledger.engine).unit(Request(SYSTEM, "", "r", NOW_S)) as unit:
        Jobs.create(unit, JobKind.WHAT_IF, "default", {"target": "default/chat"})
    ledger.close()
    yield url
    _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def _app(url: str, as_admin: bool) -> FastAPI:
    doors = Doors(Everybody(), limited=False) if as_admin else Doors(limited=False)
    return create_app(url, ManualClock(NOW_S + 60), doors=doors, tasks=RecordedTasks())


few = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def _words(error: BaseException) -> str:
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)
    return "; ".join(f"{part} {getattr(part, 'message', '')}"[:600] for part in parts)


def tried(app: FastAPI, judge: Callable[[Case], None]) -> tuple[int, list[str]]:
    """Every operation of the document with made-up requests; how many there are, and what was wrong with which."""
    schema, failures, count = schemathesis.openapi.from_asgi("/openapi.json", app), [], 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path in ENDLESS:
            continue
        count += 1
        try:
            few(given(operation.as_strategy())(judge))()
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 (what the application raised is what is looked for)
            failures.append(f"{operation.label}: {type(error).__name__} {_words(error)}")
    return count, failures


def test_an_administrator_gets_what_the_document_says(url: str) -> None:
    def judge(case: Case) -> None:
        case.call_and_validate(checks=[not_a_server_error, status_code_conformance, response_schema_conformance])

    count, failures = tried(_app(url, True), judge)
    assert count > 40
    assert failures == [], "\n\n".join(failures)


def test_nobody_gets_nothing(url: str) -> None:
    def judge(case: Case) -> None:
        answer = case.call()
        assert answer.status_code < 500, (case.method, case.formatted_path, answer.status_code)
        if case.path.startswith("/api/"):
            assert answer.status_code in (401, 422), (case.method, case.formatted_path, answer.status_code)

    count, failures = tried(_app(url, False), judge)
    assert count > 40
    assert failures == [], "\n\n".join(failures)
