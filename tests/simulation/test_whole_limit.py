"""A user's limit on the whole request counts in the simulator's score."""

from __future__ import annotations

import numpy as np
import pytest

from controlplane.domain.target import Slo
from controlplane.simulation.core import state as s
from controlplane.simulation.meters import RequestMeter


@pytest.mark.parametrize(("e2e_s", "met"), [(None, 2), (3.0, 1), (1.0, 0)])
def test_an_answer_that_takes_too_long_in_all_misses(e2e_s: float | None, met: int) -> None:
    rows = np.zeros((2, s.DONE_COLUMNS))
    rows[:, s.DONE_FIRST] = 0.5
    rows[:, s.DONE_OSL] = 101.0
    rows[:, s.DONE_END] = (2.5, 4.5)
    meter = RequestMeter(Slo(1.0, 0.1, 0.99, e2e_s))
    meter.conclude(rows)
    assert (meter.finished, meter.met) == (2, met)
