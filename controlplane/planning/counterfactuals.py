"""What would have changed the answer: the recorded inputs, decided again under one small change at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from controlplane.domain.decision import Decision, Forecast, GroupInputs, RulingEffect, TargetInputs, Verdict
from controlplane.domain.observation import Load
from controlplane.domain.target import Policy, Slo
from controlplane.planning.decision import decide
from forecasters.types import QuantileForecast, Regime

TIGHTER, LOOSER = (0.9, 0.75, 0.5), (1.1, 1.33, 2.0)
"""Factors on a limit, a price or a load, the smallest first: a tenth is noise, beyond double is another service."""
QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99)
"""The forecast's own levels: between them it is a line."""


class ChangeKind(StrEnum):
    """What is changed."""

    TTFT_SLO = "TtftSlo"
    TPOT_SLO = "TpotSlo"
    QUANTILE = "Quantile"
    LOAD = "Load"
    RULE = "Rule"
    GPUS = "Gpus"
    PRICE = "Price"


@dataclass(frozen=True, slots=True)
class Change:
    """One small change. `subject` is the rule, accelerator or variant that it is about; seconds, a level, requests/s,
    GPUs or $/h before and after (None: a rule that is lifted has no number)."""

    kind: ChangeKind
    subject: str
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """The decision under a change. `flips`: another verdict; else the same verdict over another fleet."""

    change: Change
    verdict: Verdict
    desired: Mapping[str, int]
    flips: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class _Try:
    change: Change
    inputs: GroupInputs
    lifted: frozenset[str] = frozenset()


def counterfactuals(inputs: GroupInputs, target: str) -> tuple[Counterfactual, ...]:
    """The smallest change of each kind and direction that would have changed what was decided of `target`.

    Of each, the first step that flips the verdict; where none does, the first that wants another fleet; where none
    does that either, nothing: the answer did not hang on it. Verdict flips come first.

    Raises:
        KeyError: if the target is not among the inputs.
    """
    place = _place(inputs, target)
    base = decide(inputs).decisions[place]
    found = [c for family in _families(inputs, place, base) if (c := _smallest(family, place, base, inputs.now_s))]
    return tuple(sorted(found, key=lambda c: not c.flips))


def _place(inputs: GroupInputs, target: str) -> int:
    keys = [one.target.key for one in inputs.targets]
    if target not in keys:
        raise KeyError(f"target is {target!r}; allowed: {', '.join(keys)}")
    return keys.index(target)


def _smallest(family: Iterator[_Try], place: int, base: Decision, now_s: float) -> Counterfactual | None:
    other: Counterfactual | None = None
    for tried in family:
        decision = decide(tried.inputs, tried.lifted).decisions[place]
        if decision.verdict is not base.verdict:
            return _counterfactual(tried.change, decision, True, now_s)
        if other is None and dict(decision.desired) != dict(base.desired):
            other = _counterfactual(tried.change, decision, False, now_s)
    return other


def _families(inputs: GroupInputs, place: int, base: Decision) -> Iterator[Iterator[_Try]]:
    yield from (iter(_rules(inputs, base)[n : n + 1]) for n in range(len(_rules(inputs, base))))
    for steps in (TIGHTER, LOOSER):
        yield _slo(inputs, place, ChangeKind.TTFT_SLO, steps)
        yield _slo(inputs, place, ChangeKind.TPOT_SLO, steps)
        yield _loads(inputs, place, steps)
    yield from _quantiles(inputs, place)
    for accelerator in sorted(
        {v.accelerator for v in inputs.targets[place].target.variants} & set(inputs.inventory.gpus)
    ):
        yield _gpus(inputs, place, accelerator)
    for variant in inputs.targets[place].target.variants:
        for steps in (TIGHTER, LOOSER):
            yield _prices(inputs, place, variant.name, steps)


def _rules(inputs: GroupInputs, base: Decision) -> list[_Try]:
    names = [r.rule for r in base.trail if r.effect is not RulingEffect.PASS]
    return [_Try(Change(ChangeKind.RULE, n, None, None), inputs, frozenset((n,))) for n in dict.fromkeys(names)]


def _slo(inputs: GroupInputs, place: int, kind: ChangeKind, steps: tuple[float, ...]) -> Iterator[_Try]:
    slo = inputs.targets[place].target.policy.slo
    before = slo.ttft_s if kind is ChangeKind.TTFT_SLO else slo.tpot_s
    for factor in steps:
        after = before * factor
        changed = replace(slo, ttft_s=after) if kind is ChangeKind.TTFT_SLO else replace(slo, tpot_s=after)
        yield _Try(Change(kind, "", before, after), with_slo(inputs, place, changed))


def _loads(inputs: GroupInputs, place: int, steps: tuple[float, ...]) -> Iterator[_Try]:
    load = inputs.targets[place].observation.load
    if load is None:
        return
    for factor in steps:
        change = Change(ChangeKind.LOAD, "", load.requests_per_s, load.requests_per_s * factor)
        yield _Try(change, with_load(inputs, place, factor))


def _quantiles(inputs: GroupInputs, place: int) -> Iterator[Iterator[_Try]]:
    before = inputs.targets[place].target.policy.forecast_quantile
    lower = [q for q in reversed(QUANTILES) if q < before]
    for levels in (lower, [q for q in QUANTILES if q > before]):
        yield (
            _Try(
                Change(ChangeKind.QUANTILE, "", before, level),
                with_policy(inputs, place, lambda p, q=level: replace(p, forecast_quantile=q)),  # type: ignore[misc]
            )
            for level in levels
        )


def _gpus(inputs: GroupInputs, place: int, accelerator: str) -> Iterator[_Try]:
    """Room for one more replica of the smallest variant on that accelerator."""
    variants = inputs.targets[place].target.variants
    more = min(v.gpus_per_replica for v in variants if v.accelerator == accelerator)
    before = inputs.inventory.gpus[accelerator]
    gpus = {**inputs.inventory.gpus, accelerator: before + more}
    change = Change(ChangeKind.GPUS, accelerator, before, before + more)
    yield _Try(change, replace(inputs, inventory=replace(inputs.inventory, gpus=gpus)))


def _prices(inputs: GroupInputs, place: int, variant: str, steps: tuple[float, ...]) -> Iterator[_Try]:
    before = inputs.targets[place].target.variant(variant).usd_per_replica_hour
    if before <= 0:
        return
    for factor in steps:
        change = Change(ChangeKind.PRICE, variant, before, before * factor)
        yield _Try(change, with_price(inputs, place, variant, before * factor))


def with_policy(inputs: GroupInputs, place: int, change: Callable[[Policy], Policy]) -> GroupInputs:
    """The inputs with another policy of the target at `place`."""

    def changed(one: TargetInputs) -> TargetInputs:
        return replace(one, target=replace(one.target, policy=change(one.target.policy)))

    return _at(inputs, place, changed)


def with_slo(inputs: GroupInputs, place: int, slo: Slo) -> GroupInputs:
    """The inputs with another SLO of the target at `place`."""
    return with_policy(inputs, place, lambda policy: replace(policy, slo=slo))


def with_price(inputs: GroupInputs, place: int, variant: str, usd_per_replica_hour: float) -> GroupInputs:
    """The inputs with another price of a variant of the target at `place`, $/h of one replica."""

    def changed(one: TargetInputs) -> TargetInputs:
        variants = tuple(
            replace(v, usd_per_replica_hour=usd_per_replica_hour) if v.name == variant else v
            for v in one.target.variants
        )
        return replace(one, target=replace(one.target, variants=variants))

    return _at(inputs, place, changed)


def with_load(inputs: GroupInputs, place: int, factor: float) -> GroupInputs:
    """The inputs with `factor` times the requests of the target at `place`, seen and expected; their lengths stay."""

    def changed(one: TargetInputs) -> TargetInputs:
        load = one.observation.load
        scaled = None if load is None else _scaled_load(load, factor)
        forecast = None if one.forecast is None else _scaled(one.forecast, factor)
        return replace(one, observation=replace(one.observation, load=scaled), forecast=forecast)

    return _at(inputs, place, changed)


def _scaled(forecast: Forecast, factor: float) -> Forecast:
    def scaled(one: QuantileForecast) -> QuantileForecast:
        values = tuple(tuple(v * factor for v in row) for row in one.values)
        return replace(one, values=values, peak=tuple(v * factor for v in one.peak))

    def more(regimes: tuple[Regime, ...]) -> tuple[Regime, ...]:
        return tuple(replace(one, peak=tuple(v * factor for v in one.peak)) for one in regimes)

    level = forecast.level
    return replace(
        forecast,
        requests_per_s=scaled(forecast.requests_per_s),
        input_tokens_per_s=scaled(forecast.input_tokens_per_s),
        output_tokens_per_s=scaled(forecast.output_tokens_per_s),
        work_s_per_s=None if forecast.work_s_per_s is None else scaled(forecast.work_s_per_s),
        regimes=more(forecast.regimes),
        recent_rps=None if forecast.recent_rps is None else forecast.recent_rps * factor,
        sides=tuple(
            replace(side, work_s_per_s=scaled(side.work_s_per_s), regimes=more(side.regimes)) for side in forecast.sides
        ),
        level=None if level is None else replace(level, load=_scaled_load(level.load, factor)),
    )


def _scaled_load(load: Load, factor: float) -> Load:
    return replace(load, requests_per_s=load.requests_per_s * factor)


def _at(inputs: GroupInputs, place: int, change: Callable[[TargetInputs], TargetInputs]) -> GroupInputs:
    targets = tuple(change(one) if n == place else one for n, one in enumerate(inputs.targets))
    return replace(inputs, targets=targets)


# Words


def _counterfactual(change: Change, decision: Decision, flips: bool, now_s: float) -> Counterfactual:
    at = datetime.fromtimestamp(now_s, UTC).strftime("%H:%M")
    sentence = f"{moves_in_words(decision.current, decision.desired)} at {at} if {in_words(change)}"
    return Counterfactual(change, decision.verdict, dict(decision.desired), flips, sentence)


def moves_in_words(current: Mapping[str, int], desired: Mapping[str, int]) -> str:
    """E.g. "one more h100, 2 fewer l40s"; "no change"."""
    moves = ((n, r - current.get(n, 0)) for n, r in desired.items())
    said = [f"{_number(abs(d))} {'more' if d > 0 else 'fewer'} {name}" for name, d in moves if d]
    return ", ".join(said) or "no change"


def _number(count: int) -> str:
    return "one" if count == 1 else str(count)


def in_words(change: Change) -> str:
    """E.g. "the TTFT SLO were 1.5 s"."""
    after, before = change.after or 0.0, change.before or 0.0
    match change.kind:
        case ChangeKind.TTFT_SLO:
            return f"the TTFT SLO were {after:.3g} s (it is {before:.3g} s)"
        case ChangeKind.TPOT_SLO:
            return f"the TPOT SLO were {after * 1000:.3g} ms (it is {before * 1000:.3g} ms)"
        case ChangeKind.QUANTILE:
            return f"the {after:.0%} quantile of the forecast were planned for (it is {before:.0%})"
        case ChangeKind.LOAD:
            return f"the load were {after:.3g} requests/s, seen and expected (it was {before:.3g})"
        case ChangeKind.RULE:
            return f"the rule {change.subject} were lifted"
        case ChangeKind.GPUS:
            return f"there were {after:.0f} {change.subject} (there are {before:.0f})"
        case ChangeKind.PRICE:
            return f"{change.subject} cost {after:.2f} $/h (it costs {before:.2f})"
