"""Makes a picture of every page, light and dark, from a fresh run: `make screenshots`."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, BrowserContext, Page

from tests.e2e.browser import launch_browser
from tests.e2e.system import System

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
PLAYED_S = 90.0
"""Real seconds of play before the pictures are taken: three quarters of an hour of the generated day at a speed of 30."""
SETTLED_MS = 1200
"""For charts to be drawn and transitions to end."""
SIZES = {"": (1280, 800), "-narrow": (390, 844), "-wide": (2560, 1300)}
EVERY_SIZE = ("fleet", "target", "decision", "comparison")
"""Taken at a phone's and a wide screen's width too."""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
DAY_S = 86_400.0
"""What is said for the pictures holds for all of them, over a fast clock too."""
TARGET = "/api/v1/targets/default/chat"

Act = Callable[[Page], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was made for the pictures: ids of a decision and of a policy, and where two replays are compared."""

    tick: str
    policy: str
    comparison: str


def open_override(page: Page) -> None:
    """The override dialog, filled in, not sent."""
    page.get_by_role("button", name="Pin or override").click()
    page.get_by_role("textbox", name="Replicas").fill("5")
    page.get_by_label("Reason").fill("load test of the new prompt")


def open_freeze(page: Page) -> None:
    """The freeze dialog, filled in, not sent."""
    page.get_by_role("button", name="New freeze").click()
    page.get_by_label("Reason").fill("launch day")


def open_price(page: Page) -> None:
    """The price dialog, filled in, not sent."""
    page.get_by_role("button", name="set price: H100", exact=True).click()
    page.get_by_label("On demand, $/h").fill("3.25")
    page.get_by_label("Reason").fill("new contract")


def open_channel(page: Page) -> None:
    """The channel dialog."""
    page.get_by_role("button", name="New channel").click()
    page.get_by_role("textbox", name="Name", exact=True).fill("on-call")


def open_policy(page: Page) -> None:
    """The policy of the list, with its version in Shadow beside what decides."""
    page.get_by_test_id("policy-row").get_by_role("link", name="chat", exact=True).click()
    page.get_by_role("tab", name="Beside live").click()
    page.get_by_test_id("regret").scroll_into_view_if_needed(timeout=60_000)


def open_editor(page: Page) -> None:
    """The editor of a change of a custom resource, once it is checked."""
    page.get_by_test_id("taken").wait_for(timeout=30_000)


def pages(made: Prepared) -> Mapping[str, tuple[str, Act | None]]:
    """Where each picture is taken, and what is done there first."""
    return {
        "fleet": ("/", None),
        "target": ("/targets/default/chat?range=1h", None),
        "override": ("/targets/default/chat?range=1h", open_override),
        "decision": (f"/ticks/{made.tick}", None),
        "policies": ("/policies", None),
        "policy": (f"/policies/{made.policy}", None),
        "policy-beside-live": ("/policies?origin=Api", open_policy),
        "policy-editor": ("/policies?draft=default%2Fassistant", open_editor),
        "what-if": ("/what-if?target=default/chat&range=1h&peers=hpa-queue,kpa", None),
        "comparison": (f"/what-if/{made.comparison}", None),
        "overrides": ("/overrides?show=all", None),
        "freezes": ("/overrides?show=all&what=freezes", None),
        "freeze": ("/overrides?show=all&what=freezes", open_freeze),
        "catalog": ("/catalog", None),
        "accelerators": ("/catalog?tab=accelerators", None),
        "price": ("/catalog?tab=accelerators", open_price),
        "variant-prices": ("/catalog?tab=variants&target=default/chat", None),
        "profiles": ("/catalog?tab=profiles", None),
        "reports": ("/reports", None),
        "audit": ("/audit", None),
        "settings": ("/settings", None),
        "channel": ("/settings", open_channel),
        "health": ("/health", None),
    }


def take_page(context: BrowserContext, url: str, file: Path, act: Act | None) -> None:
    """One picture, once the page has its data."""
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("h1")
    if "/targets/" in url or "/what-if/" in url:
        page.wait_for_selector("canvas", timeout=30_000)
    page.wait_for_timeout(SETTLED_MS)
    if act is not None:
        act(page)
        page.wait_for_timeout(SETTLED_MS / 3)
    page.screenshot(path=file, animations="disabled")
    page.close()


def take(system: System, made: Prepared, browser: Browser) -> None:
    """All pictures of a system that runs; its link logs in once, and the session is shared."""
    first = browser.new_page()
    first.goto(system.login_link)
    first.get_by_role("button", name="Log in as administrator").click()
    first.wait_for_url(f"{system.url}/**")
    session = first.context.storage_state()
    for scheme in SCHEMES:
        for suffix, (width, height) in SIZES.items():
            context = browser.new_context(
                storage_state=session,
                viewport={"width": width, "height": height},
                color_scheme=scheme,
            )
            for name, (path, act) in pages(made).items():
                if not suffix or name in EVERY_SIZE:
                    take_page(context, system.url + path, PICTURES / f"{name}{suffix}-{scheme}.png", act)
            context.close()


def moving_tick(system: System) -> str:
    """A decision that moved something, where there is one: it has the most to tell."""
    ticks = system.ticks()
    return str(next((tick["id"] for tick in ticks if tick["verdict"] in ("up", "down")), ticks[0]["id"]))


def prepare(system: System) -> Prepared:
    """Say something of everything: an override, freezes, a price, a policy's version, a replay beside another's."""
    floor = {"kind": "Floor", "replicas": 1, "variant": "h100", "ttl_s": DAY_S, "reason": "the demo of this afternoon"}
    system.send("POST", f"{TARGET}/overrides", floor)
    now_s = float(system.get("/api/v1/fleet")["totals"]["now_s"])
    freeze: dict[str, Any] = {"namespace": "default", "direction": "Down", "ttl_s": DAY_S, "reason": "launch day"}
    system.send("POST", "/api/v1/freezes", freeze)
    later = {
        "starts_at_s": now_s + 2.0 * DAY_S,
        "ttl_s": 3600,
        "target": "chat",
        "direction": "Both",
        "reason": "the database moves",
    }
    system.send("POST", "/api/v1/freezes", {**freeze, **later})
    return Prepared(moving_tick(system), policy(system), comparison(system, now_s))


def policy(system: System) -> str:
    """The id of the demo's own policy, with a second version in Shadow, so that there is a difference to see."""
    found = next(one for one in system.get("/api/v1/policies")["items"] if one["name"] == "search")
    path = f"/api/v1/policies/{found['id']}"
    spec = dict(system.get(f"{path}/versions/1")["spec"])
    spec["variants"] = [{**spec["variants"][0], "minReplicas": 2, "maxReplicas": 12}]
    change = {"spec": spec, "reason": "eight replicas were too few on Monday"}
    system.send("POST", f"{path}/versions", change, str(found["etag"]))
    shadow = {"reason": "a day beside the first"}
    system.send("POST", f"{path}/versions/2/shadow", shadow, str(system.get(path)["etag"]))
    return str(found["id"])


def comparison(system: System, now_s: float) -> str:
    """Where replays of the last half hour under two other autoscalers are compared, once they are over."""
    since, until = (datetime.datetime.fromtimestamp(at_s, datetime.UTC) for at_s in (now_s - 1800.0, now_s))
    body = {"kind": "Replay", "target": "default/chat", "since": since.isoformat(), "until": until.isoformat()}
    jobs = [str(system.send("POST", "/api/v1/jobs", {**body, "policy": peer})["id"]) for peer in ("hpa-queue", "kpa")]
    for job in jobs:
        system.until(
            lambda job=job: system.get(f"/api/v1/jobs/{job}")["finished_at_s"],  # type: ignore[misc]
            "the replay is over",
            300.0,
        )
    return f"{jobs[0]}?with={jobs[1]}"


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
            take(system, prepare(system), browser)
    finally:
        system.end()


if __name__ == "__main__":
    main()
