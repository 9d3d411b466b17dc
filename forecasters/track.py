"""One series followed at one horizon: every full bin is learned from once, every tick only looks.

For each bin the members say their quantiles of the coming window's maximum. When that window is over, each member's
error is kept, its pinball loss moves its weight, the regressions take a step and the calibration moves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecasters.base import PathForecaster
from forecasters.conformal import Calibration
from forecasters.errors import LEAST_KNOWN, PRIOR_NORMAL, column_quantiles
from forecasters.history import Floats, windows
from forecasters.prior import errors, start
from forecasters.quantile_learner import QuantileLearner
from forecasters.shift import RUN_BINS, Shifts, shifts
from forecasters.trend import RISE, Rows, Trend
from forecasters.types import DEFAULT_LEVELS

LEARNT_BINS = 480
"""Of a history that is new to it, a track learns from the last eight hours: older bins cost time and say little that
these do not. What a track saw bin by bin it keeps."""
REGRESSIONS = ((300.0, 2.0), (3000.0, 1.0))
"""Half-lives in bins, and speeds: one that learns a new rhythm in an hour, one that knows the week."""
ERRORS_KEPT = 720
"""Errors of each member that its quantiles are taken from."""
OFTEN_BINS, SELDOM_BINS = 60, 10
"""Quantiles of errors are taken anew at every bin of the first hour, then at every tenth: they hardly move."""
LOSS_BINS = 500.0
"""Memory of the members' losses: rare jumps must be in it several times, since they tell the members apart."""
EQUAL_BINS = 5.0
"""All members begin with equal losses that count as so many bins."""
SHARPNESS = 20.0
"""A member whose loss is larger by one in this many has its weight divided by e."""
STEP_ERRORS = 360
"""Errors of single bins are taken over six hours: they are for people's eyes, not for provisioning."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What was said of a window that is not over."""

    place: int
    features: Floats
    level: float
    scale: float
    root: float
    way: int
    """Whether the level was rising (1) or not (0)."""
    centres: Floats
    members: Floats
    """(members, levels)"""
    shift: float
    """How far a new level was found; 0 where none was."""
    plain: Floats
    shifted: Floats
    """(levels,), before calibration: without the new level, and at it."""
    published: Floats


class Track:
    """Members' quantiles are those of the regressions, then those of `members`, then weighted into one."""

    def __init__(self, steps: int, season_bins: int, members: Sequence[PathForecaster]) -> None:
        self._steps = steps
        self._members = tuple(members)
        self._trend = Trend(season_bins)
        self._begin = start(steps)[:, 0]
        memories, speeds = zip(*REGRESSIONS, strict=True)
        self._regressions = QuantileLearner(DEFAULT_LEVELS, start(steps), memories, speeds)
        self._errors = np.full((ERRORS_KEPT, len(self._members)), np.nan)
        self._judged = 0
        self._prior = errors(steps)
        self._ways = np.zeros(ERRORS_KEPT, dtype=np.int64)
        self._spread = np.zeros((2, len(self._members), len(DEFAULT_LEVELS)))
        self._losses = np.ones(len(REGRESSIONS) + len(self._members) + 1)
        # The last is that of what was published.
        self._belief_losses = np.array(BELIEF_START)
        self._calibration = Calibration(DEFAULT_LEVELS)
        self._waiting: deque[_Said] = deque()
        self._singles: Floats | None = None
        self._bases: deque[tuple[float, float]] = deque(maxlen=STEP_ERRORS)
        self._bins = 0

    def extend(self, filled: Floats, known: Floats, new: int) -> None:
        """Learn from the last `new` bins, which follow those seen before; all bins given are over."""
        if not new:
            return
        first = len(filled) - new
        rows = self._trend.extend(filled, first, self._steps)
        begin = max(first, len(filled) - LEARNT_BINS)
        centres, jumps = self._centres(filled, begin), self._shifts(filled, rows)
        for place in range(begin, len(filled)):
            self._hear(known[: place + 1], self._bins + place - first)
            row = place - first
            self._waiting.append(self._say(rows, jumps, row, self._bins + row, centres[place - begin]))
        self._bases.extend(zip(rows.level.tolist(), rows.scale.tolist(), strict=True))
        self._bins, self._singles = self._bins + new, None

    def peak(self) -> Floats:
        """Quantiles (levels,) of the maximum of the window after the last full bin."""
        return self._waiting[-1].published

    def look(self, filled: Floats) -> Floats:
        """The same after the last bin of `filled`, which is one more; nothing is learned."""
        last = len(filled) - 1
        rows = self._trend.look(filled, last, self._steps)
        jumps = self._shifts(filled, rows)
        return self._say(rows, jumps, 0, self._bins, self._centres(filled, last)[0]).published

    def singles(self, known: Floats) -> Floats:
        """Quantiles (steps, levels) of the single bins after the last full one."""
        if self._singles is None:
            levels, scales = np.array(self._bases).T
            # The windows of the last `steps` bins are not over.
            over = max(len(levels) - self._steps, 0)
            actuals = windows(known, self._steps)
            misses = (actuals[len(actuals) - over :] - levels[:over, None]) / scales[:over, None]
            prior = np.repeat(PRIOR_NORMAL[:, None], self._steps, axis=1)
            spread = column_quantiles(np.concatenate((prior, misses)), DEFAULT_LEVELS)
            self._singles = np.maximum(levels[-1] + scales[-1] * spread, 0.0)
        return self._singles

    def losses(self) -> tuple[float, ...]:
        """Recent mean pinball loss of each regression, each member and all together, in the series' unit at today's
        level; empty while no window was over."""
        return tuple((self._losses * self._waiting[-1].root).tolist()) if self._judged else ()

    def _centres(self, filled: Floats, first: int) -> Floats:
        columns = [member.ahead(filled, first, self._steps).max(axis=1) for member in self._members]
        return np.column_stack(columns) if columns else np.empty((len(filled) - first, 0))

    def _shifts(self, filled: Floats, rows: Rows) -> Shifts:
        """New levels at the last bins of `filled`, of which there are `rows`."""
        past = np.array(list(self._bases)[-RUN_BINS:]).reshape(-1, 2)
        past = past[-max(len(filled) - len(rows.level), 0) :] if len(filled) > len(rows.level) else past[:0]
        levels, scales = np.append(past[:, 0], rows.level), np.append(past[:, 1], rows.scale)
        return shifts(filled[-len(levels) :], levels, scales, len(rows.level))

    def _say(self, rows: Rows, jumps: Shifts, row: int, place: int, centres: Floats) -> _Said:
        level, scale, features = float(rows.level[row]), float(rows.scale[row]), rows.features[row]
        root = float(rows.root[row])
        way = int(features[RISE] > 0)
        spread = self._spread[way] if self._judged else self._begin * scale / root
        learnt = level + scale * self._regressions.quantiles(features)
        members = np.maximum(np.concatenate((learnt, centres[:, None] + root * spread)), 0.0)
        plain = self._weights() @ members
        shift = float(jumps.share[row])
        shifted = self._shifted(float(jumps.level[row]), float(jumps.scale[row]), level, plain) if shift else plain
        published = plain + shift * self._belief() * (shifted - plain) + scale * self._calibration.shift
        published = np.maximum.accumulate(np.maximum(published, 0.0))
        return _Said(place, features, level, scale, root, way, centres, members, shift, plain, shifted, published)

    def _shifted(self, new: float, noise: float, level: float, plain: Floats) -> Floats:
        """Quantiles at a new level. A jump up never lowers what was foreseen anyway, as on a ramp, nor one down
        raises it."""
        at_new = np.maximum(new + noise * self._begin, 0.0)
        return np.maximum(at_new, plain) if new > level else np.minimum(at_new, plain)

    def _belief(self) -> float:
        """How far new levels are to be believed on this series: by what belief and disbelief have lost so far."""
        believed, plain = self._belief_losses
        return float(plain**BELIEF_POWER / (believed**BELIEF_POWER + plain**BELIEF_POWER))

    def _weights(self) -> Floats:
        losses = self._losses[:-1]
        best = float(losses.min())
        if best <= 0.0:
            return np.full(len(losses), 1.0 / len(losses))
        weights = np.exp(-SHARPNESS * (losses / best - 1.0))
        return np.asarray(weights / weights.sum())

    def _hear(self, known: Floats, place: int) -> None:
        """Bin `place`, the last of `known`, is over, and with it the window that began `steps` bins before."""
        if not self._waiting or self._waiting[0].place > place - self._steps:
            return
        said = self._waiting.popleft()
        own, window = known[-1 - self._steps], known[-self._steps :]
        seen = window[~np.isnan(window)]
        if len(seen) < LEAST_KNOWN * self._steps or np.isnan(own):
            return
        actual = float(seen.max())
        if said.scale < LEAST_SCALE * actual:
            return
        self._regressions.learn(said.features, min((actual - said.level) / said.scale, MOST_SCALES))
        self._calibration.learn(said.published, actual)
        self._keep(said, actual)

    def _keep(self, said: _Said, actual: float) -> None:
        misses = (actual - np.vstack((said.members, said.published))) / said.root
        most = MOST_LOSS * said.scale / said.root
        losses = np.minimum(np.maximum(_LEVELS * misses, (_LEVELS - 1.0) * misses).mean(axis=1), most)
        self._errors[self._judged % ERRORS_KEPT] = (actual - said.centres) / said.root
        self._ways[self._judged % ERRORS_KEPT] = said.way
        self._judged += 1
        if self._judged == 1:
            self._losses[:] = losses.mean()
        self._losses += (losses - self._losses) / min(self._judged + EQUAL_BINS, LOSS_BINS)
        if said.shift:
            self._judge_shift(said, actual)
        if self._judged <= OFTEN_BINS or self._judged % SELDOM_BINS == 0:
            self._take_quantiles(said)

    def _judge_shift(self, said: _Said, actual: float) -> None:
        misses = (actual - np.array((said.shifted, said.plain))) / said.root
        losses = np.maximum(_LEVELS * misses, (_LEVELS - 1.0) * misses).mean(axis=1)
        total = losses.sum()
        if total > 0:
            # Shares of the two's loss: every jump counts alike, however high it was.
            self._belief_losses += BELIEF_STEP * said.shift * (losses / total - self._belief_losses)

    def _take_quantiles(self, said: _Said) -> None:
        prior = np.repeat(self._prior[:, None] * said.scale / said.root, len(self._members), axis=1)
        kept = min(self._judged, ERRORS_KEPT)
        errors, ways = self._errors[:kept], self._ways[:kept]
        for way in range(2):
            self._spread[way] = column_quantiles(np.concatenate((prior, errors[ways == way])), DEFAULT_LEVELS)


_LEVELS = np.array(DEFAULT_LEVELS)
BELIEF_START = (0.25, 0.75)
"""Shares of the loss with and without belief in a new level, before any was seen: most jumps of a load last."""
BELIEF_STEP = 0.05
"""One jump's say; a jump is seen at several bins, so that five or so that did not last turn belief around."""
BELIEF_POWER = 3.0
"""Belief is nearly whole or nearly none: half a level is no level."""
LEAST_SCALE = 1e-5
"""A window that began at a scale of nought against its maximum is the first of a series: nothing to learn from."""
MOST_SCALES = 10.0
"""A regression is told of no more than so many scales: beyond, it is another series."""
MOST_LOSS = 20.0
"""One window costs a member no more than this, in scales: a jump counts, a tenfold spike does not choose for hours."""
