"""The controller's own pages: probes, metrics, and the document that lists them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from controlplane.adapters.clock import ManualClock
from controlplane.adapters.snapshot import MemorySnapshot
from controlplane.adapters.spool import MemorySpool
from controlplane.controller.board import Board
from controlplane.controller.bookkeeping import Bookkeeping
from controlplane.controller.directing import Directing
from controlplane.controller.http import pages, serving
from controlplane.controller.metrics import Inside, registry_of
from controlplane.controller.pulse import Pulse
from controlplane.domain.decision import Actuation, ActuationResult
from controlplane.domain.observation import Fault, FaultKind
from controlplane.domain.status import Told
from controlplane.planning.status import status_of
from controlplane.settings import Address, ServingSettings, SettingsError, settings_from
from controlplane.store.directives import MemoryDirectives
from controlplane.store.ledger import MemoryLedger
from tests.builders import NOW_S, make_tick

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"


class Process:
    def __init__(self, speed: float = 1.0) -> None:
        self.clock = ManualClock(NOW_S, speed)
        self.real_s = 1000.0
        self.board, self.pulse, self.spool = Board(self.clock), Pulse(), MemorySpool()
        books = Bookkeeping(
            MemoryLedger(), self.clock, lambda: self.real_s, Directing(MemoryDirectives(), MemorySnapshot())
        )
        self.registry = registry_of(Inside(self.board, self.pulse, books, self.spool))

    def show(self, attainment: float | None = 0.98) -> None:
        one = make_tick()
        faults = (Fault(FaultKind.TIMEOUT, "a"),)
        seen = replace(one.inputs.observation, attainment=attainment, faults=faults)
        done = (Actuation("h100", 1, 2, ActuationResult.APPLIED),)
        told = Told(replace(one, inputs=replace(one.inputs, observation=seen), actuations=done))
        self.board.show(told, status_of(told, None))

    def samples(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        page = generate_latest(self.registry).decode()
        families = text_string_to_metric_families(page)
        return {f.name: [(s.labels, s.value) for s in f.samples] for f in families}


def test_a_target_that_was_ticked_has_its_gauges() -> None:
    process = Process()
    process.pulse.turns(process.real_s)
    process.show()
    found = process.samples()
    wanted = process.board.shown["default/chat"].told.tick.decision.desired
    labels = {"namespace": "default", "name": "chat", "variant": "h100"}
    assert (labels, wanted["h100"]) in found["tidegate_desired_replicas"]
    wva = {
        "variant_name": "chat-h100",
        "namespace": "default",
        "accelerator_type": "H100",
        "target_name": "chat-h100",
        "target_kind": "Deployment",
    }
    assert (wva, wanted["h100"]) in found["wva_desired_replicas"]
    assert found["tidegate_attainment_ratio"] == [({"namespace": "default", "name": "chat"}, 0.98)]
    assert found["tidegate_slo_burn_rate"][0][1] == pytest.approx(2.0)  # 2 % missed where 1 % may
    assert found["tidegate_actuations"] == [({"namespace": "default", "name": "chat", "result": "applied"}, 1.0)]
    assert found["tidegate_scrape_faults"] == [({"namespace": "default", "name": "chat", "kind": "Timeout"}, 1.0)]
    assert found["tidegate_is_leader"] == [({}, 1.0)]


def test_what_is_not_known_has_no_sample() -> None:
    process = Process()
    process.pulse.turns(process.real_s)
    process.show(attainment=None)
    found = process.samples()
    assert (found["tidegate_attainment_ratio"], found["tidegate_slo_burn_rate"]) == ([], [])


def test_a_target_that_is_gone_takes_its_gauges_along_and_who_does_not_lead_shows_none() -> None:
    process = Process()
    process.pulse.turns(process.real_s)
    process.show()
    process.pulse.waits()
    assert "tidegate_desired_replicas" not in process.samples()
    process.pulse.turns(process.real_s)
    process.board.keep(set())
    found = process.samples()
    assert (found["tidegate_desired_replicas"], found["tidegate_actuations"], found["tidegate_ticks"]) == ([], [], [])


def test_every_family_is_in_the_document_and_every_one_of_the_document_is_there() -> None:
    process = Process()
    process.pulse.turns(process.real_s)
    process.show()
    process.board.took(0.5)
    there = {f.name + ("_total" if f.type == "counter" else "") for f in process.registry.collect()}
    listed = set(re.findall(r"^\| `([a-z_]+)`", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE))
    assert there == listed


def test_counts_are_fresh_for_three_intervals_and_at_least_a_real_minute() -> None:
    process = Process(speed=30.0)
    process.show()
    (h100, _) = process.board.counts()
    assert h100.fresh_until_s - h100.at_s == 1800.0
    slow = Process()
    slow.show()
    assert slow.board.counts()[0].fresh_until_s - slow.board.counts()[0].at_s == 60.0


@pytest.mark.parametrize(
    ("leads", "turned_s", "ticked_s", "health", "readiness"),
    [
        (False, None, None, 200, 200),  # another leads
        (True, 950.0, 990.0, 200, 200),
        (True, 990.0, None, 200, 503),  # turns fail: an API server that is away
        (True, 990.0, 900.0, 200, 503),
        (True, 900.0, 900.0, 503, 503),  # the loop hangs
    ],
)
async def test_probes(leads: bool, turned_s: float | None, ticked_s: float | None, health: int, readiness: int) -> None:
    process = Process()
    if turned_s is not None:
        process.pulse.turns(turned_s)
    if ticked_s is not None:
        process.pulse.ticked(ticked_s, 15.0)
    if not leads:
        process.pulse.waits()
    app = pages(process.pulse, process.registry, lambda: process.real_s)
    async with (
        serving(app, Address("127.0.0.1", 0)) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        for path, expected in (("/healthz", health), ("/readyz", readiness), ("/metrics", 200)):
            async with session.get(path) as answer:
                assert answer.status == expected


DATABASE = {"TIDEGATE_DATABASE_URL": "postgresql://x"}


def test_what_is_served_is_read_from_the_environment() -> None:
    assert settings_from(DATABASE).serving == ServingSettings()
    told = settings_from(
        {
            **DATABASE,
            "TIDEGATE_CONTROLLER_LISTEN": "[::]:8081",
            "TIDEGATE_EXTERNAL_METRICS_LISTEN": "0.0.0.0:6443",
            "TIDEGATE_EXTERNAL_METRICS_TLS_DIR": "/tls",
            "TIDEGATE_FRONT_PROXY_CA": "off",
            "TIDEGATE_KEDA_LISTEN": "0.0.0.0:9090",
        }
    ).serving
    assert (told.pages, told.external_metrics, told.keda) == (
        Address("::", 8081),
        Address("0.0.0.0", 6443),
        Address("0.0.0.0", 9090),
    )
    assert (told.external_metrics_tls_dir, told.front_proxy, told.front_proxy_ca) == (Path("/tls"), False, None)
    assert settings_from({**DATABASE, "TIDEGATE_CONTROLLER_LISTEN": "off"}).serving.pages is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIDEGATE_CONTROLLER_LISTEN", "8081"),
        ("TIDEGATE_KEDA_LISTEN", "0.0.0.0:http"),
        ("TIDEGATE_KEDA_LISTEN", "0.0.0.0:99999"),
        ("TIDEGATE_EXTERNAL_METRICS_LISTEN", "0.0.0.0:6443"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name.removesuffix("_LISTEN")):
        settings_from({**DATABASE, name: value})
