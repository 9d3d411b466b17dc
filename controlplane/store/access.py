"""Users, their sessions, API tokens, grants and one-time links. Secrets are kept as SHA-256 alone.

Times here are real unix seconds: what an identity provider signs runs on no other clock.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine, RowMapping, String, and_, cast, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql

from controlplane.domain.access import AccessRole, Grant, Principal, PrincipalKind, widest
from controlplane.store.codec import timestamp
from controlplane.store.engine import transaction
from controlplane.store.tables import api_tokens, grants, login_links, sessions, users
from controlplane.store.unit import Unit

TOKEN_PREFIX = "tdg_"
"""So that scanners of leaked secrets, and people, know one when they see it."""
SEEN_EVERY_S = 60.0
"""Last use is kept to the minute: a write a request would be dear."""
LOCAL = "local"
"""The issuer of those who came by a one-time link."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who has logged in at least once."""

    id: UUID
    issuer: str
    subject: str
    name: str
    email: str | None
    created_at_s: float
    last_seen_at_s: float | None
    disabled: bool


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A machine's token, without its secret."""

    id: UUID
    name: str
    hint: str
    grants: tuple[Grant, ...]
    created_by: str
    owner: str | None
    created_at_s: float
    expires_at_s: float
    last_used_at_s: float | None
    revoked_at_s: float | None
    version: int


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """A role that a user, or everybody of a group, has."""

    id: UUID
    kind: str
    subject: str
    grant: Grant
    created_at_s: float
    created_by: str


@dataclass(frozen=True, slots=True)
class SessionFound:
    """A live session: who, and what their writes must show."""

    principal: Principal
    csrf_digest: str


def digest_of(secret: str) -> str:
    """What is kept of a secret. The secrets are random and long, so that a plain hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Access:
    """Reads and writes what the authenticator looks at."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def session(self, cookie: str, now_s: float) -> SessionFound | None:
        """Whose live session that cookie is."""
        statement = (
            select(sessions.c.csrf_digest, sessions.c.groups, *users.c)
            .join(users, users.c.id == sessions.c.user_id)
            .where(sessions.c.digest == digest_of(cookie), sessions.c.expires_at > timestamp(now_s))
            .where(users.c.disabled_at.is_(None))
        )
        with transaction(self._engine) as connection:
            row = connection.execute(statement).mappings().first()
            if row is None:
                return None
            found = SessionFound(_principal(connection, row, row["groups"]), row["csrf_digest"])
            _seen(connection, row["id"], row["last_seen_at"], now_s)
        return found

    def token(self, secret: str, now_s: float) -> Principal | None:
        """Whose live API token that is."""
        statement = select(api_tokens).where(api_tokens.c.digest == digest_of(secret))
        with transaction(self._engine) as connection:
            row = connection.execute(statement).mappings().first()
            if row is None or row["revoked_at"] is not None or row["expires_at"].timestamp() <= now_s:
                return None
            if row["last_used_at"] is None or row["last_used_at"].timestamp() < now_s - SEEN_EVERY_S:
                mine = api_tokens.c.id == row["id"]
                connection.execute(update(api_tokens).where(mine).values(last_used_at=timestamp(now_s)))
        return Principal(
            f"token:{row['id']}", row["name"], PrincipalKind.TOKEN, _grants_of(row["grants"]), row["owner"]
        )

    def bearer(
        self, issuer: str, subject: str, name: str, email: str | None, groups: Sequence[str], now_s: float
    ) -> Principal:
        """The principal of a token that an identity provider signed; who comes for the first time is remembered.

        Raises:
            PermissionError: if the user was disabled.
        """
        with transaction(self._engine) as connection:
            return _principal(connection, _user(connection, issuer, subject, name, email, now_s), groups)

    def log_in(
        self,
        issuer: str,
        subject: str,
        name: str,
        email: str | None,
        groups: Sequence[str],
        now_s: float,
        lasts_s: float,
    ) -> tuple[str, str]:
        """A new session; its cookie and its CSRF secret.

        Raises:
            PermissionError: if the user was disabled.
        """
        with transaction(self._engine) as connection:
            row = _user(connection, issuer, subject, name, email, now_s)
            return _new_session(connection, row["id"], groups, now_s, lasts_s)

    def log_out(self, cookie: str) -> None:
        """End a session."""
        with transaction(self._engine) as connection:
            connection.execute(delete(sessions).where(sessions.c.digest == digest_of(cookie)))

    def keep_link(self, purpose: str, body: dict[str, Any], now_s: float, lasts_s: float) -> str:
        """A one-time secret that stands for `body`."""
        secret = secrets.token_urlsafe(32)
        row = {
            "digest": digest_of(secret),
            "purpose": purpose,
            "body": body,
            "created_at": timestamp(now_s),
            "expires_at": timestamp(now_s + lasts_s),
        }
        with transaction(self._engine) as connection:
            connection.execute(delete(login_links).where(login_links.c.expires_at < timestamp(now_s)))
            connection.execute(insert(login_links).values(row))
        return secret

    def use_link(self, purpose: str, secret: str, now_s: float) -> dict[str, Any] | None:
        """What a one-time secret stands for, once; None where it is unknown, used or too old."""
        mine = and_(
            login_links.c.digest == digest_of(secret),
            login_links.c.purpose == purpose,
            login_links.c.used_at.is_(None),
            login_links.c.expires_at > timestamp(now_s),
        )
        with transaction(self._engine) as connection:
            used = update(login_links).where(mine).values(used_at=timestamp(now_s)).returning(login_links.c.body)
            body: dict[str, Any] | None = connection.execute(used).scalar()
        return body

    def make_local_admin(self, name: str, now_s: float) -> UUID:
        """The local user of that name, who is Admin everywhere."""
        with transaction(self._engine) as connection:
            row = _user(connection, LOCAL, name, name, None, now_s)
            mine = and_(grants.c.kind == "User", grants.c.subject == str(row["id"]), grants.c.role == AccessRole.ADMIN)
            if connection.execute(select(grants.c.id).where(mine, grants.c.namespace.is_(None))).first() is None:
                connection.execute(insert(grants).values(_grant_row("User", str(row["id"]), ADMIN, "system", now_s)))
            found: UUID = row["id"]
            return found

    def users(self) -> list[User]:
        """Everybody who has come, by name."""
        with transaction(self._engine) as connection:
            rows = connection.execute(select(users).order_by(users.c.name, users.c.id)).mappings().all()
        return [_as_user(row) for row in rows]

    def grants(self) -> list[StoredGrant]:
        """Every grant, oldest first."""
        with transaction(self._engine) as connection:
            rows = connection.execute(select(grants).order_by(grants.c.created_at, grants.c.id)).mappings().all()
        return [_as_grant(row) for row in rows]

    def tokens(self) -> list[ApiToken]:
        """Every API token that was ever made, newest first."""
        ordered = select(api_tokens).order_by(api_tokens.c.created_at.desc(), api_tokens.c.id)
        with transaction(self._engine) as connection:
            return [_as_token(row) for row in connection.execute(ordered).mappings()]

    @staticmethod
    def create_token(
        unit: Unit, name: str, given: Sequence[Grant], now_s: float, expires_at_s: float, owner: str | None
    ) -> tuple[ApiToken, str]:
        """A new token and its secret, which is nowhere else. `owner` is the person for whom it acts, if any."""
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        row = {
            "id": uuid4(),
            "name": name,
            "digest": digest_of(secret),
            "hint": secret[:12],
            "grants": [{"role": g.role.value, "namespace": g.namespace} for g in given],
            "created_by": unit.request.principal.id,
            "owner": owner,
            "created_at": timestamp(now_s),
            "expires_at": timestamp(expires_at_s),
        }
        made = unit.connection.execute(insert(api_tokens).values(row).returning(api_tokens)).mappings().one()
        return _as_token(made), secret

    @staticmethod
    def revoke_token(unit: Unit, token_id: UUID, version: int, now_s: float) -> ApiToken:
        """End a token now.

        Raises:
            VersionMismatch, KeyError: see `Unit.changed`.
        """
        values = {"revoked_at": timestamp(now_s)}
        return _as_token(unit.changed(api_tokens, f"tokens/{token_id}", token_id, version, values))

    @staticmethod
    def add_grant(unit: Unit, kind: str, subject: str, grant: Grant, now_s: float) -> StoredGrant:
        """A user or a group may from now on."""
        row = _grant_row(kind, subject, grant, unit.request.principal.id, now_s)
        return _as_grant(unit.connection.execute(insert(grants).values(row).returning(grants)).mappings().one())

    @staticmethod
    def remove_grant(unit: Unit, grant_id: UUID) -> StoredGrant:
        """They may no longer.

        Raises:
            KeyError: if there is none of that id.
        """
        gone = delete(grants).where(grants.c.id == grant_id).returning(grants)
        row = unit.connection.execute(gone).mappings().first()
        if row is None:
            raise KeyError(str(grant_id))
        return _as_grant(row)


ADMIN = Grant(AccessRole.ADMIN)


def person_of(connection: Connection, principal_id: str) -> str:
    """`Principal.person` of somebody who is not here now: their own id, or the person's for whom a token acts."""
    kind, _, token_id = principal_id.partition(":")
    if kind != "token":
        return principal_id
    owner = connection.execute(select(api_tokens.c.owner).where(cast(api_tokens.c.id, String) == token_id)).scalar()
    return owner or principal_id


def _grant_row(kind: str, subject: str, grant: Grant, by: str, now_s: float) -> dict[str, Any]:
    return {
        "id": uuid4(),
        "kind": kind,
        "subject": subject,
        "role": grant.role.value,
        "namespace": grant.namespace,
        "created_at": timestamp(now_s),
        "created_by": by,
    }


def _user(connection: Connection, issuer: str, subject: str, name: str, email: str | None, now_s: float) -> RowMapping:
    known = {"name": name, "email": email, "last_seen_at": timestamp(now_s)}
    row = {"id": uuid4(), "issuer": issuer, "subject": subject, "created_at": timestamp(now_s), **known}
    statement = postgresql.insert(users).values(row)
    kept = statement.on_conflict_do_update(index_elements=["issuer", "subject"], set_=known).returning(users)
    found = connection.execute(kept).mappings().one()
    if found["disabled_at"] is not None:
        raise PermissionError(f"{name} was disabled")
    return found


def _principal(connection: Connection, user: RowMapping, groups: Sequence[str]) -> Principal:
    of_user = and_(grants.c.kind == "User", grants.c.subject == str(user["id"]))
    of_group = and_(grants.c.kind == "Group", grants.c.subject.in_(list(groups)))
    rows = connection.execute(select(grants.c.role, grants.c.namespace).where(or_(of_user, of_group))).all()
    held = widest(Grant(AccessRole(row.role), row.namespace) for row in rows)
    return Principal(f"user:{user['id']}", user["name"], PrincipalKind.USER, held)


def _new_session(
    connection: Connection, user_id: UUID, groups: Sequence[str], now_s: float, lasts_s: float
) -> tuple[str, str]:
    cookie, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    row = {
        "digest": digest_of(cookie),
        "user_id": user_id,
        "groups": list(groups),
        "csrf_digest": digest_of(csrf),
        "created_at": timestamp(now_s),
        "expires_at": timestamp(now_s + lasts_s),
    }
    connection.execute(delete(sessions).where(sessions.c.expires_at < timestamp(now_s)))
    connection.execute(insert(sessions).values(row))
    return cookie, csrf


def _seen(connection: Connection, user_id: UUID, last_seen: Any, now_s: float) -> None:
    if last_seen is None or last_seen.timestamp() < now_s - SEEN_EVERY_S:
        connection.execute(update(users).where(users.c.id == user_id).values(last_seen_at=timestamp(now_s)))


def _grants_of(stored: Sequence[dict[str, Any]]) -> tuple[Grant, ...]:
    return tuple(Grant(AccessRole(one["role"]), one["namespace"]) for one in stored)


def _seconds(moment: Any) -> float | None:
    return None if moment is None else float(moment.timestamp())


def _as_user(row: RowMapping) -> User:
    return User(
        row["id"],
        row["issuer"],
        row["subject"],
        row["name"],
        row["email"],
        row["created_at"].timestamp(),
        _seconds(row["last_seen_at"]),
        row["disabled_at"] is not None,
    )


def _as_token(row: RowMapping) -> ApiToken:
    return ApiToken(
        row["id"],
        row["name"],
        row["hint"],
        _grants_of(row["grants"]),
        row["created_by"],
        row["owner"],
        row["created_at"].timestamp(),
        row["expires_at"].timestamp(),
        _seconds(row["last_used_at"]),
        _seconds(row["revoked_at"]),
        row["version"],
    )


def _as_grant(row: RowMapping) -> StoredGrant:
    grant = Grant(AccessRole(row["role"]), row["namespace"])
    return StoredGrant(row["id"], row["kind"], row["subject"], grant, row["created_at"].timestamp(), row["created_by"])
