"""Clocks: faster than life, never back, and errors that name the file and the field."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.adapters.clock import (
    ClockError,
    ManualClock,
    ScaledClock,
    WallClock,
    clock_from_anchor,
    monotonic_s,
    real_now_s,
    write_anchor,
)
from controlplane.domain.ports import Clock


def test_a_scaled_clock_counts_from_its_anchor_at_its_speed() -> None:
    clock = ScaledClock(1000.0, real_now_s() - 2.0, 30.0)
    assert clock.now_s() == pytest.approx(1060.0, abs=60.0)  # two real seconds of slack
    assert clock.speed == 30.0


def test_processes_that_share_an_anchor_agree(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    write_anchor(path, 5000.0, 60.0)
    first, second = clock_from_anchor(path), clock_from_anchor(str(path))
    assert second.now_s() == pytest.approx(first.now_s(), abs=60.0)  # a real second of slack


@given(ahead_s=st.floats(0, 1e6), speed=st.floats(0.1, 120))
def test_an_anchor_in_the_walls_future_never_rewinds_the_clock(ahead_s: float, speed: float) -> None:
    clock = ScaledClock(1000.0, real_now_s() + ahead_s, speed)
    seen = [clock.now_s() for _ in range(20)]
    assert seen[0] >= 1000.0
    assert seen == sorted(seen)


async def test_sleep_is_of_the_clocks_seconds() -> None:
    clock, began_s = ScaledClock(0.0, real_now_s(), 100.0), monotonic_s()
    at_s = clock.now_s()
    await clock.sleep(5.0)
    assert clock.now_s() - at_s >= 4.9
    assert monotonic_s() - began_s < 2.0


def test_no_anchor_is_the_walls_clock() -> None:
    clock = clock_from_anchor(None)
    assert isinstance(clock, WallClock)
    assert clock.speed == 1.0
    assert clock.now_s() == pytest.approx(real_now_s(), abs=1.0)


def test_an_anchor_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    write_anchor(path, 1.0, 30.0)
    write_anchor(path, 2.0, 60.0)
    anchor = json.loads(path.read_text(encoding="utf-8"))
    assert (anchor["virtual_at_s"], anchor["speed"]) == (2.0, 60.0)
    assert anchor["real_at_s"] == pytest.approx(real_now_s(), abs=1.0)
    assert [p.name for p in tmp_path.iterdir()] == ["clock.json"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"virtual_at_s": 1, "real_at_s": 1}', "speed is None"),
        ('{"virtual_at_s": 1, "real_at_s": 1, "speed": 0}', "speed is 0"),
        ('{"virtual_at_s": 1, "real_at_s": 1, "speed": true}', "speed is True"),
        ('{"virtual_at_s": 1, "real_at_s": "now", "speed": 1}', "real_at_s is 'now'"),
        ('{"virtual_at_s": NaN, "real_at_s": 1, "speed": 1}', "virtual_at_s is nan"),
        ("[1, 2]", "allowed: an object"),
        ("half a fi", "cannot be read"),
    ],
)
def test_a_bad_anchor_is_named_with_its_field(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "clock.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ClockError, match=said) as caught:
        clock_from_anchor(path)
    assert str(path) in str(caught.value)


def test_an_anchor_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClockError, match=r"absent\.json cannot be read"):
        clock_from_anchor(tmp_path / "absent.json")


@pytest.mark.parametrize("speed", [0.0, -1.0, math.inf, math.nan])
def test_a_clock_must_go_forward(speed: float) -> None:
    with pytest.raises(ClockError, match="speed"):
        ScaledClock(0.0, 0.0, speed)


async def test_a_manual_clock_wakes_sleepers_when_it_passes_them() -> None:
    clock = ManualClock(100.0)
    near, far = asyncio.ensure_future(clock.sleep(10.0)), asyncio.ensure_future(clock.sleep(30.0))
    await asyncio.sleep(0)
    clock.advance(9.0)
    await asyncio.sleep(0)
    assert not near.done()
    clock.advance(1.0)
    await asyncio.sleep(0)
    assert (near.done(), far.done(), clock.now_s()) == (True, False, 110.0)
    clock.advance(50.0)
    await far


async def test_a_manual_clock_does_not_wait_for_what_has_passed() -> None:
    clock = ManualClock(100.0)
    await asyncio.wait_for(clock.sleep(0.0), 1.0)
    await asyncio.wait_for(clock.sleep(-5.0), 1.0)


async def test_a_cancelled_sleeper_does_not_disturb_the_rest() -> None:
    clock = ManualClock()
    gone, stays = asyncio.ensure_future(clock.sleep(1.0)), asyncio.ensure_future(clock.sleep(1.0))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    clock.advance(1.0)
    await stays
    assert gone.cancelled()


def test_a_manual_clock_refuses_to_go_back() -> None:
    with pytest.raises(ValueError, match="seconds is -1"):
        ManualClock().advance(-1)


@pytest.mark.parametrize("clock", [WallClock(), ScaledClock(0.0, 0.0, 2.0), ManualClock()])
def test_every_clock_is_the_port(clock: Clock) -> None:
    assert clock.speed > 0
    assert clock.now_s() <= clock.now_s()
