"""One system and one browser for a file's tests; a file that needs another system has a fixture of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.e2e.browser import chromium, cookies, launch_browser, window
from tests.e2e.system import System


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """The whole, at thirty times the speed of the clock."""
    made = System("--speed", "30")
    try:
        made.start()
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium."""
    if chromium() is None:
        pytest.skip("no chromium: `apt-get install chromium`, or see the Makefile's `browser`")
    with launch_browser() as made:
        yield made


@pytest.fixture(scope="module")
def session(system: System, browser: Browser) -> Any:
    """The administrator's cookies: one login for all tests, and a decision to look at."""
    made = cookies(browser, system.login_link, system.url)
    system.until(lambda: system.ticks(), "there is a decision")
    return made


@pytest.fixture
def admin(browser: Browser, session: Any) -> Iterator[BrowserContext]:
    """A window of the administrator's."""
    yield from window(browser, session)
