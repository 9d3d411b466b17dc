"""How long a frame of the target page takes with 10,000 points a line: `python -m benchmarks.web_charts [URL LINK]`.

Without a URL and a one-time link it starts a `tidegate up` of its own. The series that the page asks for is answered
with 10,000 points; then the mouse hovers over the charts, which share a cursor, and the time between frames is taken.
Chromium draws without a GPU here: a desk's browser is faster.
"""

from __future__ import annotations

import json
import statistics
import sys

from playwright.sync_api import Page, Route

from tests.e2e.browser import launch_browser
from tests.e2e.system import System

POINTS = 10_000
MOVES = 60
WATCH = """() => { window.frames_ms = []; let last = performance.now();
  const next = now => { window.frames_ms.push(now - last); last = now; requestAnimationFrame(next); };
  requestAnimationFrame(next); }"""


def stretched(series: dict[str, object]) -> dict[str, object]:
    """The same series with its columns repeated to `POINTS` entries, 15 s apart."""
    number = max(len(series["at_s"]), 1)  # type: ignore[arg-type]
    out = {
        name: [column[i % number] for i in range(POINTS)] if isinstance(column, list) and name != "variants" else column
        for name, column in series.items()
    }
    out["variants"] = [
        {
            name: [column[i % number] for i in range(POINTS)] if isinstance(column, list) else column
            for name, column in variant.items()
        }
        for variant in series["variants"]  # type: ignore[attr-defined]
    ]
    start = float(series["at_s"][-1]) - 15.0 * POINTS  # type: ignore[index]
    out["at_s"] = [start + 15.0 * i for i in range(POINTS)]
    out["forecast_at_s"] = [start + 15.0 * i + 300.0 for i in range(POINTS)]
    return out


def answer(route: Route) -> None:
    """The API's answer, stretched."""
    route.fulfill(content_type="application/json", body=json.dumps(stretched(route.fetch().json())))


def frames_ms(page: Page, url: str) -> list[float]:
    """Time between frames while the mouse crosses the charts."""
    page.route("**/series*", answer)
    page.goto(f"{url}/targets/default/chat?range=1h")
    chart = page.get_by_role("region", name="Replicas").locator(".u-over")
    chart.wait_for(timeout=60_000)
    chart.scroll_into_view_if_needed()
    page.wait_for_timeout(2000)
    box = chart.bounding_box()
    assert box is not None
    page.evaluate(WATCH)
    for i in range(MOVES):
        page.mouse.move(box["x"] + box["width"] * (i + 0.5) / MOVES, box["y"] + box["height"] / 2)
    return list(page.evaluate("window.frames_ms"))


def measure(url: str, link: str) -> None:
    """Log in, measure, print."""
    with launch_browser() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(link)
        page.get_by_role("button", name="Log in as administrator").click()
        page.wait_for_url(f"{url}/**")
        found = sorted(frames_ms(page, url))
    p95 = found[int(len(found) * 0.95)]
    print(f"{POINTS} points: {len(found)} frames, median {statistics.median(found):.0f} ms, p95 {p95:.0f} ms")


def main() -> None:
    """Measure the system that is named, or one of its own."""
    if len(sys.argv) == 3:
        measure(sys.argv[1], sys.argv[2])
        return
    system = System("--speed", "30")
    try:
        system.start()
        system.until(lambda: len(system.ticks()) >= 3, "there are three decisions")
        measure(system.url, system.login_link)
    finally:
        system.end()


if __name__ == "__main__":
    main()
