"""The whole runs: from the start to a decision in a browser, through kills and restarts, to a replay of all of it."""

from __future__ import annotations

import json
import os
import re
import signal
import time

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.system import System

pytestmark = pytest.mark.e2e


def log_in(page: Page, system: System) -> None:
    """By a one-time link, as the terminal prints it."""
    page.goto(system.login_link)
    page.get_by_role("button", name="Log in as administrator").click()
    page.wait_for_url(f"{system.url}/")


def test_a_person_sees_a_decision_and_opens_it(system: System, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(system.url)
    expect(page.get_by_role("heading", name="Log in")).to_be_visible(timeout=30_000)
    log_in(page, system)
    row = page.get_by_test_id("target-row").filter(has_text="default/chat")
    expect(row).to_contain_text("req/s", timeout=60_000)
    row.get_by_role("link", name="default/chat").click()
    expect(page.get_by_role("region", name="Replicas")).to_be_visible(timeout=30_000)
    decision = page.get_by_test_id("decision-row").first
    expect(decision).to_be_visible(timeout=30_000)
    decision.click()
    trail = page.get_by_test_id("trail")
    expect(trail).to_contain_text("Seen:")
    expect(trail).to_contain_text("Verdict:")
    expect(page.get_by_role("region", name="Rules, in order")).to_contain_text("stabilization")
    assert re.search(r"/ticks/[0-9a-f]{36}$", page.url)
    assert problems == []
    page.close()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_their_width_in_both_schemes(system: System, browser: Browser, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    log_in(page, system)
    system.until(lambda: system.ticks(), "there is a decision")
    tick = system.ticks()[0]["id"]
    for path in ("/", "/targets/default/chat?range=1h", f"/ticks/{tick}"):
        page.goto(system.url + path)
        page.wait_for_selector("h1", timeout=30_000)
        page.wait_for_timeout(800)
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{path} is {overflow} px too wide at {width}"
        shown = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (shown == "rgb(255, 255, 255)") is (scheme == "light")
    page.close()


def test_the_commands_answer(system: System) -> None:
    system.until(lambda: len(system.ticks()) >= 3, "there are three decisions")
    status = json.loads(system.command("status", "--json").stdout)
    assert {t["name"] for t in status["targets"]} == {"chat", "assistant", "search"}
    assert "default/chat" in system.command("status").stdout
    lines = system.command("explain", "chat").stdout.splitlines()
    assert 4 <= len(lines) <= 10
    assert "Seen:" in lines[1]
    assert (
        json.loads(system.command("ticks", "chat", "--json", "--limit", "1").stdout)["inputs"]["target"]["name"]
        == "chat"
    )
    for command in ("explain", "ticks"):
        unknown = system.command(command, "nobody")
        assert unknown.returncode == 2
        assert "no target default/nobody; there are: default/assistant, default/chat, default/search" in unknown.stderr
    early = system.command("explain", "chat", "--at", "2001-01-01T00:00:00Z")
    assert (early.returncode, "no decision of target default/chat at or before 2001" in early.stderr) == (2, True)


def test_a_second_start_and_a_taken_port_get_a_clear_word(system: System) -> None:
    again = system.command("up", "--port", "1", "--data-dir", str(system.data_dir))
    assert again.returncode == 1
    assert "already running" in again.stdout
    taken = system.command("up", "--port", str(system.port), "--data-dir", str(system.directory / "other"))
    assert taken.returncode == 1
    assert f"port {system.port}" in taken.stdout
    assert "PORT=" in taken.stdout


@pytest.mark.parametrize("name", ["controller", "api", "cluster", "worker", "beat", "PostgreSQL", "Valkey"])
def test_a_killed_child_comes_back_and_nothing_recorded_is_lost(system: System, name: str) -> None:
    system.until(lambda: system.ticks(), "there is a decision")
    before = {tick["id"] for tick in system.ticks()}
    pid = system.children()[name]
    os.kill(pid, signal.SIGKILL)
    system.until(lambda: f"{name} died (signal 9" in system.output, f"it says that {name} died")
    system.until(lambda: system.children().get(name) not in (None, pid), f"{name} was started again")

    def goes_on() -> bool:
        ids = {tick["id"] for tick in system.ticks()}
        return before <= ids and len(ids) >= len(before) + 3

    system.until(goes_on, f"decisions go on after {name} was killed, and those before are there")


def test_every_recorded_decision_is_reproduced(system: System) -> None:
    system.until(lambda: len(system.ticks()) >= 12, "there are a dozen decisions")
    replayed = system.command("replay")
    found = re.search(r"(\d+) of (\d+) decisions reproduced", replayed.stdout)
    assert found, replayed.stdout + replayed.stderr
    assert found[1] == found[2]
    assert int(found[1]) >= 24
    assert replayed.returncode == 0


def test_ctrl_c_stops_every_child_and_a_second_start_keeps_the_history(system: System) -> None:
    before = system.ticks()
    newest_s = max(tick["at_s"] for tick in before)
    assert system.stop() == 0
    assert "the history is kept" in system.output
    deadline = time.monotonic() + 10
    while system.alive() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert system.alive() == []
    system.start()
    known = {tick["id"] for tick in before}
    system.until(lambda: len({t["id"] for t in system.ticks()} - known) >= 2, "decisions go on after a restart")
    after = system.ticks()
    assert known <= {tick["id"] for tick in after}
    assert min(t["at_s"] for t in after if t["id"] not in known) > newest_s
