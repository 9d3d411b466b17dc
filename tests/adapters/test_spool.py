"""The spool never loses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.adapters.spool import FileSpool, MemorySpool
from controlplane.domain.decision import Actuation, ActuationResult
from controlplane.domain.ports import SpoolUnavailable
from tests.builders import make_group, make_inputs, make_observation, make_target, make_tick


def moving():  # type: ignore[no-untyped-def]
    target = make_target()
    return make_tick("up", make_group(make_inputs(target, make_observation(target, 60.0))))


def test_a_record_survives_until_it_is_acknowledged(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path)
    spool.intend([moving()])
    spool.record([moving(), make_tick("hold")])
    assert [t.id for t in FileSpool(tmp_path).pending()] == ["up", "hold"]
    assert FileSpool(tmp_path).pending()[0] == moving()
    spool.acknowledge(["up", "hold"])
    assert FileSpool(tmp_path).pending() == []


def test_an_intent_without_a_record_comes_back_as_unknown(tmp_path: Path) -> None:
    FileSpool(tmp_path).intend([moving()])
    (tick,) = FileSpool(tmp_path).pending()
    assert {a.result for a in tick.actuations} == {ActuationResult.UNKNOWN}
    assert {a.variant for a in tick.actuations} == {
        name for name, n in tick.decision.desired.items() if n != tick.decision.current[name]
    }
    assert replace(tick, actuations=()) == moving()


def test_a_record_overrides_its_intent(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path)
    spool.intend([moving()])
    done = replace(moving(), actuations=(Actuation("h100", 1, 5, ActuationResult.APPLIED),))
    spool.record([done])
    assert FileSpool(tmp_path).pending() == [done]


def test_a_torn_last_line_is_left_out_and_the_rest_is_kept(tmp_path: Path) -> None:
    FileSpool(tmp_path).record([make_tick("whole")])
    path = tmp_path / "ticks.jsonl"
    path.write_text(path.read_text() + '{"kind": "record", "tick": {"id": "to')
    assert [t.id for t in FileSpool(tmp_path).pending()] == ["whole"]
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_a_spool_that_cannot_be_written_says_so_and_forgets_nothing(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path / "spool")
    assert spool.writable()
    (tmp_path / "spool" / "ticks.jsonl").unlink(missing_ok=True)
    for name in ("ticks.jsonl", "ticks.probe"):
        (tmp_path / "spool" / name).unlink(missing_ok=True)
        (tmp_path / "spool" / name).mkdir()  # not even root can write a line to a directory
    assert not spool.writable()
    with pytest.raises(SpoolUnavailable, match="cannot be written"):
        spool.intend([moving()])
    with pytest.raises(SpoolUnavailable):
        spool.record([moving()])
    assert spool.pending() == [moving()]


def test_a_write_that_failed_half_way_does_not_spoil_the_next(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path)
    path = tmp_path / "ticks.jsonl"
    path.mkdir()
    with pytest.raises(SpoolUnavailable):
        spool.intend([moving()])
    path.rmdir()
    path.write_text('{"kind": "intent", "tick": {"id": "to')  # what a full disk left of the line
    spool.record([make_tick("next")])
    assert [t.id for t in FileSpool(tmp_path).pending()] == ["next"]


def test_the_fake_behaves_alike() -> None:
    spool = MemorySpool()
    spool.record([moving()])
    assert spool.pending() == [moving()]
    spool.broken = True
    assert not spool.writable()
    with pytest.raises(SpoolUnavailable):
        spool.intend([moving()])
