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
NARROW = ("fleet", "target", "decision", "comparison")
"""Taken at a phone's width too."""
SCHEMES = ("light", "dark")


def open_dialog(page: Page) -> None:
    """The override dialog, filled in, not sent."""
    page.get_by_role("button", name="Pin or override").click()
    page.get_by_role("textbox", name="Replicas").fill("5")
    page.get_by_label("Reason").fill("load test of the new prompt")


def pages(tick: str, job: str) -> dict[str, tuple[str, Callable[[Page], None] | None]]:
    """Where each picture is taken, and what is done there first."""
    return {
        "fleet": ("/", None),
        "target": ("/targets/default/chat?range=1h", None),
        "override": ("/targets/default/chat?range=1h", open_dialog),
        "decision": (f"/ticks/{tick}", None),
        "what-if": ("/what-if?target=default/chat&range=1h&peers=hpa-queue,kpa", None),
        "comparison": (f"/what-if/{job}", None),
        "reports": ("/reports", None),
        "overrides": ("/overrides?show=all", None),
        "audit": ("/audit", None),
        "settings": ("/settings", None),
        "health": ("/health", None),
    }


def take(url: str, link: str, tick: str, job: str, browser: Browser) -> None:
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
            for name, (path, act) in pages(tick, job).items():
                if suffix and name not in NARROW:
                    continue
                page = context.new_page()
                page.goto(url + path)
                page.wait_for_selector("h1")
                if "/targets/" in path or "/what-if" in path:
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


def played(system: System) -> str:
    """A replay of all that there is under HPA, once it is over."""
    times = [tick["at_s"] for tick in system.ticks()]
    asked = {
        "kind": "Replay",
        "target": "default/chat",
        "policy": "hpa-queue",
        "since": min(times),
        "until": max(times),
    }
    job = str(system.send("POST", "/api/v1/jobs", asked)["id"])
    system.until(lambda: system.get(f"/api/v1/jobs/{job}")["status"] == "Succeeded", "the replay is over")
    return job


def main() -> None:
    """Start the whole, let it play, take the pictures, stop it."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    system = System("--speed", "30")
    try:
        system.start()
        with launch_browser() as browser:
            browser.new_page().wait_for_timeout(PLAYED_S * 1000)
            take(system.url, system.login_link, moving_tick(system), played(system), browser)
    finally:
        system.end()


if __name__ == "__main__":
    main()
