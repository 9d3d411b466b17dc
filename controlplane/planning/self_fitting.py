"""A stepper for those who have no cluster and no workers: it measures cold starts and fits the forecasters itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from controlplane.domain.decision import ColdStart
from controlplane.domain.observation import Inventory
from controlplane.domain.target import Target
from controlplane.planning.cold_start_log import ColdStartLog
from controlplane.planning.cold_starts import known_cold_starts
from controlplane.planning.stepper import GroupStepper, Step, TargetView, horizon

REFIT_S = 21_600.0
"""Seconds of `now` between fits: the ensemble learns as it looks, and a fit earns it about 1 %."""


class SelfFittingStepper:
    """Steps one group of targets; what the views say of cold starts is measured from their replicas instead. `known`
    are cold starts that were measured before, by target and variant: they count until newer ones are."""

    def __init__(self, group: str, known: Mapping[str, Mapping[str, ColdStart]] | None = None) -> None:
        self._stepper = GroupStepper(group)
        self._before = known or {}
        self._logs: dict[str, ColdStartLog] = {}
        self._refit_at_s: float | None = None

    def step(self, now_s: float, views: Sequence[TargetView], inventory: Inventory) -> Step:
        """See `GroupStepper.step`; every `REFIT_S` the forecasters are fitted, for the next step."""
        step = self._stepper.step(now_s, [self._measured(view) for view in views], inventory)
        if self._refit_at_s is None or now_s >= self._refit_at_s:
            self._refit_at_s = now_s + REFIT_S
            for view in views:
                self._refit(view.target, now_s)
        return step

    def _measured(self, view: TargetView) -> TargetView:
        log = self._logs.setdefault(view.target.key, ColdStartLog())
        log.note(view.replicas)
        return replace(view, cold_starts=self._starts(view.target.key))

    def _starts(self, target: str) -> dict[str, ColdStart]:
        return {**self._before.get(target, {}), **self._logs[target].measured()}

    def _refit(self, target: Target, now_s: float) -> None:
        starts = known_cold_starts(target, self._starts(target.key))
        self._stepper.refit(target.key, now_s, horizon(target, starts))
