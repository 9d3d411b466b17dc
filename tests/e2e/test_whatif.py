"""What-if, the decision's page and reports against the whole: explain, replay under HPA, another SLO, the month as CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.e2e.browser import need_axe, opened, serious_faults
from tests.e2e.system import System

pytestmark = pytest.mark.e2e
PLAYED_MS = 180_000
"""A few minutes of a busy target, played twice, beside everything else that this machine does."""


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    made = System("--speed", "30")
    try:
        made.start()
        made.until(lambda: len(made.ticks()) >= 40, "there are ten minutes of decisions")
        yield made
    finally:
        made.end()


def test_a_decision_says_what_would_change_it_and_what_came_of_it(system: System, admin: BrowserContext) -> None:
    tick = next((t for t in system.ticks() if t["verdict"] in ("up", "down")), system.ticks()[-1])
    page = opened(admin, f"{system.url}/ticks/{tick['id']}")
    expect(page.get_by_test_id("lead")).to_be_visible()
    expect(page.get_by_test_id("trail")).to_contain_text("Verdict:")
    expect(page.get_by_role("region", name="What came of it")).to_contain_text("Later", timeout=30_000)
    expect(page.get_by_test_id("changes").first).to_contain_text(re.compile(r" at \d\d:\d\d if "))
    fleets = page.get_by_role("region", name="What was planned, and what was not chosen")
    expect(fleets).to_contain_text("$")
    expect(fleets.get_by_role("row").nth(1)).to_contain_text("%")
    page.get_by_role("button", name="Why are there not fewer replicas?").click()
    answer = page.get_by_role("region", name="Why not otherwise")
    expect(answer).to_contain_text(re.compile(r"was not done because|Nobody stood in its way"), timeout=30_000)
    page.get_by_text("Everything that was recorded (JSON)").click()
    expect(page.get_by_text('"planner_version"')).to_be_visible()


def test_the_last_hours_are_replayed_under_hpa_from_a_decision(system: System, admin: BrowserContext) -> None:
    page = opened(admin, f"{system.url}/ticks/{system.ticks()[0]['id']}")
    page.get_by_role("button", name="Replay").click()
    page.get_by_role("menuitem", name="HPA on the queue").click(timeout=30_000)
    page.wait_for_url("**/what-if/*", timeout=PLAYED_MS)
    expect(page.get_by_test_id("way-row")).to_have_count(3, timeout=PLAYED_MS)
    expect(page.get_by_test_id("findings")).to_contain_text("HPA on the queue costs")
    expect(page.get_by_test_id("pareto-point")).to_have_count(3)
    expect(page.get_by_role("region", name="Replicas: HPA on the queue").locator("canvas")).to_be_visible()
    # The address alone brings it back.
    again = opened(admin, page.url)
    expect(again.get_by_test_id("way-row")).to_have_count(3, timeout=30_000)


def test_another_slo_is_compared_with_a_peer_in_one_go(system: System, admin: BrowserContext) -> None:
    page = opened(admin, f"{system.url}/what-if?target=default/chat&range=1h&peers=kpa")
    expect(page.get_by_test_id("window")).to_contain_text("requests", timeout=30_000)
    page.get_by_role("textbox", name="TPOT SLO").fill("60")
    expect(page.get_by_test_id("will-run")).to_contain_text("The live policy, if TPOT SLO 60.0 ms")
    page.get_by_role("button", name="Run 2 and compare").click()
    page.wait_for_url("**/what-if/*?with=*", timeout=PLAYED_MS)
    expect(page.get_by_role("region", name="Every request played")).to_contain_text("Knative KPA", timeout=PLAYED_MS)
    expect(page.get_by_role("region", name="Decisions made again")).to_contain_text(
        "If TPOT SLO 60.0 ms", timeout=PLAYED_MS
    )
    page.get_by_role("link", name="What-if").first.click()
    expect(page.get_by_test_id("job-row").filter(has_text="Knative KPA")).to_contain_text("Succeeded")


def test_a_play_is_cancelled(system: System, admin: BrowserContext) -> None:
    newest = system.ticks()[0]["at_s"]
    ask = {"kind": "Replay", "target": "default/chat", "policy": "dynamo-classic", "until": newest}
    # The first keeps the one worker busy, so that the second is surely caught before its end.
    system.send("POST", "/api/v1/jobs", {**ask, "since": newest - 3600})
    job = system.send("POST", "/api/v1/jobs", {**ask, "since": newest - 3000})
    page = opened(admin, f"{system.url}/what-if/{job['id']}")
    play = page.get_by_test_id("play")
    # A bar of no length is not visible, and is there.
    expect(play.get_by_role("progressbar")).to_be_attached()
    play.get_by_role("button", name="cancel Dynamo planner, classic").click()
    expect(play).to_contain_text("Cancelled", timeout=PLAYED_MS)
    expect(page.get_by_role("heading", name="Nothing to compare")).to_be_visible()


def test_the_month_is_read_and_taken_along_as_csv(system: System, admin: BrowserContext) -> None:
    page = opened(admin, f"{system.url}/reports")
    expect(page.get_by_test_id("figure").first).to_contain_text(re.compile(r"^Cost\$[\d,]+"), timeout=30_000)
    expect(page.get_by_test_id("day-bar").first).to_be_attached()
    expect(page.get_by_test_id("report-row").filter(has_text="default/chat")).to_contain_text("%")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    with Path(str(download.value.path())).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["key"] for row in rows} == {"default/chat", "default/assistant", "default/search", "total"}
    assert all(float(row["cost_usd"]) > 0 for row in rows)
    page.get_by_text("Day", exact=True).click()
    expect(page.get_by_test_id("report-row").first).to_contain_text(re.compile(r"^\d{4}-\d\d-\d\d"))
    assert "by=day" in page.url


def test_a_viewer_reads_all_of_it_and_starts_nothing(system: System, browser: Browser) -> None:
    made = system.send(
        "POST",
        "/api/v1/tokens",
        {"name": "reader", "grants": [{"role": "Viewer", "namespace": None}], "expires_in_days": 1},
    )
    context = browser.new_context(extra_http_headers={"Authorization": f"Bearer {made['secret']}"})
    page = opened(context, f"{system.url}/what-if?target=default/chat&range=1h")
    expect(page.get_by_text("This needs the role Operator.")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_disabled()
    page = opened(context, f"{system.url}/ticks/{system.ticks()[0]['id']}")
    expect(page.get_by_role("button", name="Replay")).to_be_disabled()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_have_no_serious_fault_and_fit(system: System, browser: Browser, session: Any, scheme: Any) -> None:
    need_axe()
    jobs = system.get("/api/v1/jobs?kind=Replay")["items"]
    job = next(one["id"] for one in jobs if one["status"] == "Succeeded")
    paths = ("/what-if?target=default/chat", f"/what-if/{job}", "/reports", f"/ticks/{system.ticks()[0]['id']}")
    for width in (1280, 390):
        size: Any = {"width": width, "height": 900}
        context = browser.new_context(storage_state=session, viewport=size, color_scheme=scheme, bypass_csp=True)
        for path in paths:
            page = opened(context, system.url + path)
            page.wait_for_timeout(2500)
            overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert overflow <= 0, f"{path} is {overflow} px too wide at {width}"
            assert serious_faults(page) == [], f"{path} in {scheme} at {width}"
            page.close()
        context.close()
