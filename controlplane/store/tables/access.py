"""Who may do what, and who did what."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Index, Integer, String, Table, Text, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB

from controlplane.store.tables.metadata import metadata

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("issuer", String(512), nullable=False, comment="the OIDC provider; `local` for the first administrator"),
    Column("subject", String(512), nullable=False),
    Column("name", String(255), nullable=False),
    Column("email", String(320)),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("last_seen_at", DateTime(timezone=True)),
    Column("disabled_at", DateTime(timezone=True)),
    Column("version", Integer, nullable=False, server_default="1"),
    Index("uq_users_issuer_subject", "issuer", "subject", unique=True),
)

grants = Table(
    "grants",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(16), nullable=False, comment="User or Group"),
    Column("subject", String(512), nullable=False, comment="a user's id, or a group of the OIDC token"),
    Column("role", String(16), nullable=False, comment="Viewer, Operator or Admin"),
    Column("namespace", String(255), comment="NULL: every namespace"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("created_by", String(512), nullable=False),
    Index("ix_grants_kind_subject", "kind", "subject"),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("digest", String(64), nullable=False, unique=True, comment="SHA-256; the token itself is shown once"),
    Column("hint", String(16), nullable=False, comment="its first characters, to tell tokens apart"),
    Column("grants", JSONB(none_as_null=True), nullable=False, comment="[{role, namespace}]"),
    Column("created_by", String(512), nullable=False),
    Column("owner", String(512), comment="the person that it acts for; NULL: nobody but itself"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("last_used_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    Column("version", Integer, nullable=False, server_default="1"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True, comment="SHA-256 of the cookie"),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("groups", JSONB(none_as_null=True), nullable=False, comment="as the OIDC token said at login"),
    Column("csrf_digest", String(64), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("ix_sessions_expires_at", "expires_at"),
)

login_links = Table(
    "login_links",
    metadata,
    Column("digest", String(64), primary_key=True, comment="SHA-256 of the one-time secret"),
    Column("purpose", String(32), nullable=False, comment="FirstAdmin, or an OIDC login under way"),
    Column("body", JSONB(none_as_null=True), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("actor", String(512), nullable=False),
    Column("actor_kind", String(16), nullable=False, comment="User, Token or System"),
    Column("action", String(64), nullable=False, comment="e.g. override.create"),
    Column("resource", String(512), nullable=False, comment="e.g. overrides/6f1c..."),
    Column("namespace", String(255), comment="NULL: of no namespace"),
    Column("before", JSONB(none_as_null=True)),
    Column("after", JSONB(none_as_null=True)),
    Column("source_ip", String(64), nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Index("ix_audit_at", "at"),
    Index("ix_audit_resource_id", "resource", "id"),
    Index("ix_audit_actor_id", "actor", "id"),
    Index("ix_audit_namespace_id", "namespace", "id"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("principal", String(512), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False, comment="SHA-256 of method, path and body"),
    Column("status", Integer, comment="of the answer; NULL while the first request is under way"),
    Column("headers", JSONB(none_as_null=True)),
    Column("body", JSONB(none_as_null=True)),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("ix_idempotency_recorded_at", "recorded_at"),
)
