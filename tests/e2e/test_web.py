"""The web UI against the whole: pin a target, end the pin, what a viewer may, accessibility, widths, an API that is away."""

from __future__ import annotations

import os
import re
import signal
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.e2e.browser import need_axe, opened, serious_faults
from tests.e2e.system import System

pytestmark = pytest.mark.e2e
PAGES = ("/", "/targets/default/chat?range=1h", "/overrides?show=all", "/audit", "/settings", "/health")


def test_a_pin_says_what_it_costs_is_listed_and_is_ended(system: System, admin: BrowserContext) -> None:
    page = opened(admin, f"{system.url}/targets/default/chat?range=1h")
    page.get_by_role("button", name="Pin or override").click()
    page.get_by_role("textbox", name="Replicas").fill("5")
    expect(page.get_by_test_id("consequence")).to_contain_text(
        re.compile(r"[+−]\d+ .*= [+−]\$\d+\.\d\d/h|Nothing moves")
    )
    page.get_by_label("Reason").fill("load test")
    page.get_by_role("button", name="Pin for 30 minutes").click()
    row = page.get_by_test_id("override-row")
    expect(row).to_contain_text("Pin 5")
    expect(row).to_contain_text("load test")
    page.get_by_role("link", name="Overrides").click()
    row = page.get_by_test_id("override-row").filter(has_text="default/chat")
    expect(row).to_contain_text("Active")
    row.get_by_role("button", name="End").click()
    page.get_by_role("button", name="End it now").click()
    expect(page.get_by_role("heading", name="No override holds now")).to_be_visible()
    page.get_by_role("link", name="Audit").click()
    expect(page.get_by_test_id("audit-row").filter(has_text="override.end")).to_have_count(1)
    expect(page.get_by_test_id("audit-row").filter(has_text="override.create")).to_have_count(1)


def test_a_token_is_shown_once_and_a_viewer_may_not_override(
    system: System, admin: BrowserContext, browser: Browser
) -> None:
    page = opened(admin, f"{system.url}/settings")
    page.get_by_role("button", name="New token").click()
    page.get_by_role("textbox", name="Name", exact=True).fill("dashboard")
    page.get_by_role("button", name="Make the token").click()
    secret = page.get_by_test_id("secret").inner_text().strip()
    page.get_by_role("button", name="I have it").click()
    expect(page.get_by_test_id("token-row").filter(has_text="dashboard")).to_contain_text("Viewer of all")
    assert secret not in page.content()
    context = browser.new_context(extra_http_headers={"Authorization": f"Bearer {secret}"})
    viewer = opened(context, f"{system.url}/targets/default/chat")
    expect(viewer.get_by_role("button", name="Pin or override")).to_be_disabled()
    path = "/api/v1/targets/default/chat/overrides"
    body = {"kind": "Pause", "ttl_s": 60, "reason": "no"}
    assert context.request.post(system.url + path, data=body).status == 403
    context.close()
    page.get_by_role("button", name="revoke dashboard").click()
    page.get_by_role("button", name="Revoke it now").click()
    expect(page.get_by_test_id("token-row").filter(has_text="dashboard")).to_contain_text("revoked")


def test_a_decision_leads_to_those_beside_it(system: System, admin: BrowserContext) -> None:
    tick = system.ticks()[0]["id"]
    page = opened(admin, f"{system.url}/ticks/{tick}")
    page.get_by_role("link", name="Next").click(timeout=60_000)
    expect(page).not_to_have_url(f"{system.url}/ticks/{tick}")
    page.get_by_role("link", name="Previous").click()
    expect(page).to_have_url(f"{system.url}/ticks/{tick}")


def test_a_filter_is_in_the_address(system: System, admin: BrowserContext) -> None:
    page = opened(admin, f"{system.url}/?q=assistant")
    expect(page.get_by_test_id("target-row")).to_have_count(1, timeout=30_000)
    page.get_by_role("textbox", name="search targets").fill("nobody")
    expect(page.get_by_role("heading", name="No target is like that")).to_be_visible()
    assert "q=nobody" in page.url
    page.get_by_role("button", name="Show all").click()
    expect(page.get_by_test_id("target-row")).to_have_count(3)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault_of_accessibility(
    system: System, browser: Browser, session: Any, scheme: Any
) -> None:
    need_axe()
    context = browser.new_context(
        storage_state=session, viewport={"width": 1280, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    tick = system.ticks()[0]["id"]
    for path in (*PAGES, f"/ticks/{tick}"):
        page = opened(context, system.url + path)
        page.wait_for_timeout(1000)
        assert serious_faults(page) == [], f"{path} in {scheme}"
        page.close()
    context.close()


@pytest.mark.parametrize("width", [390, 768, 2560])
def test_every_page_fits_its_width(system: System, browser: Browser, session: Any, width: int) -> None:
    context = browser.new_context(storage_state=session, viewport={"width": width, "height": 900})
    tick = system.ticks()[0]["id"]
    for path in (*PAGES, f"/ticks/{tick}"):
        page = opened(context, system.url + path)
        page.wait_for_timeout(800)
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{path} is {overflow} px too wide at {width}"
        page.close()
    context.close()


def test_an_api_that_is_away_is_said_and_heard_of_again(system: System, admin: BrowserContext) -> None:
    page = opened(admin, system.url)
    expect(page.get_by_test_id("clock")).to_be_visible()
    os.kill(system.children()["api"], signal.SIGSTOP)
    try:
        expect(page.get_by_text("stale: no word from the API")).to_be_visible(timeout=30_000)
    finally:
        os.kill(system.children()["api"], signal.SIGCONT)
    expect(page.get_by_test_id("clock")).to_be_visible(timeout=60_000)
