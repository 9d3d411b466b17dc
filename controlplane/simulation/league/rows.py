"""The league's result: one row a policy and case, as JSON, as a comparison with the oracle, as a summary."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median

from pydantic import TypeAdapter, ValidationError

from controlplane.simulation.traffic import COPIES_WITHIN_S

ORACLE = "oracle"
ATTAINMENT = 0.99
"""Of the summary's count: the league's yardstick, also where a scenario asks for another."""


class RowsError(ValueError):
    """Rows that cannot be used; the message names the file, the field and what is allowed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One policy on one case. `window_requests` bounds the window that was played (None: the whole trace), whose copies
    are shifted by at most `copies_within_s`; `fluid_usd` is what the work alone costs; `settings` are a tuned peer's
    that differ from its defaults."""

    trace: str
    scenario: str
    cold_start_s: float
    policy: str
    requests: int
    attainment: float
    worst_hour: float | None
    goodput_rps: float
    gpu_hours: float
    cost_usd: float
    cost_vs_oracle: float | None
    scale_ups: int
    scale_downs: int
    flaps: int
    wall_s: float
    slo_attainment: float
    fluid_usd: float
    warm_up_s: float
    window_requests: int | None = None
    settings: Mapping[str, str] | None = None
    copies_within_s: float = COPIES_WITHIN_S

    @property
    def case(self) -> tuple[str, str, float]:
        """Trace, scenario and cold start."""
        return self.trace, self.scenario, self.cold_start_s

    @property
    def key(self) -> tuple[str, str, float, str]:
        """What a row is known by: a case and a policy."""
        return *self.case, self.policy

    @property
    def attained(self) -> bool:
        """Whether the scenario's SLO was held."""
        return self.attainment >= self.slo_attainment


_ROWS = TypeAdapter(list[Row])


def rows_from_json(text: str, source: str) -> list[Row]:
    """The rows of a file that `rows_to_json` wrote; `source` names it in errors.

    Raises:
        RowsError: naming the field, or the place from which on it is no JSON.
    """
    try:
        return _ROWS.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise RowsError(
            f"{source}: {field}: {first['msg']}; allowed: rows that the league wrote, or a file that is not there yet"
        ) from error


def rows_to_json(rows: Iterable[Row]) -> str:
    """A JSON list of objects, one a line."""
    return "[\n" + ",\n".join(json.dumps(asdict(row), allow_nan=False) for row in rows) + "\n]\n"


def by_case(rows: Iterable[Row]) -> dict[tuple[str, str, float], list[Row]]:
    """Rows of each case, cheapest first; cases in order of their first row."""
    cases: dict[tuple[str, str, float], list[Row]] = {}
    for row in rows:
        cases.setdefault(row.case, []).append(row)
    return {case: sorted(found, key=lambda r: r.cost_usd) for case, found in cases.items()}


def compared(rows: Sequence[Row]) -> list[Row]:
    """The rows with their cost over the oracle's of the same case; None where it has not played, or for nothing."""
    oracles = {row.case: row.cost_usd for row in rows if row.policy == ORACLE}
    return [replace(row, cost_vs_oracle=_ratio(row.cost_usd, oracles.get(row.case))) for row in rows]


def _ratio(usd: float, oracle_usd: float | None) -> float | None:
    return usd / oracle_usd if oracle_usd else None


def frontier(rows: Iterable[Row]) -> list[Row]:
    """Those that no other beats in cost and attainment, cheapest first."""
    best: list[Row] = []
    for row in sorted(rows, key=lambda r: (r.cost_usd, -r.attainment)):
        if not best or row.attainment > best[-1].attainment:
            best.append(row)
    return best


@dataclass(frozen=True, slots=True)
class Summary:
    """One policy over all of its cases. The ratios to the oracle's cost are of all cases, attained or not, but for the
    last: who serves nobody is cheap."""

    policy: str
    cases: int
    attained: int
    least_attainment: float
    median_vs_oracle: float | None
    max_vs_oracle: float | None
    median_where_attained: float | None


def summaries(rows: Iterable[Row]) -> list[Summary]:
    """One a policy: those that attain most cases first, among them the cheapest in the median."""
    policies: dict[str, list[Row]] = {}
    for row in rows:
        policies.setdefault(row.policy, []).append(row)
    found = [_summary(policy, own) for policy, own in policies.items()]
    return sorted(found, key=lambda s: (-s.attained / s.cases, s.median_vs_oracle or float("inf")))


def _summary(policy: str, rows: Sequence[Row]) -> Summary:
    attained = [row for row in rows if row.attainment >= ATTAINMENT]
    ratios = _ratios(rows)
    return Summary(
        policy=policy,
        cases=len(rows),
        attained=len(attained),
        least_attainment=min(row.attainment for row in rows),
        median_vs_oracle=median(ratios) if ratios else None,
        max_vs_oracle=max(ratios, default=None),
        median_where_attained=median(_ratios(attained)) if _ratios(attained) else None,
    )


def _ratios(rows: Sequence[Row]) -> list[float]:
    return [row.cost_vs_oracle for row in rows if row.cost_vs_oracle is not None]
