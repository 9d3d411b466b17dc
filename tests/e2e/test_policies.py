"""A policy through the web UI: drafted, shadowed, approved by a second person, promoted, Live; and who may not."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.browser import cookies, need_axe, opened, serious_faults, window
from tests.e2e.system import System

pytestmark = pytest.mark.e2e
RESOURCES = "/apis/tidegate.io/v1alpha1/namespaces/default/inferenceautoscalers"
SPEC = """model: llama-3.1-8b
slo:
  ttftSeconds: 2
  tpotSeconds: 0.1
  attainment: 0.99
variants:
  - name: h100
    scaleTargetRef:
      apiVersion: apps/v1
      kind: Deployment
      name: chat-h100
    accelerator: H100
    minReplicas: 1
    maxReplicas: 12
"""


def logged_in(system: System, browser: Browser, name: str) -> Any:
    """The cookies of an administrator of that name."""
    link = system.command("login-link", "--url", system.url, "--name", name).stdout.strip()
    return cookies(browser, link, system.url)


@pytest.fixture(scope="module")
def sessions(system: System, browser: Browser) -> dict[str, Any]:
    """Alice's and Bob's."""
    made = {name: logged_in(system, browser, name) for name in ("alice", "bob")}
    system.until(lambda: system.ticks(), "there is a decision")
    return made


@pytest.fixture
def alice(browser: Browser, sessions: dict[str, Any]) -> Iterator[BrowserContext]:
    yield from window(browser, sessions["alice"])


@pytest.fixture
def bob(browser: Browser, sessions: dict[str, Any]) -> Iterator[BrowserContext]:
    yield from window(browser, sessions["bob"])


def confirm(page: Page, reason: str, button: str) -> None:
    """Fill in the dialog that is open, and press its button."""
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill(reason)
    dialog.get_by_role("button", name=button).click()
    expect(dialog).to_be_hidden(timeout=15_000)


def resource(system: System, method: str) -> None:
    """One request to the simulated cluster about the custom resource of `chat`."""
    config = yaml.safe_load((system.data_dir / "run" / "kubeconfig").read_text())
    server = config["clusters"][0]["cluster"]["server"]
    request = urllib.request.Request(f"{server}{RESOURCES}/chat", method=method)
    urllib.request.urlopen(request, timeout=10).close()


def require_approval(system: System) -> None:
    """A second person must look from now on."""
    token = system.command("token", "settings", "--role", "Admin").stdout.strip()
    path = "/api/v1/settings/approval_required"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    headers["If-Match"] = system.get(path)["etag"]
    body = b'{"value": true, "reason": "two pairs of eyes"}'
    urllib.request.urlopen(urllib.request.Request(system.url + path, body, headers, method="PUT"), timeout=10).close()


def of_resources(system: System) -> list[str]:
    items = system.get("/api/v1/policies")["items"]
    return [one["name"] for one in items if one["origin"] == "CustomResource"]


def test_a_policy_is_drafted_shadowed_approved_by_another_and_promoted(
    system: System, alice: BrowserContext, bob: BrowserContext
) -> None:
    require_approval(system)
    resource(system, "DELETE")
    system.until(lambda: "chat" not in of_resources(system), "the custom resource is gone")

    page = opened(alice, f"{system.url}/policies")
    page.get_by_role("button", name="New policy").click()
    page.get_by_role("textbox", name="Name", exact=True).fill("chat")
    page.locator(".cm-content").fill(SPEC)
    expect(page.get_by_test_id("taken")).to_contain_text("It makes 1 target: default/chat.")
    page.get_by_label("Reason").fill("one GPU type is enough")
    page.get_by_role("button", name="Save as a draft").click()

    page.get_by_role("button", name="Start shadow").click()
    expect(page.get_by_test_id("consequence")).to_contain_text("1 of 3 places in Shadow")
    confirm(page, "watch it first", "Start shadow version 1")
    expect(page.locator("[aria-current=step]")).to_contain_text("Shadow")
    page.get_by_role("button", name="Ask to promote").click()
    confirm(page, "it holds its SLO", "Ask for approval")
    waiting = page.get_by_test_id("approval")
    expect(waiting).to_contain_text("You asked for this yourself")
    expect(waiting.get_by_role("button", name="Approve")).to_be_disabled()

    other = opened(bob, f"{system.url}/policies")
    expect(other.get_by_test_id("waiting")).to_contain_text("1 version waits for your approval")
    other.get_by_role("button", name="Show").click()
    other.get_by_test_id("policy-row").get_by_role("link", name="chat").click()
    other.get_by_test_id("approval").get_by_role("button", name="Approve").click()
    confirm(other, "I read the spec", "Approve it")
    expect(other.get_by_test_id("approval")).to_be_hidden()

    expect(page.get_by_test_id("word")).to_contain_text("Approved for Live by", timeout=30_000)
    page.get_by_role("button", name="Promote").click()
    expect(page.get_by_test_id("consequence")).to_contain_text("Version 1 decides for 1 target (default/chat)")
    confirm(page, "approved by Bob", "Promote version 1")
    expect(page.locator("[aria-current=step]")).to_contain_text("Live")
    page.get_by_role("tab", name="History").click()
    expect(page.get_by_test_id("history-row").filter(has_text="approved by Bob")).to_have_count(1)
    page.get_by_role("link", name="Policies").first.click()
    expect(page.get_by_test_id("policy-row").filter(has_text="one GPU type is enough")).to_contain_text("Live v1")
    system.until(lambda: decided_live(system), "the policy's own version decides in Live", timeout_s=60)


def decided_live(system: System) -> bool:
    """Whether the newest decision of `chat` was made by a version of the API, in Live."""
    tick = system.get(f"/api/v1/ticks/{system.ticks()[0]['id']}")["tick"]
    target = tick["inputs"]["target"]
    return target["policy_version"] is not None and target["policy"]["mode"] == "Live"


def test_a_new_version_is_beside_the_old_one(system: System, alice: BrowserContext) -> None:
    page = opened(alice, f"{system.url}/policies?origin=Api")
    page.get_by_test_id("policy-row").get_by_role("link", name="chat").click()
    page.get_by_role("button", name="New version").click()
    page.get_by_label("most of h100").fill("8")
    expect(page.get_by_role("heading", name="1 field changes")).to_be_visible()
    page.get_by_label("Reason").fill("twelve were never needed")
    page.get_by_role("button", name="Save as a draft").click()
    diff = page.get_by_test_id("diff")
    expect(diff.locator(".gone mark")).to_have_text("12")
    expect(diff.locator(".come mark")).to_have_text("8")
    page.get_by_role("button", name="Put away", exact=True).click()
    confirm(page, "only to see it", "Put away version 2")
    expect(page.get_by_test_id("version-row").filter(has_text="twelve were never needed")).to_contain_text("Superseded")


def test_what_the_api_would_refuse_is_shown_at_its_line(system: System, alice: BrowserContext) -> None:
    page = opened(alice, f"{system.url}/policies?draft=new")
    page.get_by_role("textbox", name="Name", exact=True).fill("other")
    page.locator(".cm-content").fill(SPEC.replace("maxReplicas: 12", "maxReplicas: many"))
    expect(page.get_by_test_id("faults")).to_contain_text("Line 14: spec.variants[0].maxReplicas")
    expect(page.locator(".cm-lint-marker-error")).to_have_count(1)
    page.get_by_label("Reason").fill("no")
    expect(page.get_by_role("button", name="Save as a draft")).to_be_disabled()


def test_a_change_beside_a_custom_resource_is_played_before_it_is_saved(system: System, alice: BrowserContext) -> None:
    page = opened(alice, f"{system.url}/policies?origin=CustomResource&q=assistant")
    page.get_by_test_id("policy-row").get_by_role("link", name="assistant").click()
    page.get_by_role("link", name="Draft a change beside it").click()
    expect(page.get_by_test_id("taken")).to_contain_text("A custom resource decides default/assistant", timeout=30_000)
    page.get_by_role("button", name="Play it").click()
    result = page.get_by_test_id("dry-run")
    expect(result).to_contain_text("Attainment", timeout=120_000)
    expect(result).to_contain_text("GPU-hours")
    page.get_by_label("Reason").fill("as it is, to begin with")
    page.get_by_role("button", name="Save as a draft").click()
    expect(page.get_by_test_id("commit")).to_contain_text("kind: InferenceAutoscaler")


def test_a_viewer_may_look_and_not_touch(system: System, browser: Browser) -> None:
    secret = system.command("token", "onlooker", "--role", "Viewer").stdout.strip()
    context = browser.new_context(extra_http_headers={"Authorization": f"Bearer {secret}"})
    page = opened(context, f"{system.url}/policies?origin=Api&q=enough")
    expect(page.get_by_role("button", name="New policy")).to_be_disabled()
    page.get_by_test_id("policy-row").get_by_role("link", name="chat").click()
    expect(page.get_by_role("button", name="New version")).to_be_disabled()
    expect(page.get_by_test_id("why-not").first).to_have_text("This needs the role Operator in default.")
    context.close()


def places(system: System) -> list[str]:
    """Every state of the pages that looks different."""
    items = system.get("/api/v1/policies")["items"]
    made = next(one["id"] for one in items if one["name"] == "chat" and one["origin"] == "Api")
    mirrored = next(one["id"] for one in items if one["origin"] == "CustomResource")
    tabs = [f"/policies/{made}?tab={tab}" for tab in ("changes", "regret", "ticks", "yaml", "history")]
    return ["/policies", "/policies?draft=new", *tabs, f"/policies/{made}?edit=1", f"/policies/{mirrored}"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_of_policies_has_a_serious_fault_of_accessibility(
    system: System, browser: Browser, sessions: dict[str, Any], scheme: Any
) -> None:
    need_axe()
    context = browser.new_context(
        storage_state=sessions["alice"],
        viewport={"width": 1280, "height": 900},
        color_scheme=scheme,
        bypass_csp=True,
    )
    for path in places(system):
        page = opened(context, system.url + path)
        page.wait_for_timeout(1500)
        assert serious_faults(page) == [], f"{path} in {scheme}"
        page.close()
    context.close()


@pytest.mark.parametrize("width", [390, 768, 2560])
def test_every_page_of_policies_fits_its_width(
    system: System, browser: Browser, sessions: dict[str, Any], width: int
) -> None:
    context = browser.new_context(storage_state=sessions["alice"], viewport={"width": width, "height": 900})
    for path in places(system):
        page = opened(context, system.url + path)
        page.wait_for_timeout(1000)
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{path} is {overflow} px too wide at {width}"
        page.close()
    context.close()
