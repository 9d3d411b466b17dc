"""`tidegate pin` and its like: against the API of a server, by a token, with its refusals in its words."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from typer.testing import CliRunner

from controlplane.adapters.clock import ManualClock
from controlplane.api.app import create_app
from controlplane.api.doors import Doors
from controlplane.cli import app
from controlplane.commands.saying import (
    Frozen,
    Office,
    SayingError,
    freeze,
    office,
    parted,
    pin,
    seconds,
    unfreeze,
    unpin,
)
from controlplane.domain.access import AccessRole, Grant
from controlplane.embedded.children import free_port
from controlplane.store.directives import PostgresDirectives
from controlplane.store.keys import new_token
from controlplane.store.ledger import PostgresLedger
from tests.builders import make_target
from tests.ledger_fixtures import recording

NOW_S = 1_767_600_000.0
__all__ = ["recording"]


@pytest.fixture
def served(database_url: str, recording: PostgresLedger) -> Iterator[tuple[str, PostgresLedger]]:
    recording.save_targets([make_target()], NOW_S)
    made = create_app(database_url, ManualClock(NOW_S), doors=Doors(limited=False))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(made, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}", recording
    server.should_exit = True
    thread.join()


def by(served: tuple[str, PostgresLedger], database_url: str, *grants: Grant) -> Office:
    return Office(served[0], new_token(database_url, "test", grants, time.time(), 1.0))


def test_a_pin_is_made_and_taken_back(served: tuple[str, PostgresLedger], database_url: str) -> None:
    api = by(served, database_url, Grant(AccessRole.OPERATOR, "default"))
    said = pin(api, "chat", 4, "h100", "30m", "load test")
    assert "h100 of default/chat is pinned to 4 until 2026-01-05T08:30Z" in said
    ((override,),) = PostgresDirectives(served[1].engine).current(NOW_S).overrides.values()
    assert (override.replicas, override.reason, override.expires_at_s) == (4, "load test", NOW_S + 1800.0)
    assert unpin(api, "default/chat") == "taken back: h100 at 4"
    assert PostgresDirectives(served[1].engine).current(NOW_S).overrides == {}
    with pytest.raises(SayingError, match="no pin of default/chat holds now"):
        unpin(api, "chat")


def test_a_freeze_is_made_and_ended_and_others_stay(served: tuple[str, PostgresLedger], database_url: str) -> None:
    api = by(served, database_url, Grant(AccessRole.ADMIN))
    assert "everything: nothing changes until" in freeze(api, Frozen(None, None, True), "both", "1h", "move")
    assert "default/chat: nothing goes down" in freeze(api, Frozen("chat", None, False), "down", "1h", "launch")
    assert unfreeze(api, Frozen("chat", None, False)) == "ended: default/chat, Down, by test"
    (left,) = PostgresDirectives(served[1].engine).current(NOW_S).freezes
    assert (left.namespace, left.target) == (None, None)
    assert unfreeze(api, Frozen(None, None, True)) == "ended: everything, Both, by test"


def test_a_refusal_is_in_the_apis_words(served: tuple[str, PostgresLedger], database_url: str) -> None:
    viewer = by(served, database_url, Grant(AccessRole.VIEWER))
    with pytest.raises(SayingError, match="needs the role Operator in namespace default"):
        pin(viewer, "chat", 4, None, "30m", "load test")
    with pytest.raises(SayingError, match="there is no target default/nobody"):
        pin(by(served, database_url, Grant(AccessRole.OPERATOR)), "nobody", 4, None, "30m", "x")
    with pytest.raises(SayingError, match=r"expired|revoked|forged|token"):
        pin(Office(served[0], "tg_forged"), "chat", 4, None, "30m", "x")
    with pytest.raises(SayingError, match="does not answer"):
        pin(Office("http://127.0.0.1:1", "t"), "chat", 4, None, "30m", "x")


def test_the_command_line_reaches_it(
    served: tuple[str, PostgresLedger], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_SERVER", served[0])
    monkeypatch.setenv("TIDEGATE_TOKEN", by(served, database_url, Grant(AccessRole.OPERATOR)).token)
    said = CliRunner().invoke(app, ["pin", "chat", "4", "--for", "90s", "--reason", "load test"])
    assert (said.exit_code, "every variant of default/chat is pinned to 4" in said.stdout) == (0, True)
    assert CliRunner().invoke(app, ["unpin", "chat"]).exit_code == 0
    assert CliRunner().invoke(app, ["pin", "chat", "4"]).exit_code == 2


@pytest.mark.parametrize(("text", "length_s"), [("90s", 90.0), ("30m", 1800.0), ("1.5h", 5400.0), ("2d", 172_800.0)])
def test_durations(text: str, length_s: float) -> None:
    assert seconds(text) == length_s


@pytest.mark.parametrize("text", ["", "30", "m", "-5m", "1w", "1h30m"])
def test_what_is_no_duration_is_named(text: str) -> None:
    with pytest.raises(SayingError, match=r"--for is .*as in 30m"):
        seconds(text)


def test_who_and_where(tmp_path: Path) -> None:
    assert (parted("chat"), parted("prod/chat")) == (("default", "chat"), ("prod", "chat"))
    for wrong in ("", "/chat", "a/b/c", "a/"):
        with pytest.raises(SayingError, match="TARGET is"):
            parted(wrong)
    kept = tmp_path / "connection.json"
    with pytest.raises(SayingError, match="set TIDEGATE_SERVER and TIDEGATE_TOKEN"):
        office({}, kept)
    kept.write_text(json.dumps({"server": "http://h:1/", "token": "kept"}))
    assert office({}, kept) == Office("http://h:1", "kept")
    assert office({"TIDEGATE_TOKEN": "mine"}, kept) == Office("http://h:1", "mine")
    with pytest.raises(SayingError, match="allowed: a URL"):
        office({"TIDEGATE_SERVER": "host", "TIDEGATE_TOKEN": "t"}, kept)
    with pytest.raises(SayingError, match="give one of"):
        Frozen("chat", None, True).scope()
