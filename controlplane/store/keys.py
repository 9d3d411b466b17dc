"""Keys that whoever holds the database may make: the way in before anybody has one."""

from __future__ import annotations

from collections.abc import Sequence

from controlplane.domain.access import SYSTEM, Grant
from controlplane.store.access import Access
from controlplane.store.engine import make_engine
from controlplane.store.unit import Request, Writer

FIRST_ADMIN = "FirstAdmin"
LINK_S = 3600.0
"""An hour, real seconds: long enough to fetch a coffee, too short to be found in a log."""
DAY_S = 86_400.0


def one_time_link(database_url: str, base_url: str, now_s: float, name: str = "admin") -> str:
    """A link that logs its first user in as the local administrator `name`. `now_s` is real unix seconds."""
    engine = make_engine(database_url)
    try:
        secret = Access(engine).keep_link(FIRST_ADMIN, {"name": name}, now_s, LINK_S)
    finally:
        engine.dispose()
    return f"{base_url.rstrip('/')}/auth/once?code={secret}"


class NoSuchUser(ValueError):
    """Nobody of that name or address has come yet, or several have."""


def new_token(
    database_url: str, name: str, given: Sequence[Grant], now_s: float, days: float, owner: str | None = None
) -> str:
    """The secret of a new API token, made by Tidegate itself; earlier ones of that name and maker are revoked.

    `owner` is the name or the e-mail address of the user for whom it acts; None: for nobody but itself.

    Raises:
        NoSuchUser: naming those that there are.
    """
    engine = make_engine(database_url)
    try:
        access = Access(engine)
        person = None if owner is None else _user(access, owner)
        request = Request(SYSTEM, "", "command-line", now_s)
        with Writer(engine).unit(request) as unit:
            for old in access.tokens():
                if old.name == name and old.created_by == SYSTEM.id and old.revoked_at_s is None:
                    Access.revoke_token(unit, old.id, old.version, now_s)
            made, secret = Access.create_token(unit, name, given, now_s, now_s + days * DAY_S, person)
            held = [{"role": g.role.value, "namespace": g.namespace} for g in given]
            unit.audit("token.create", f"tokens/{made.id}", None, None, {"name": name, "grants": held, "owner": person})
    finally:
        engine.dispose()
    return secret


def _user(access: Access, wanted: str) -> str:
    everybody = access.users()
    found = [user for user in everybody if wanted in (user.name, user.email, str(user.id))]
    if len(found) != 1:
        there = (
            ", ".join(user.email or user.name for user in everybody) or "nobody: users are known once they logged in"
        )
        raise NoSuchUser(f"owner is {wanted!r}, which is {len(found)} users; allowed: one of {there}")
    return f"user:{found[0].id}"
