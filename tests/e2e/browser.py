"""A Chromium for tests: Debian's, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

AXE = Path(__file__).resolve().parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str | None:
    """Where it is; None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def launch_browser() -> Iterator[Browser]:
    """The browser, closed at the end of the block.

    Raises:
        FileNotFoundError: if there is no Chromium.
    """
    path = chromium()
    if path is None:
        raise FileNotFoundError("no chromium on PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


def cookies(browser: Browser, link: str, url: str) -> Any:
    """Those of whoever a one-time link logs in as an administrator."""
    page = browser.new_page()
    page.goto(link)
    page.get_by_role("button", name="Log in as administrator").click()
    page.wait_for_url(f"{url}/**")
    return page.context.storage_state()


def window(browser: Browser, session: Any) -> Iterator[BrowserContext]:
    """A desktop's window with those cookies, closed at the end."""
    context = browser.new_context(storage_state=session, viewport={"width": 1280, "height": 900})
    yield context
    context.close()


def opened(context: BrowserContext, url: str) -> Page:
    """A page, when it has its heading."""
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("h1", timeout=30_000)
    return page


def need_axe() -> None:
    """Skip where axe-core is not installed."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: `npm install` in web/")


def serious_faults(page: Page) -> list[tuple[str, list[str]]]:
    """What axe finds serious or critical on a page: its rule, and the first elements."""
    page.add_script_tag(path=str(AXE))
    found = page.evaluate("axe.run().then(r => r.violations)")
    return [
        (one["id"], [node["html"][:160] for node in one["nodes"][:3]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
