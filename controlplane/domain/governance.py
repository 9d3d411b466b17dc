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
MOST_REPLICAS = 100_000
"""As in the custom resource."""
MOST_ENTRIES = 5000
"""Ten times the targets that one installation is made for."""


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
    return {_scope(scope): str(_dollars(scope, usd)) for scope, usd in _entries(value).items()}


def _fleets(value: JsonValue) -> JsonValue:
    return {_scope(key, whole=True): _fleet(key, counts) for key, counts in _entries(value).items()}


def _fleet(key: object, value: JsonValue) -> dict[str, int]:
    found = {}
    for name, count in _entries(value).items():
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= MOST_REPLICAS:
            raise SettingError(f"replicas by variant, integers from 0 to {MOST_REPLICAS}; {key}: {name}: {count!r}")
        found[_label(name)] = count
    return found


def _entries(value: JsonValue) -> Mapping[object, JsonValue]:
    if not isinstance(value, Mapping) or len(value) > MOST_ENTRIES:
        raise SettingError(f"an object of up to {MOST_ENTRIES} entries")
    return value


def _scope(value: object, whole: bool = False) -> str:
    """`namespace/name`; where it need not be a whole key, also `namespace` or `*`."""
    parts = value.split("/") if isinstance(value, str) else []
    if not whole and value == "*":
        return "*"
    if len(parts) not in ((2,) if whole else (1, 2)):
        raise SettingError(f"namespace/name{'' if whole else ', namespace, or *'}; not {value!r}")
    return "/".join(_label(part) for part in parts)


def _label(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 253 or not set(value) <= _LETTERS:
        raise SettingError(f"names of lower-case letters, digits, '-' and '.'; not {value!r}")
    return value


_LETTERS = set("abcdefghijklmnopqrstuvwxyz0123456789-.")


def _dollars(scope: object, value: object) -> Decimal:
    try:
        usd = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        usd = None
    if usd is None or not usd.is_finite() or not 0 < usd <= MOST_USD:
        raise SettingError(f'dollars as decimal text above 0, at most {MOST_USD}, as in "120.50"; {scope}: {value!r}')
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
            "budgets",
            "What a target, a namespace or everything (*) may cost a day (UTC) before people are told.",
            "object",
            'namespace/name, namespace or *: dollars as decimal text, as in {"default": "120.50"}',
            {},
            _budgets,
        ),
        Setting(
            "report_baseline",
            "Fleets that would have stood all the time without Tidegate; savings are counted against them.",
            "object",
            'namespace/name: replicas by variant, as in {"default/chat": {"h100": 8}}',
            {},
            _fleets,
        ),
    )
}
