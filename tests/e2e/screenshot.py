"""Makes a picture of every page, light and dark, from a fresh run: `make screenshots`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.e2e.browser import launch_browser
from tests.e2e.system import System

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
PLAYED_S = 90.0
"""Real seconds of play before the pictures are taken: three quarters of an hour of the generated day at a speed of 30."""
SETTLED_MS = 1200
"""For charts to be drawn and transitions to end."""
SIZES = {"": (1280, 800), "-narrow": (390, 844)}
NARROW = ("fleet", "target", "decision")
"""Taken at a phone's width too."""
SCHEMES = ("light", "dark")


def open_dialog(page: Page) -> None:
    """The override dialog, filled in, not sent."""
    page.get_by_role("button", name="Pin or override").click()
    page.get_by_role("textbox", name="Replicas").fill("5")
    page.get_by_label("Reason").fill("load test of the new prompt")


def open_policy(page: Page) -> None:
    """The policy of the list, with its version in Shadow beside what decides."""
    page.get_by_test_id("policy-row").get_by_role("link", name="chat").click()
    page.get_by_role("tab", name="Beside live").click()
    page.get_by_test_id("regret").scroll_into_view_if_needed(timeout=60_000)


def open_editor(page: Page) -> None:
    """The editor of a change of a custom resource, once it is checked."""
    page.get_by_test_id("taken").wait_for(timeout=30_000)


def pages(tick: str) -> dict[str, tuple[str, Callable[[Page], None] | None]]:
    """Where each picture is taken, and what is done there first."""
    return {
        "fleet": ("/", None),
        "target": ("/targets/default/chat?range=1h", None),
        "override": ("/targets/default/chat?range=1h", open_dialog),
        "decision": (f"/ticks/{tick}", None),
        "policies": ("/policies", None),
        "policy": ("/policies?origin=Api", open_policy),
        "policy-editor": ("/policies?draft=default%2Fassistant", open_editor),
        "overrides": ("/overrides?show=all", None),
        "audit": ("/audit", None),
        "settings": ("/settings", None),
        "health": ("/health", None),
    }


def take(url: str, link: str, tick: str, browser: Browser) -> None:
    """All pictures of a system that runs; `link` logs in once, and the session is shared."""
    first = browser.new_page()
    first.goto(link)
    first.get_by_role("button", name="Log in as administrator").click()
    first.wait_for_url(f"{url}/**")
    session = first.context.storage_state()
    for scheme in SCHEMES:
        for suffix, (width, height) in SIZES.items():
            context = browser.new_context(
                storage_state=session,
                viewport={"width": width, "height": height},
                color_scheme=scheme,
            )
            for name, (path, act) in pages(tick).items():
                if suffix and name not in NARROW:
                    continue
                page = context.new_page()
                page.goto(url + path)
                page.wait_for_selector("h1")
                if "/targets/" in path:
                    page.wait_for_selector("canvas", timeout=30_000)
                page.wait_for_timeout(SETTLED_MS)
                if act is not None:
                    act(page)
                    page.wait_for_timeout(SETTLED_MS / 3)
                page.screenshot(path=PICTURES / f"{name}{suffix}-{scheme}.png", animations="disabled")
                page.close()
            context.close()


def moving_tick(system: System) -> str:
    """A decision that moved something, where there is one: it has the most to tell."""
    ticks = system.ticks()
    return str(next((tick["id"] for tick in ticks if tick["verdict"] in ("up", "down")), ticks[0]["id"]))


def shadow_a_policy(system: System) -> None:
    """A change of `chat` that is watched from the start, so that its picture has a comparison in it."""
    variant = {"name": "l40s", "accelerator": "L40S", "minReplicas": 1, "maxReplicas": 16}
    spec = {
        "model": "llama-3.1-8b",
        "slo": {"ttftSeconds": 2.0, "tpotSeconds": 0.1, "attainment": 0.99},
        "variants": [
            {**variant, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat-l40s"}}
        ],
    }
    body = {"name": "chat", "namespaces": ["default"], "spec": spec, "reason": "is L40S alone enough?"}
    made = system.send("POST", "/api/v1/policies", body)
    system.send("POST", f"/api/v1/policies/{made['id']}/versions/1/shadow", {"reason": "watch it"}, made["etag"])


def main() -> None:
    """Start the whole, let it play, take the pictures, stop it."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    system = System("--speed", "30")
    try:
        system.start()
        shadow_a_policy(system)
        with launch_browser() as browser:
            browser.new_page().wait_for_timeout(PLAYED_S * 1000)
            take(system.url, system.login_link, moving_tick(system), browser)
    finally:
        system.end()


if __name__ == "__main__":
    main()
