"""The web UI against the whole: the first decision, what people say over the planner, roles, outages, every width."""

from __future__ import annotations

import os
import re
import signal
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from benchmarks.web_fleet import MOST_JS_KB, gzipped_kb, served
from tests.e2e.browser import need_axe, opened, serious_faults
from tests.e2e.system import System

pytestmark = pytest.mark.e2e
ROUTES = (
    "/",
    "/targets/default/chat?range=1h",
    "/ticks/{tick}",
    "/policies",
    "/what-if",
    "/overrides?show=all",
    "/overrides?show=all&what=freezes",
    "/catalog",
    "/catalog?tab=accelerators",
    "/catalog?tab=variants",
    "/catalog?tab=profiles",
    "/reports",
    "/audit",
    "/settings",
    "/health",
    "/nowhere",
)


@pytest.fixture(scope="module")
def tick(system: System) -> str:
    system.until(lambda: system.ticks(), "there is a decision")
    return str(system.ticks()[0]["id"])


def admin_token(system: System, role: str) -> str:
    """A token of that role of all namespaces."""
    return system.command("token", role.lower(), "--role", role).stdout.strip().splitlines()[-1]


def asked(page: Page, context: BrowserContext, method: str, url: str, body: dict[str, Any]) -> int:
    """The status that a write of this page's user is answered with."""
    csrf = next((one["value"] for one in context.cookies() if one["name"] == "tidegate_csrf"), "")
    headers = {"X-CSRF-Token": csrf, "If-Match": '"0"'}
    return context.request.fetch(url, method=method, data=body, headers=headers).status


def test_a_new_user_comes_to_the_first_decision_and_why(system: System, admin: BrowserContext) -> None:
    page = opened(admin, system.url)
    row = page.get_by_test_id("target-row").filter(has_text="default/chat")
    expect(row).to_contain_text(re.compile(r"hold|up|down|abstain"), timeout=60_000)
    row.get_by_role("link", name="default/chat").click()
    page.get_by_role("link", name=re.compile(r"\d+:\d\d:\d\d")).first.click()
    expect(page).to_have_url(re.compile(r"/ticks/"))
    expect(page.get_by_test_id("trail").get_by_role("listitem").first).to_be_visible(timeout=30_000)


def test_a_freeze_says_what_it_holds_is_seen_at_its_target_and_is_ended(system: System, admin: BrowserContext) -> None:
    page = opened(admin, f"{system.url}/overrides?what=freezes")
    page.get_by_role("button", name="New freeze").click()
    expect(page.get_by_test_id("consequence")).to_contain_text(
        re.compile(r"it keeps at least \d+ .* at \$\d+\.\d\d/h: \$\d+")
    )
    page.get_by_label("Reason").fill("launch day")
    page.get_by_role("button", name="Freeze namespace default for 2 hours").click()
    row = page.get_by_test_id("freeze-row").filter(has_text="launch day")
    expect(row).to_contain_text("Active")
    assert [one["direction"] for one in system.get("/api/v1/freezes?active=true")["items"]] == ["Down"]
    target = opened(admin, f"{system.url}/targets/default/chat")
    expect(target.get_by_test_id("freeze-in-force")).to_contain_text("launch day")
    row.get_by_role("button", name="End").click()
    page.get_by_role("button", name="End it now").click()
    expect(page.get_by_role("heading", name="Nothing is frozen now")).to_be_visible()
    assert system.get("/api/v1/freezes?active=true")["items"] == []


def test_an_override_ends_by_itself_and_names_the_decisions_that_heard_it(
    system: System, admin: BrowserContext, tick: str
) -> None:
    body = {"kind": "Floor", "replicas": 1, "variant": "h100", "ttl_s": 120, "reason": "for two minutes"}
    made = system.send("POST", "/api/v1/targets/default/chat/overrides", body)
    page = opened(admin, f"{system.url}/overrides?show=all")
    row = page.get_by_test_id("override-row").filter(has_text="for two minutes")
    expect(row).to_contain_text("Expired", timeout=60_000)
    row.get_by_role("button", name="decisions that heard").click()
    expect(page.get_by_test_id("heard-row").first).to_be_visible(timeout=30_000)
    path = f"/api/v1/audit?resource=overrides/{made['id']}"
    token = {"Authorization": f"Bearer {admin_token(system, 'Admin')}"}
    system.until(
        lambda: "override.expire" in admin.request.get(system.url + path, headers=token).text(),
        "the audit has its end",
        60,
    )


def test_a_price_is_set_with_a_reason_and_taken_back(system: System, admin: BrowserContext) -> None:
    page = opened(admin, f"{system.url}/catalog?tab=accelerators")
    page.get_by_role("button", name="set price: H100", exact=True).click()
    page.get_by_label("On demand, $/h").fill("3.25")
    page.get_by_label("Reason").fill("new contract")
    page.get_by_role("button", name="Set the price", exact=True).click()
    row = page.get_by_test_id("accelerator-row").filter(has_text="new contract")
    expect(row).to_contain_text("$3.25")
    assert system.get("/api/v1/catalog/accelerators/H100")["usd_per_hour"] == "3.25"
    row.get_by_role("button", name="take back").click()
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_text("new contract")).to_have_count(0)
    assert system.get("/api/v1/catalog/accelerators/H100")["usd_per_hour_source"] == "Catalog"


def test_a_channel_is_made_tested_and_deleted(system: System, admin: BrowserContext) -> None:
    page = opened(admin, f"{system.url}/settings")
    page.get_by_role("button", name="New channel").click()
    page.get_by_role("textbox", name="Name", exact=True).fill("on-call")
    page.get_by_role("dialog").locator("input[aria-haspopup=listbox]").click()
    page.get_by_role("option", name="Webhook").click()
    page.get_by_role("textbox", name="URL").fill("http://127.0.0.1:9/hook")
    page.get_by_role("button", name="Make the channel").click()
    expect(page.get_by_role("alert")).to_contain_text("url")
    page.get_by_role("textbox", name="URL").fill("https://alerts.invalid/hook")
    page.get_by_role("button", name="Make the channel").click()
    row = page.get_by_test_id("channel-row")
    expect(row).to_contain_text("alerts.invalid/***")
    row.get_by_role("button", name="Test on-call").click()
    expect(page.get_by_test_id("delivery-row")).to_contain_text("failed 1 time", timeout=60_000)
    page.keyboard.press("Escape")
    row.get_by_role("button", name="Delete on-call").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("heading", name="Nobody is told anything yet")).to_be_visible()


def test_a_setting_is_changed_with_a_reason(system: System, admin: BrowserContext) -> None:
    page = opened(admin, f"{system.url}/settings")
    page.get_by_role("button", name="change: Budgets a day").click()
    page.get_by_role("button", name="Add a line").click()
    page.get_by_label("Target, namespace or *, line 1").fill("default")
    page.get_by_label("$ a day, line 1").fill("950.50")
    expect(page.get_by_test_id("consequence")).to_contain_text("1 entry instead of 0")
    page.get_by_label("Reason").fill("the quarter")
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_test_id("setting-row").filter(has_text="Budgets")).to_contain_text("default $950.50")
    assert next(s for s in system.get("/api/v1/settings") if s["name"] == "budgets")["value"] == {"default": "950.50"}


def test_a_viewer_is_told_why_not_and_the_api_refuses_too(system: System, browser: Browser) -> None:
    token = admin_token(system, "Viewer")
    context = browser.new_context(extra_http_headers={"Authorization": f"Bearer {token}"})
    shut = {
        "/targets/default/chat": "Pin or override",
        "/overrides?what=freezes": "New freeze",
        "/catalog?tab=accelerators": "set price: H100",
        "/settings": "change: Second person's approval",
    }
    for path, name in shut.items():
        page = opened(context, system.url + path)
        button = page.get_by_role("button", name=name, exact=True)
        expect(button).to_have_attribute("aria-disabled", "true")
        expect(button).to_have_attribute("title", re.compile("This needs the role"))
        page.close()
    api = f"{system.url}/api/v1"
    page = context.new_page()
    freeze = {"namespace": "default", "ttl_s": 60, "reason": "no"}
    assert asked(page, context, "POST", f"{api}/freezes", freeze) == 403
    price = {"usd_per_hour": "1", "reason": "no"}
    assert asked(page, context, "PUT", f"{api}/catalog/accelerators/H100/price", price) == 403
    assert asked(page, context, "PUT", f"{api}/settings/approval_required", {"value": True, "reason": "no"}) == 403
    assert context.request.get(f"{api}/notification-channels").status == 403
    context.close()


@pytest.mark.parametrize("route", ROUTES)
def test_a_page_fits_a_phone(system: System, browser: Browser, session: Any, tick: str, route: str) -> None:
    context = browser.new_context(storage_state=session, viewport={"width": 390, "height": 844})
    page = opened(context, system.url + route.format(tick=tick))
    page.wait_for_timeout(800)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{route} is {wide} px too wide"
    page.get_by_role("button", name="navigation").click()
    expect(page.get_by_role("link", name="Catalog")).to_be_in_viewport()
    context.close()


def press(page: Page, name: str) -> None:
    """Open a dialog."""
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()


OPENED = (
    ("/catalog", None),
    ("/catalog?tab=accelerators", "set price: H100"),
    ("/catalog?tab=variants", None),
    ("/catalog?tab=profiles", None),
    ("/overrides?what=freezes", "New freeze"),
    ("/settings", "New channel"),
    ("/settings", "change: Budgets a day"),
    ("/?group=namespace", None),
    ("/health", None),
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_catalog_freezes_and_notifications_are_accessible(
    system: System, browser: Browser, session: Any, scheme: Any, tick: str
) -> None:
    need_axe()
    context = browser.new_context(
        storage_state=session, viewport={"width": 1280, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    for path, dialog in OPENED:
        page = opened(context, system.url + path)
        page.wait_for_timeout(1000)
        if dialog:
            press(page, dialog)
            page.wait_for_timeout(500)
        assert serious_faults(page) == [], f"{path} {dialog} in {scheme}"
        page.close()
    context.close()


def test_an_api_that_is_away_is_said_on_every_page_and_comes_back_by_itself(
    system: System, admin: BrowserContext
) -> None:
    page = opened(admin, f"{system.url}/catalog")
    expect(page.get_by_test_id("clock")).to_be_visible()
    os.kill(system.children()["api"], signal.SIGSTOP)
    try:
        expect(page.get_by_test_id("outage")).to_contain_text("The API does not answer", timeout=30_000)
    finally:
        os.kill(system.children()["api"], signal.SIGCONT)
    expect(page.get_by_test_id("outage")).to_contain_text("The API is back", timeout=60_000)
    expect(page.get_by_test_id("outage")).to_be_empty(timeout=30_000)
    expect(page.get_by_test_id("fit-row").first).to_be_visible()


def test_of_500_targets_only_the_rows_in_sight_are_in_the_page(browser: Browser) -> None:
    with served(500) as url:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        scripts: dict[str, float] = {}
        page.on("response", lambda heard: scripts.update({heard.url: gzipped_kb(heard)} if ".js" in heard.url else {}))
        page.goto(url)
        table = page.get_by_role("table", name="Targets")
        expect(table).to_have_attribute("aria-rowcount", "501", timeout=30_000)
        page.wait_for_timeout(1000)
        assert 5 < page.get_by_test_id("target-row").count() < 60
        assert 0 < sum(scripts.values()) < MOST_JS_KB
        first = page.get_by_test_id("target-row").first.inner_text()
        assert "misses its SLO" in first, "faults come first"
        page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        expect(page.locator('[aria-rowindex="501"]')).to_be_visible(timeout=10_000)
        assert page.get_by_test_id("target-row").count() < 60
        page.close()
