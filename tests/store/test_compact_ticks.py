"""Ticks of a simulated fleet: written, read back to the last digit, replayed, and small."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from controlplane.domain.decision import Tick
from controlplane.planning import replay_group
from controlplane.simulation.backtest import START_S
from controlplane.simulation.recording import recorded
from controlplane.simulation.scenario import load_scenario
from controlplane.store.engine import transaction
from controlplane.store.ledger import PostgresLedger
from controlplane.store.lines import TickFilter
from controlplane.store.queries import Queries
from controlplane.store.tick_columns import fleet_of, fleet_parts, pack_ids, reason_parts, unpack_ids
from tests.ledger_builders import NOW_S, make_tick
from tests.store.test_ledger import peaks_only, tick_at

MORNING_S = START_S // 86_400.0 * 86_400.0 + 9.9 * 3600.0


@cache
def morning() -> tuple[tuple[Tick, ...], ...]:
    """A quarter of an hour before and after a launch at 10:00, so that it scales."""
    return tuple(tuple(group) for group in recorded(load_scenario("demo"), 900.0, MORNING_S))


def test_a_fleet_that_scales_is_read_back_and_replayed(recording: PostgresLedger) -> None:
    for group in morning():
        recording.append(group)
    read = list(recording.group_ticks())
    assert [list(map(peaks_only, group)) for group in read] == [list(map(peaks_only, group)) for group in morning()]
    assert all(result.reproduced for group in read for result in replay_group(group))
    assert {tick.decision.verdict.value for group in read for tick in group} >= {"hold", "up"}
    with transaction(recording.engine) as connection:
        mean, brief = connection.execute(
            text("SELECT avg(length(body)), avg((base_id IS NULL)::int) FROM tick_rows")
        ).one()
    replicas = [sum(v.ready + v.pending for v in t.inputs.observation.variants) for g in read for t in g]
    assert mean < 300 + 30 * sum(replicas) / len(replicas)
    assert brief > 0.5


def test_lists_and_charts_say_what_the_ticks_say(recording: PostgresLedger) -> None:
    recording.append([tick for group in morning() for tick in group])
    queries = Queries(recording.engine)
    for key in ("default/chat", "default/assistant"):
        ticks = [t for g in morning() for t in g if t.inputs.target.key == key]
        lines, _ = queries.line_page(TickFilter(key), None, 500)
        chart = queries.chart(TickFilter(key), 500)
        assert lines == list(reversed(chart.lines))
        for tick, line, point in zip(ticks, chart.lines, chart.charts, strict=True):
            load, forecast, demand = tick.inputs.observation.load, tick.inputs.forecast, tick.plan.demand
            assert (line.id, line.at_s, line.reason) == (tick.id, tick.at_s, tick.decision.reason)
            assert line.requests_per_s == (load.requests_per_s if load else None)
            assert {name: v.desired for name, v in line.fleet.items()} == dict(tick.decision.desired)
            assert point.planned_requests_per_s == (demand.requests_per_s if demand else None)
            assert (point.forecast_at_s is None) == (forecast is None)
            if forecast is not None:
                assert point.forecast_p50 == pytest.approx(forecast.requests_per_s.peak_at(0.5), rel=1e-6)


def test_the_newest_are_gone_on_from(recording: PostgresLedger) -> None:
    queries, groups = Queries(recording.engine), morning()
    recording.save_targets([tick.inputs.target for tick in groups[0]], NOW_S)
    for group in groups[:12]:
        recording.append(group)
        found = {row.target.key: row.tick for row in queries.target_rows(group[0].at_s)}
        assert {key: tick and peaks_only(tick) for key, tick in found.items()} == {
            tick.inputs.target.key: peaks_only(tick) for tick in group
        }


def test_two_writers_do_not_build_on_each_others_rows(recording: PostgresLedger, database_url: str) -> None:
    other = PostgresLedger(database_url)
    for number in range(8):
        (recording if number % 2 else other).append([tick_at(number)])
    assert [group[0].id for group in recording.group_ticks()] == [f"t{number}" for number in range(8)]
    other.close()


def test_a_chain_ends_with_its_day(recording: PostgresLedger) -> None:
    midnight_s = (NOW_S // 86_400.0 + 1.0) * 86_400.0
    recording.append([replace(tick_at(0), id=f"m{n}", at_s=midnight_s + 15.0 * n) for n in range(-2, 2)])
    with transaction(recording.engine) as connection:
        full = connection.execute(text("SELECT base_id IS NOT NULL FROM tick_rows ORDER BY sequence")).scalars().all()
    assert full == [True, False, True, False]


def test_a_write_that_failed_is_not_built_on(recording: PostgresLedger) -> None:
    recording.append([tick_at(0)])
    with pytest.raises(Exception, match="ids"):
        recording.append([tick_at(1), replace(tick_at(2), id="x" * 200)])
    recording.append([tick_at(3)])
    assert [group[0].id for group in recording.group_ticks()] == ["t0", "t3"]


@given(st.text(), st.text())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_words_and_names_come_back(reason: str, name: str) -> None:
    words, numbers = reason_parts(reason)
    assert words % (tuple(numbers.split(" ")) if numbers else ()) == reason.replace("\x00", "")
    tick = make_tick("a")
    variant = replace(tick.inputs.target.variants[0], name=name.replace(";", "").replace("\x00", ""))
    target = replace(tick.inputs.target, variants=(variant,))
    counted = fleet_of(*fleet_parts(replace(tick, inputs=replace(tick.inputs, target=target))))
    assert list(counted) == [variant.name]


@given(st.text("0123456789abcdef\n", max_size=40).filter(lambda t: "\n" not in t), st.uuids())
def test_ids_come_back(tick_id: str, group: object) -> None:
    assert unpack_ids(pack_ids(str(group).replace("-", ""), tick_id))[1] == tick_id
