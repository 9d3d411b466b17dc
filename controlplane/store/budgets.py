"""Budgets of a day, and what was spent of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Engine, select

from controlplane.store.engine import transaction
from controlplane.store.reports import DAY_S, Reports
from controlplane.store.tables import settings

SETTING = "budgets"
"""`{"namespace/name": "100.00", "namespace": "500.00", "*": "2000.00"}`: dollars of a day (UTC)."""


@dataclass(frozen=True, slots=True)
class Overspent:
    """A budget that is spent. `scope` is a target's key, a namespace or `*`."""

    scope: str
    namespace: str | None
    day_s: float
    budget_usd: Decimal
    spent_usd: Decimal


def overspent(engine: Engine, targets: Sequence[str], now_s: float) -> list[Overspent]:
    """The budgets that today's spending has passed; `now_s` is on the controller's clock."""
    with transaction(engine) as connection:
        budgets: Mapping[str, str] = (
            connection.execute(select(settings.c.value).where(settings.c.name == SETTING)).scalar() or {}
        )
    if not budgets:
        return []
    day_s = now_s // DAY_S * DAY_S
    spent = Reports(engine).spent(targets, day_s, now_s + 1.0)
    found = []
    for scope, text in sorted(budgets.items()):
        amount = sum((usd for key, usd in spent.items() if _inside(key, scope)), Decimal(0))
        if amount > Decimal(str(text)):
            namespace = None if scope == "*" else scope.partition("/")[0]
            found.append(Overspent(scope, namespace, day_s, Decimal(str(text)), amount.quantize(Decimal("0.01"))))
    return found


def _inside(key: str, scope: str) -> bool:
    return scope in ("*", key, key.partition("/")[0])
