"""What people say, in the whole: it acts at the next decision, ends by itself, and no outage makes it forgotten."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.system import System

pytestmark = pytest.mark.e2e
TARGET = "/api/v1/targets/default/chat"


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    made = System("--speed", "10")
    try:
        made.start()
        made.until(lambda: len(made.ticks()) >= 2, "there are two decisions")
        yield made
    finally:
        made.end()


def said(tick: dict[str, Any], rule: str) -> str:
    """What a rule says in a tick's trail."""
    return next((str(r["reason"]) for r in tick["decision"]["trail"] if r["rule"] == rule), "")


def spooled(system: System) -> list[dict[str, Any]]:
    """Finished decisions that wait for the ledger."""
    lines = (system.data_dir / "spool" / "ticks.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines if line.endswith("}")]
    return [entry["tick"] for entry in entries if entry["kind"] == "record"]


def test_a_pin_of_two_minutes_acts_is_seen_and_ends_by_itself(system: System) -> None:
    variant = system.get(f"{TARGET}/variants")[0]["status"]
    wanted = min((variant["desired"] or 0) + 2, variant["max_replicas"])
    body = {"kind": "Pin", "variant": variant["name"], "replicas": wanted, "ttl_s": 120, "reason": "load test"}
    made = system.send("POST", f"{TARGET}/overrides", body)
    assert made["expires_at_s"] == pytest.approx(made["created_at_s"] + 120)

    def heard() -> list[dict[str, Any]]:
        return [system.get(f"/api/v1/ticks/{t['id']}")["tick"] for t in system.get(made["ticks"])["items"]]

    system.until(heard, "a decision has heard of the pin")
    for tick in heard():
        assert tick["decision"]["desired"][variant["name"]] == wanted
        words = f"{variant['name']} pinned to {wanted} by {made['actor']} until "
        assert words in said(tick, "override")
        assert words in tick["decision"]["reason"]
    system.until(
        lambda: system.get(f"{TARGET}/variants")[0]["status"]["desired"] == wanted, "the cluster wants so many"
    )
    where = f"/api/v1/overrides/{made['id']}"
    system.until(lambda: system.get(where)["state"] == "Expired", "it has expired")

    def after() -> list[dict[str, Any]]:
        return [tick for tick in system.ticks() if tick["at_s"] >= made["expires_at_s"]]

    system.until(lambda: len(after()) >= 2, "decisions go on without it")
    newest = system.get(f"/api/v1/ticks/{after()[0]['id']}")["tick"]
    assert said(newest, "override") == "no override"
    assert max(tick["at_s"] for tick in heard()) < made["expires_at_s"]
    assert system.command("replay").returncode == 0
    system.until(lambda: system.get(where)["ended_by"] == "system", "the auditor was told")


def test_the_terminal_pins_and_takes_back(system: System) -> None:
    done = system.command("pin", "chat", "3", "--for", "1h", "--reason", "demo")
    assert (done.returncode, "is pinned to 3 until" in done.stdout) == (0, True), done.stderr
    assert system.get(f"{TARGET}/directives")["overrides"][0]["replicas"] == 3
    assert system.command("unpin", "chat").returncode == 0
    assert system.get(f"{TARGET}/directives")["overrides"] == []


def test_a_freeze_survives_the_death_of_the_controller_while_the_ledger_is_away(system: System) -> None:
    body = {"namespace": "default", "direction": "Both", "ttl_s": 36_000, "reason": "launch day"}
    made = system.send("POST", "/api/v1/freezes", body)
    system.until(
        lambda: "launch day" in said(system.get(f"/api/v1/ticks/{system.ticks()[0]['id']}")["tick"], "freeze"),
        "a decision has heard of the freeze",
    )
    postgres, controller = system.children()["PostgreSQL"], system.children()["controller"]
    os.kill(postgres, signal.SIGSTOP)
    try:
        os.kill(controller, signal.SIGKILL)
        before = {tick["id"] for tick in spooled(system)}
        system.until(lambda: system.children().get("controller") not in (None, controller), "another controller")
        system.until(
            lambda: len([t for t in spooled(system) if t["id"] not in before]) >= 6, "it decides without a ledger"
        )
        ticks = [tick for tick in spooled(system) if tick["id"] not in before]
    finally:
        os.kill(postgres, signal.SIGCONT)
    assert all("launch day" in said(tick, "freeze") for tick in ticks)
    assert all(tick["decision"]["desired"] == tick["decision"]["current"] for tick in ticks)
    system.until(lambda: {t["id"] for t in ticks} <= recorded(system), "the ledger has what was decided meanwhile")
    system.send("DELETE", f"/api/v1/freezes/{made['id']}", etag=made["etag"])
    system.until(
        lambda: said(system.get(f"/api/v1/ticks/{system.ticks()[0]['id']}")["tick"], "freeze") == "not frozen",
        "the freeze is over",
    )


def recorded(system: System) -> set[str]:
    """Ids of all targets' decisions in the ledger."""
    return {tick["id"] for name in ("chat", "assistant", "search") for tick in system.ticks(name)}
