"""Makes the README's pictures from a fresh run: `make screenshot`."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.browser import launch_browser
from tests.e2e.system import System

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
PLAYED_S = 90.0
"""Real seconds of play before the pictures are taken: three quarters of an hour of the generated day at a speed of 30."""


def main() -> None:
    """Start the whole, let it play, take the pictures, stop it."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    system = System("--speed", "30")
    try:
        system.start()
        with launch_browser() as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
            page.goto(system.login_link)
            page.get_by_role("button", name="Log in as administrator").click()
            page.wait_for_timeout(PLAYED_S * 1000)
            page.screenshot(path=PICTURES / "fleet.png")
            page.goto(f"{system.url}/targets/default/chat?range=1h")
            page.get_by_test_id("decision-row").first.wait_for()
            page.wait_for_timeout(2500)
            page.screenshot(path=PICTURES / "target.png")
            page.goto(f"{system.url}/targets/default/chat?range=1h&verdict=changes")
            page.get_by_test_id("decision-row").first.click()
            page.get_by_test_id("trail").wait_for()
            page.wait_for_timeout(500)
            page.screenshot(path=PICTURES / "decision.png")
    finally:
        system.end()


if __name__ == "__main__":
    main()
