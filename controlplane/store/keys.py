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


def new_token(database_url: str, name: str, given: Sequence[Grant], now_s: float, days: float) -> str:
    """The secret of a new API token, made by Tidegate itself; earlier ones of that name and maker are revoked."""
    engine = make_engine(database_url)
    try:
        access = Access(engine)
        request = Request(SYSTEM, "", "command-line", now_s)
        with Writer(engine).unit(request) as unit:
            for old in access.tokens():
                if old.name == name and old.created_by == SYSTEM.id and old.revoked_at_s is None:
                    Access.revoke_token(unit, old.id, old.version, now_s)
            made, secret = Access.create_token(unit, name, given, now_s, now_s + days * DAY_S)
            held = [{"role": g.role.value, "namespace": g.namespace} for g in given]
            unit.audit("token.create", f"tokens/{made.id}", None, None, {"name": name, "grants": held})
    finally:
        engine.dispose()
    return secret
