"""A mixed-integer program, written down column by column and row by row, and solved by HiGHS.

HiGHS stops on a gap and a node limit, never on a clock, so that the same program always has the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

GAP = 5e-3
"""Relative gap at which the solver stops: half of the one in a hundred that a plan may cost too much."""
NODE_LIMIT = 500
"""Branch-and-bound nodes; groups of dozens of variants need a few hundred at most."""


@dataclass(slots=True)
class Model:
    """Columns with bounds, rows with bounds; the objective comes with each call of `minimise`."""

    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)
    rows: list[tuple[float, float]] = field(default_factory=list)
    _row: list[int] = field(default_factory=list)
    _column: list[int] = field(default_factory=list)
    _value: list[float] = field(default_factory=list)

    def column(self, lower: float = 0.0, upper: float = np.inf, whole: bool = False) -> int:
        """A new variable's place."""
        self.lower.append(lower)
        self.upper.append(upper)
        self.whole.append(int(whole))
        return len(self.lower) - 1

    def row(self, coefficients: Mapping[int, float], lower: float = -np.inf, upper: float = np.inf) -> None:
        """A new constraint on a weighted sum of columns."""
        self._row.extend([len(self.rows)] * len(coefficients))
        self._column.extend(coefficients.keys())
        self._value.extend(coefficients.values())
        self.rows.append((lower, upper))

    def minimise(
        self, objective: Mapping[int, float], relaxed: bool = False, gap: float = GAP, nodes: int = NODE_LIMIT
    ) -> NDArray[np.float64] | None:
        """The columns' values; None where there is no solution, or none was found within the node limit. `relaxed`
        lets whole numbers be fractions."""
        size = len(self.lower)
        cost = np.zeros(size)
        for column, usd in objective.items():
            cost[column] = usd
        matrix = csr_array((self._value, (self._row, self._column)), shape=(len(self.rows), size))
        limits = np.array(self.rows).reshape(-1, 2)
        result = milp(
            cost,
            integrality=np.zeros(size) if relaxed else np.array(self.whole),
            bounds=Bounds(np.array(self.lower), np.array(self.upper)),
            constraints=LinearConstraint(matrix, limits[:, 0], limits[:, 1]) if self.rows else None,
            options={"mip_rel_gap": gap, "node_limit": nodes},
        )
        return None if result.x is None else np.asarray(result.x, dtype=np.float64)
