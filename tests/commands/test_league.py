"""`tidegate league`, as typed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from controlplane.cli import app

RUN = CliRunner()
SMALL = ["--scenario", "league-70b", "--cold-start", "60", "--requests", "2500"]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return written(tmp_path / "wave.csv")


def written(path: Path) -> Path:
    random = np.random.default_rng(5)
    times = np.sort(1200.0 * random.beta(2.0, 2.0, 600))
    lines = [f"{t:.3f},{random.integers(500, 3000)},{random.integers(50, 300)}" for t in times]
    path.write_text("\n".join(["arrival_s,input_tokens,output_tokens", *lines]) + "\n", encoding="utf-8")
    return path


def league(*arguments: object, jobs: int = 1) -> Result:
    return RUN.invoke(app, ["league", *SMALL, "--jobs", str(jobs), *map(str, arguments)])


def fails(*arguments: object) -> str:
    result = league(*arguments)
    assert isinstance(result.exception, ValueError), result.output
    return str(result.exception)


def rows(path: Path) -> list[dict[str, object]]:
    found = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(found, list)
    return found


def test_a_small_league_writes_rows_and_prints_tables(trace: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    result = league("--trace", trace, "--policy", "static:14", "hpa-queue", "--json", out)
    assert result.exit_code == 0, result.output
    assert [(r["trace"], r["scenario"], r["policy"]) for r in rows(out)] == [
        ("wave", "league-70b", name) for name in ("oracle", "static:14", "hpa-queue")
    ]
    assert rows(out)[0]["cost_vs_oracle"] == 1.0
    assert "wave · league-70b · cold start 60 s" in result.output
    assert "all cases" in result.output
    assert not list(tmp_path.glob(".*"))


def test_a_second_call_plays_only_what_is_not_there(trace: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    assert league("--trace", trace, "--policy", "static:14", "--json", out).exit_code == 0
    first = rows(out)
    assert league("--trace", trace, "--policy", "static:14", "static:15", "--json", out).exit_code == 0
    assert rows(out)[:2] == first  # wall_s too: they were not played
    assert {r["policy"] for r in rows(out)} == {"oracle", "static:14", "static:15"}
    third = league("--trace", trace, "--policy", "static:14, static:15", "--json", out)
    assert "3 of 3 rows are in" in third.stderr
    again = league("--trace", trace, "--policy", "static:14", "--again", "static:14", "--json", out)
    assert again.exit_code == 0
    assert "2 of 2" not in again.stderr
    assert {r["policy"] for r in rows(out)} == {"oracle", "static:14", "static:15"}


def test_a_policy_played_again_on_one_case_keeps_its_rows_on_the_others(trace: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    both = ("--trace", trace, "--policy", "static:14", "--json", out)
    assert league(*both, "--cold-start", "60,180").exit_code == 0
    before = {(r["policy"], r["cold_start_s"]): r for r in rows(out)}
    assert league(*both, "--cold-start", "60", "--again", "static:14").exit_code == 0
    after = {(r["policy"], r["cold_start_s"]): r for r in rows(out)}
    assert after.keys() == before.keys()
    assert after["static:14", 180.0] == before["static:14", 180.0]
    assert after["static:14", 60.0]["wall_s"] != before["static:14", 60.0]["wall_s"]


def test_a_broken_file_is_reported_and_left_as_it_is(trace: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    league("--trace", trace, "--policy", "static:14", "--json", out)
    half = out.read_text(encoding="utf-8")[:300]
    out.write_text(half, encoding="utf-8")
    said = fails("--trace", trace, "--policy", "static:14", "--json", out)
    assert "rows.json: the file: Invalid JSON" in said
    assert "allowed: rows that the league wrote, or a file that is not there yet" in said
    assert out.read_text(encoding="utf-8") == half


def test_rows_of_other_windows_are_not_mixed(trace: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    league("--trace", trace, "--policy", "static:14", "--json", out)
    assert "window_requests is 2500, and None is asked for" in fails("--trace", trace, "--full", "--json", out)


def test_rows_of_copies_otherwise_apart_are_not_mixed(trace: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    league("--trace", trace, "--policy", "static:14", "--json", out)
    assert all(row["copies_within_s"] == 300.0 for row in rows(out))
    said = fails("--trace", trace, "--policy", "static:14", "--copies-within", "15", "--json", out)
    assert "copies_within_s is 300, and 15 is asked for" in said
    clumps = tmp_path / "clumps.json"
    league("--trace", trace, "--policy", "static:14", "--copies-within", "15", "--json", clumps)
    assert all(row["copies_within_s"] == 15.0 for row in rows(clumps))
    assert "--copies-within is 0; allowed: seconds above 0" in fails("--trace", trace, "--copies-within", "0")


def test_two_processes_play_the_same(trace: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    for jobs, out in ((1, one), (2, two)):
        result = league("--trace", trace, "--policy", "static:14", "kpa", "--json", out, jobs=jobs)
        assert result.exit_code == 0, result.output

    def known(path: Path) -> dict[object, object]:
        return {r["policy"]: {k: v for k, v in r.items() if k != "wall_s"} for r in rows(path)}

    assert known(one) == known(two)


def test_a_trace_that_cannot_be_read_fails_its_rows_and_no_others(trace: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("arrival_s,input_tokens\n1,2\n", encoding="utf-8")
    out = tmp_path / "rows.json"
    said = fails("--trace", bad, trace, "--policy", "static:14", "--json", out)
    assert "2 of 4 rows could not be played" in said
    assert "has no column output_tokens" in said
    assert [r["trace"] for r in rows(out)] == ["wave", "wave"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policy", "hpa"], "policy is 'hpa'; allowed: tidegate, static:N, static-best, hpa-queue, "),
        (["--scenario", "nope"], "scenario is 'nope'; allowed: chat-8b"),
        (["--cold-start", "60,x"], "--cold-start is '60,x'; allowed: numbers above 0"),
        (["--cold-start", "0"], "--cold-start is '0'; allowed: numbers above 0"),
        (["--jobs", "0"], "--jobs is 0; allowed: an integer of 1 or more"),
        (["--requests", "0"], "--requests is 0; allowed: an integer of 1 or more"),
        (["--trace", "absent.csv"], "--trace is 'absent.csv'; allowed: a .csv or .csv.gz file"),
        (["--json", "absent/rows.json"], "--json is 'absent/rows.json'; allowed: a file in a directory that exists"),
    ],
)
def test_options_that_cannot_be_used(trace: Path, arguments: list[str], message: str) -> None:
    assert message in fails("--trace", trace, *arguments)


def test_traces_of_one_name_are_refused(trace: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = written(tmp_path / "other" / "wave.csv")
    assert "allowed: files of different names" in fails("--trace", trace, other)


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="the extra `plot` is not installed")
def test_pictures_have_every_policy_and_the_bound(trace: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    result = league("--trace", trace, "--policy", "static:14", "--plot", folder)
    assert result.exit_code == 0, result.output
    (picture,) = folder.iterdir()
    assert picture.name == "wave_league-70b_60s.svg"
    assert "<!-- static:14 -->" in picture.read_text(encoding="utf-8")
    assert "fluid bound" in picture.read_text(encoding="utf-8")


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is not None, reason="the extra `plot` is installed")
def test_a_picture_without_its_extra_is_refused_before_anything_is_played(trace: Path, tmp_path: Path) -> None:
    assert "--plot needs matplotlib: pip install 'tidegate[plot]'" in fails("--trace", trace, "--plot", tmp_path)
