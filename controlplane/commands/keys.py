"""`tidegate login-link` and `tidegate token`: keys for whoever holds the database."""

from __future__ import annotations

from controlplane.adapters.clock import real_now_s
from controlplane.domain.access import AccessRole, Grant
from controlplane.store.keys import new_token, one_time_link


def login_link(database_url: str, base_url: str, name: str) -> str:
    """A link that logs in as administrator, once, within an hour."""
    return one_time_link(database_url, base_url, real_now_s(), name)


def token(database_url: str, name: str, role: str, namespace: str | None, days: float, owner: str | None = None) -> str:
    """The secret of a new API token.

    Raises:
        ValueError: if the role, the days or the owner are not allowed.
    """
    roles = [each.value for each in AccessRole]
    found = next((each for each in AccessRole if each.value.lower() == role.lower()), None)
    if found is None:
        raise ValueError(f"role is {role!r}; allowed: {', '.join(roles)}")
    if not 0 < days <= 366:
        raise ValueError(f"days is {days:g}; allowed: above 0, at most 366")
    return new_token(database_url, name, [Grant(found, namespace)], real_now_s(), days, owner)
