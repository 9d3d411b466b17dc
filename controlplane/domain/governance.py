"""The settings of a whole installation that people may change while it runs: a closed list, each with its type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

JsonValue = object
"""A value of JSON, before it is checked."""

MOST_DAYS = 3650
MOST_USD = Decimal(10_000_000)
"""A day's budget above ten million dollars is a slip of the hand."""


class SettingError(ValueError):
    """A value that a setting cannot have; the message says what is allowed."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `checked` returns the value as it is stored, or raises SettingError."""

    name: str
    what: str
    type: str
    allowed: str
    default: JsonValue
    checked: Callable[[JsonValue], JsonValue]


def _flag(value: JsonValue) -> JsonValue:
    if not isinstance(value, bool):
        raise SettingError("true or false")
    return value


def _days(value: JsonValue) -> JsonValue:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_DAYS:
        raise SettingError(f"an integer from 1 to {MOST_DAYS}")
    return value


def _budgets(value: JsonValue) -> JsonValue:
    if not isinstance(value, Mapping) or len(value) > 1000:
        raise SettingError("an object of up to 1000 namespaces")
    return {_namespace(namespace): str(_dollars(namespace, usd)) for namespace, usd in value.items()}


def _namespace(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 63 or not set(value) <= _LABEL:
        raise SettingError(f"namespaces of lower-case letters, digits and '-'; not {value!r}")
    return value


_LABEL = set("abcdefghijklmnopqrstuvwxyz0123456789-")


def _dollars(namespace: object, value: object) -> Decimal:
    try:
        usd = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        usd = None
    if usd is None or not usd.is_finite() or not 0 < usd <= MOST_USD:
        raise SettingError(
            f'dollars as decimal text above 0, at most {MOST_USD}, as in "120.50"; {namespace}: {value!r}'
        )
    return usd


SETTINGS: Mapping[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting(
            "approval_required",
            "Whether a policy goes Live only when a second person has approved it.",
            "boolean",
            "true or false",
            False,
            _flag,
        ),
        Setting(
            "retention_ticks_days",
            "Days for which every decision is kept whole; after that its roll-up remains.",
            "integer",
            f"1 to {MOST_DAYS}",
            90,
            _days,
        ),
        Setting(
            "retention_rollups_days",
            "Days for which hourly and daily sums are kept.",
            "integer",
            f"1 to {MOST_DAYS}",
            800,
            _days,
        ),
        Setting(
            "budget_usd_per_day",
            "What a namespace may cost a day before people are told, by namespace.",
            "object",
            'namespace: dollars as decimal text, as in {"default": "120.50"}',
            {},
            _budgets,
        ),
    )
}
