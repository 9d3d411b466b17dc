"""Rows: their file, the comparison with the oracle, the frontier, the summary."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from controlplane.simulation.league.rows import (
    Row,
    RowsError,
    by_case,
    compared,
    frontier,
    rows_from_json,
    rows_to_json,
    summaries,
)

ASKED = {
    *("trace", "scenario", "cold_start_s", "policy", "requests", "attainment", "worst_hour", "goodput_rps"),
    *("gpu_hours", "cost_usd", "cost_vs_oracle", "scale_ups", "scale_downs", "flaps", "wall_s"),
}


def row(policy: str, cost_usd: float, attainment: float = 1.0, cold_start_s: float = 60.0) -> Row:
    return Row(
        trace="day",
        scenario="league-8b",
        cold_start_s=cold_start_s,
        policy=policy,
        requests=1000,
        attainment=attainment,
        worst_hour=None,
        goodput_rps=1.0,
        gpu_hours=2.0,
        cost_usd=cost_usd,
        cost_vs_oracle=None,
        scale_ups=3,
        scale_downs=2,
        flaps=1,
        wall_s=0.5,
        slo_attainment=0.99,
        fluid_usd=5.0,
        warm_up_s=900.0,
        window_requests=400_000,
    )


def test_rows_come_back_from_their_json_as_they_were() -> None:
    rows = [row("oracle", 10.0), replace(row("hpa-queue*", 12.5), worst_hour=0.98, settings={"target": "3.0"})]
    text = rows_to_json(rows)
    assert rows_from_json(text, "f") == rows
    assert set(json.loads(text)[0]) > ASKED
    assert rows_from_json(rows_to_json([]), "f") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"trace": "day"}]', r"--json f: 0\.scenario: Field required; allowed: rows that the league wrote"),
        (rows_to_json([row("oracle", 1.0)])[:200], "--json f: the file: Invalid JSON: EOF"),
        (rows_to_json([row("oracle", 1.0)]).replace("1000", '"x"'), r"0\.requests: Input should be a valid integer"),
        ("", "the file: Invalid JSON"),
    ],
)
def test_what_is_no_list_of_rows_is_refused_by_field(text: str, said: str) -> None:
    with pytest.raises(RowsError, match=said):
        rows_from_json(text, "--json f")


def test_costs_are_compared_with_the_oracle_of_the_same_case() -> None:
    rows = [
        row("oracle", 10.0),
        row("kpa", 15.0),
        row("oracle", 20.0, cold_start_s=420.0),
        row("kpa", 25.0, 1.0, 420.0),
    ]
    assert [r.cost_vs_oracle for r in compared(rows)] == [1.0, 1.5, 1.0, 1.25]
    assert compared([row("kpa", 15.0)])[0].cost_vs_oracle is None


def test_the_frontier_leaves_out_what_costs_more_for_less() -> None:
    rows = [row("a", 3.0, 0.5), row("b", 1.0, 0.4), row("c", 2.0, 0.6), row("d", 4.0, 0.9), row("e", 4.0, 0.7)]
    assert [r.policy for r in frontier(rows)] == ["b", "c", "d"]


def test_cases_are_sorted_by_cost() -> None:
    rows = [row("dear", 3.0), row("late", 1.0, cold_start_s=180.0), row("cheap", 2.0)]
    assert [[r.policy for r in found] for found in by_case(rows).values()] == [["cheap", "dear"], ["late"]]


def test_a_summary_counts_what_attained_and_ranks_by_it() -> None:
    pairs = [("oracle", 10.0, 1.0), ("kpa", 11.0, 0.98), ("tidegate", 12.0, 0.99), ("wva-v2", 20.0, 0.995)]
    rows = [row(p, usd * k, share, 60.0 * k) for k in (1, 2, 3) for p, usd, share in pairs]
    rows[-1] = replace(rows[-1], cost_usd=90.0, attainment=0.5)
    found = {s.policy: s for s in summaries(compared(rows))}
    assert list(found) == ["oracle", "tidegate", "wva-v2", "kpa"]
    assert (found["tidegate"].attained, found["kpa"].attained, found["wva-v2"].attained) == (3, 0, 2)
    assert (found["wva-v2"].median_vs_oracle, found["wva-v2"].max_vs_oracle) == (2.0, 3.0)
    assert found["wva-v2"].median_where_attained == 2.0
    assert found["kpa"].median_where_attained is None
    assert (found["wva-v2"].cases, found["wva-v2"].least_attainment) == (3, 0.5)
