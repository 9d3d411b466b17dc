"""Clocks never go back; the spool never loses."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.adapters.clock import (
    ClockError,
    ManualClock,
    ScaledClock,
    WallClock,
    clock_from_anchor,
    real_now_s,
    write_anchor,
)
from controlplane.adapters.spool import FileSpool, MemorySpool
from controlplane.domain.decision import Actuation, ActuationResult
from controlplane.domain.ports import SpoolUnavailable
from tests.builders import make_group, make_inputs, make_observation, make_target, make_tick


def test_a_scaled_clock_runs_at_its_speed_and_never_back() -> None:
    clock = ScaledClock(1000.0, real_now_s() - 10.0, 60.0)
    first = clock.now_s()
    assert first == pytest.approx(1600.0, abs=60.0)
    times = [clock.now_s() for _ in range(200)]
    assert times == sorted(times)


async def test_a_scaled_clocks_sleep_is_shorter_than_life() -> None:
    clock = ScaledClock(0.0, real_now_s(), 1000.0)
    before = clock.now_s()
    await clock.sleep(20.0)
    assert clock.now_s() - before >= 19.0


def test_an_anchor_is_the_same_clock_in_every_process(tmp_path: Path) -> None:
    write_anchor(tmp_path / "clock.json", 5000.0, 30.0)
    one, two = (clock_from_anchor(tmp_path / "clock.json") for _ in range(2))
    assert one.speed == 30.0
    assert one.now_s() == pytest.approx(two.now_s(), abs=5.0)
    assert one.now_s() >= 5000.0


@pytest.mark.parametrize("content", ["", "{}", '{"virtual_at_s": "x", "real_at_s": 1, "speed": 1}', "[1]"])
def test_a_wrong_anchor_is_refused_by_its_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "clock.json").write_text(content)
    with pytest.raises(ClockError, match=r"clock\.json"):
        clock_from_anchor(tmp_path / "clock.json")


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_a_wrong_speed_is_refused(speed: float) -> None:
    with pytest.raises(ClockError, match="speed is"):
        ScaledClock(0.0, 0.0, speed)


def test_without_an_anchor_it_is_the_wall() -> None:
    assert clock_from_anchor(None).now_s() == pytest.approx(real_now_s(), abs=1.0)
    assert WallClock().speed == 1.0


async def test_a_manual_clock_wakes_its_sleepers() -> None:
    clock = ManualClock(10.0)
    sleeper = asyncio.create_task(clock.sleep(5.0))
    await asyncio.sleep(0)
    clock.advance(4.0)
    await asyncio.sleep(0)
    assert not sleeper.done()
    clock.advance(1.0)
    await sleeper
    with pytest.raises(ValueError, match="never goes back"):
        clock.advance(-1.0)


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
