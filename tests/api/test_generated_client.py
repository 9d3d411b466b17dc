"""A client that was written from the OpenAPI document alone drives the API."""

from __future__ import annotations

import importlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from uuid import UUID

import pytest
import uvicorn

from controlplane.adapters.clock import ManualClock
from controlplane.adapters.task_sender import RecordedTasks
from controlplane.api.app import create_app
from controlplane.api.doors import Doors
from controlplane.domain.access import AccessRole, Grant
from controlplane.store.jobs import Jobs
from controlplane.store.keys import new_token
from controlplane.store.ledger import PostgresLedger
from controlplane.store.queries import Queries
from controlplane.store.recorded import Recorded
from controlplane.workers.jobs import work
from tests.ledger_builders import NOW_S, make_load, make_target, make_tick

PACKAGE = "tidegate_client"
CONFIG = "post_hooks: []\ncontent_type_overrides:\n  application/yaml: application/octet-stream\n"
"""The generator would format what it wrote: that is for people."""


class Served:
    """The API on a port of its own, with a token of an operator."""

    def __init__(self, url: str) -> None:
        self.app = create_app(url, ManualClock(NOW_S + 4000), doors=Doors(limited=False), tasks=RecordedTasks())
        self.token = new_token(url, "client", [Grant(AccessRole.OPERATOR, "default")], time.time(), 1.0)
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(self.app, log_level="warning"))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})

    def __enter__(self) -> Served:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def play(self, job_id: UUID) -> None:
        engine = self.app.state.writer.engine
        work(Jobs(engine), Recorded(Queries(engine)), job_id)


@pytest.fixture
def served(database_url: str, recording: PostgresLedger) -> Iterator[Served]:
    recording.save_targets([make_target()], NOW_S)
    recording.append([make_tick(f"t{n}", NOW_S + 60 * n, load=make_load(8.0)) for n in range(20)])
    with Served(database_url) as made:
        yield made


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the package that the generator writes from the document."""
    tmp_path = tmp_path_factory.mktemp("client")
    document, config, out = tmp_path / "openapi.json", tmp_path / "config.yaml", tmp_path / PACKAGE
    document.write_text(json.dumps(create_app("postgresql+psycopg://unused@127.0.0.1/x", ManualClock(NOW_S)).openapi()))
    config.write_text(CONFIG)
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(document), "--meta", "none"]
    made = subprocess.run(
        [*command, "--config", str(config), "--output-path", str(out), "--fail-on-warning"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return tmp_path


@pytest.fixture
def generated(written: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The package, imported."""
    monkeypatch.syspath_prepend(str(written))
    return importlib.import_module(PACKAGE)


def api(name: str) -> ModuleType:
    """One operation of the client, e.g. `overrides.create_override`."""
    return importlib.import_module(f"{PACKAGE}.api.{name}")


def test_it_pins_sees_ends_asks_why_and_replays(served: Served, generated: ModuleType) -> None:
    models = importlib.import_module(f"{PACKAGE}.models")
    client = generated.AuthenticatedClient(served.base, served.token, raise_on_unexpected_status=True)

    pin = models.OverrideIn.from_dict({"kind": "Pin", "replicas": 4, "ttl_s": 1800, "reason": "load test"})
    create = api("overrides.create_override_api_v1_targets_namespace_name_overrides_post")
    made = create.sync_detailed("default", "chat", client=client, body=pin)
    assert (made.status_code, made.parsed.replicas) == (201, 4)
    end = api("overrides.end_override_api_v1_overrides_override_id_delete")
    ended = end.sync_detailed(made.parsed.id, client=client, if_match=made.parsed.etag)
    assert ended.parsed.state == "Ended"
    stale = end.sync_detailed(made.parsed.id, client=client, if_match=made.parsed.etag)
    assert stale.status_code == 412

    why = api("explain.explain_tick_api_v1_ticks_tick_id_explain_get").sync("t3", client=client)
    assert why.tick_id == "t3"
    assert why.sentences

    window = {"target": "default/chat", "since": NOW_S, "until": NOW_S + 1200}
    asked = models.WhatIfIn.from_dict({"kind": "WhatIf", **window, "load_factor": 2.0})
    job = api("jobs.create_job_api_v1_jobs_post").sync(client=client, body=asked)
    assert job.status == "Queued"
    served.play(job.id)
    done = api("jobs.job_api_v1_jobs_job_id_get").sync(job.id, client=client)
    assert done.status == "Succeeded"
    assert done.what_if.changed.requests > done.what_if.unchanged.requests

    report = api("reports.reports_api_v1_reports_get").sync(client=client, from_=str(NOW_S), to=str(NOW_S + 3600))
    assert [row.key for row in report.rows] == ["default/chat"]


def test_a_stranger_gets_a_problem(served: Served, generated: ModuleType) -> None:
    client = generated.AuthenticatedClient(served.base, "tdg_forged")
    refused = api("jobs.jobs_api_v1_jobs_get").sync_detailed(client=client)
    assert (refused.status_code, refused.parsed.title) == (401, "Not authenticated")
