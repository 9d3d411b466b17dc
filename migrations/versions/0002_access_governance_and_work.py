"""Access, governance and work

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Evidence: rows are added and never changed, whatever a statement asks for.
REFUSE = """
CREATE FUNCTION refuse_change_of_evidence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$
"""
APPEND_ONLY = ("audit", "policy_versions", "policy_stages")


def upgrade() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False, comment="SHA-256; the token itself is shown once"),
        sa.Column("hint", sa.String(length=16), nullable=False, comment="its first characters, to tell tokens apart"),
        sa.Column("grants", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="[{role, namespace}]"),
        sa.Column("created_by", sa.String(length=512), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_tokens_digest")),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.String(length=512), nullable=False),
        sa.Column("actor_kind", sa.String(length=16), nullable=False, comment="User, Token or System"),
        sa.Column("action", sa.String(length=64), nullable=False, comment="e.g. override.create"),
        sa.Column("resource", sa.String(length=512), nullable=False, comment="e.g. overrides/6f1c..."),
        sa.Column("namespace", sa.String(length=255), nullable=True, comment="NULL: of no namespace"),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("source_ip", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_actor_id", "audit", ["actor", "id"], unique=False)
    op.create_index("ix_audit_at", "audit", ["at"], unique=False)
    op.create_index("ix_audit_namespace_id", "audit", ["namespace", "id"], unique=False)
    op.create_index("ix_audit_resource_id", "audit", ["resource", "id"], unique=False)
    op.create_table(
        "catalog_overrides",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="Accelerator or Variant: whose price"),
        sa.Column("name", sa.String(length=512), nullable=False, comment="H100, or namespace/target/variant"),
        sa.Column(
            "body",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="the fields that differ; money as decimal text",
        ),
        sa.Column("actor", sa.String(length=512), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(length=512), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_overrides")),
    )
    op.create_index("ix_catalog_overrides_kind_name", "catalog_overrides", ["kind", "name"], unique=False)
    op.create_table(
        "freezes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("namespace", sa.String(length=255), nullable=True, comment="NULL: every namespace"),
        sa.Column("target", sa.String(length=255), nullable=True, comment="NULL: every target"),
        sa.Column("direction", sa.String(length=8), nullable=False, comment="Both or Down: what may not happen"),
        sa.Column("actor", sa.String(length=512), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(length=512), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_freezes")),
    )
    op.create_index("ix_freezes_ends_at", "freezes", ["ends_at"], unique=False)
    op.create_table(
        "grants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="User or Group"),
        sa.Column(
            "subject", sa.String(length=512), nullable=False, comment="a user's id, or a group of the OIDC token"
        ),
        sa.Column("role", sa.String(length=16), nullable=False, comment="Viewer, Operator or Admin"),
        sa.Column("namespace", sa.String(length=255), nullable=True, comment="NULL: every namespace"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=512), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    op.create_index("ix_grants_kind_subject", "grants", ["kind", "subject"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("principal", sa.String(length=512), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False, comment="SHA-256 of method, path and body"),
        sa.Column(
            "status", sa.Integer(), nullable=True, comment="of the answer; NULL while the first request is under way"
        ),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("principal", "key", name=op.f("pk_idempotency")),
    )
    op.create_index("ix_idempotency_recorded_at", "idempotency", ["recorded_at"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False, comment="the permalink"),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="Replay, WhatIf or Export"),
        sa.Column("namespace", sa.String(length=255), nullable=True, comment="NULL: of several namespaces"),
        sa.Column("request", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "status", sa.String(length=16), nullable=False, comment="Queued, Running, Succeeded, Failed or Cancelled"
        ),
        sa.Column("progress", sa.Float(), server_default="0", nullable=False, comment="0 to 1"),
        sa.Column("cancel_requested", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("created_by", sa.String(length=512), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "heartbeat_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="real time; a worker that died leaves it behind",
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index("ix_jobs_created_at_id", "jobs", ["created_at", "id"], unique=False)
    op.create_index("ix_jobs_status", "jobs", ["status"], unique=False)
    op.create_table(
        "login_links",
        sa.Column("digest", sa.String(length=64), nullable=False, comment="SHA-256 of the one-time secret"),
        sa.Column("purpose", sa.String(length=32), nullable=False, comment="FirstAdmin, or an OIDC login under way"),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_login_links")),
    )
    op.create_table(
        "notification_channels",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("url", sa.Text(), nullable=False, comment="of the library; shown without its secrets"),
        sa.Column(
            "events",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Conflict, StockOut, MetricFault, Rollback, Budget",
        ),
        sa.Column(
            "namespaces", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment="NULL: every namespace"
        ),
        sa.Column("enabled", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=512), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_channels")),
        sa.UniqueConstraint("name", name=op.f("uq_notification_channels_name")),
    )
    op.create_table(
        "overrides",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("namespace", sa.String(length=255), nullable=False),
        sa.Column("target", sa.String(length=255), nullable=False, comment="the target's name"),
        sa.Column("variant", sa.String(length=63), nullable=True, comment="NULL: every variant"),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="Pin, Floor, Ceiling or Pause"),
        sa.Column("replicas", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(length=512), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True, comment="taken back before it expired"),
        sa.Column("ended_by", sa.String(length=512), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_overrides")),
    )
    op.create_index(
        "ix_overrides_namespace_target_expires_at", "overrides", ["namespace", "target", "expires_at"], unique=False
    )
    op.create_table(
        "policy_documents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "name",
            sa.String(length=255),
            nullable=False,
            comment="the name of the target that it makes in each namespace",
        ),
        sa.Column(
            "namespaces", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="where it applies: a list"
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=512), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_documents")),
    )
    op.create_index("ix_policy_documents_name", "policy_documents", ["name"], unique=False)
    op.create_table(
        "settings",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(length=512), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_settings")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "issuer",
            sa.String(length=512),
            nullable=False,
            comment="the OIDC provider; `local` for the first administrator",
        ),
        sa.Column("subject", sa.String(length=512), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index("uq_users_issuer_subject", "users", ["issuer", "subject"], unique=True)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column(
            "subject", sa.String(length=512), nullable=False, comment="what it is about, so that it is told once"
        ),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["notification_channels.id"],
            name=op.f("fk_deliveries_channel_id_notification_channels"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    op.create_index(
        "ix_deliveries_channel_id_event_subject_at",
        "deliveries",
        ["channel_id", "event", "subject", "at"],
        unique=False,
    )
    op.create_table(
        "policy_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("policy_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="1, 2, 3... within the policy"),
        sa.Column(
            "spec",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="as in the custom resource; never changed",
        ),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("author", sa.String(length=512), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("parent", sa.Integer(), nullable=True, comment="the version that it was made from"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_id"],
            ["policy_documents.id"],
            name=op.f("fk_policy_versions_policy_id_policy_documents"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_versions")),
        sa.UniqueConstraint("policy_id", "number", name=op.f("uq_policy_versions_policy_id_number")),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String(length=64), nullable=False, comment="SHA-256 of the cookie"),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column(
            "groups", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="as the OIDC token said at login"
        ),
        sa.Column("csrf_digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"], unique=False)
    op.create_table(
        "policy_approvals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False, comment="the stage that is asked for"),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("requested_by", sa.String(length=512), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "decision", sa.String(length=16), nullable=True, comment="Approved or Rejected; NULL while it is open"
        ),
        sa.Column("decided_by", sa.String(length=512), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["policy_versions.id"],
            name=op.f("fk_policy_approvals_version_id_policy_versions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_approvals")),
    )
    op.create_index("ix_policy_approvals_version_id", "policy_approvals", ["version_id"], unique=False)
    op.create_table(
        "policy_stages",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column(
            "stage",
            sa.String(length=16),
            nullable=False,
            comment="Draft, Shadow, Canary, Live, RolledBack or Superseded",
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=512), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "body",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="of a Canary: variants or namespaces, until, and when to roll back",
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["policy_versions.id"],
            name=op.f("fk_policy_stages_version_id_policy_versions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_stages")),
    )
    op.create_index("ix_policy_stages_version_id_id", "policy_stages", ["version_id", "id"], unique=False)
    op.create_table(
        "shadow_ticks",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("target", sa.String(length=512), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "tick_id",
            sa.String(length=64),
            nullable=False,
            comment="the tick of the live policy on the same observation",
        ),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("desired", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="replicas by variant"),
        sa.Column("usd_per_hour", sa.Float(), nullable=False, comment="of what it would want"),
        sa.Column("planned_requests_per_s", sa.Float(), nullable=True),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["policy_versions.id"],
            name=op.f("fk_shadow_ticks_version_id_policy_versions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shadow_ticks")),
    )
    op.create_index(
        "ix_shadow_ticks_version_id_target_at", "shadow_ticks", ["version_id", "target", "at"], unique=False
    )
    op.execute(REFUSE)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_evidence()"
        )


def downgrade() -> None:
    for table in APPEND_ONLY:
        op.execute(f"DROP TRIGGER {table}_append_only ON {table}")
    op.execute("DROP FUNCTION refuse_change_of_evidence()")
    op.drop_index("ix_shadow_ticks_version_id_target_at", table_name="shadow_ticks")
    op.drop_table("shadow_ticks")
    op.drop_index("ix_policy_stages_version_id_id", table_name="policy_stages")
    op.drop_table("policy_stages")
    op.drop_index("ix_policy_approvals_version_id", table_name="policy_approvals")
    op.drop_table("policy_approvals")
    op.drop_index("ix_sessions_expires_at", table_name="sessions")
    op.drop_table("sessions")
    op.drop_table("policy_versions")
    op.drop_index("ix_deliveries_channel_id_event_subject_at", table_name="deliveries")
    op.drop_table("deliveries")
    op.drop_index("uq_users_issuer_subject", table_name="users")
    op.drop_table("users")
    op.drop_table("settings")
    op.drop_index("ix_policy_documents_name", table_name="policy_documents")
    op.drop_table("policy_documents")
    op.drop_index("ix_overrides_namespace_target_expires_at", table_name="overrides")
    op.drop_table("overrides")
    op.drop_table("notification_channels")
    op.drop_table("login_links")
    op.drop_index("ix_jobs_status", table_name="jobs")
    op.drop_index("ix_jobs_created_at_id", table_name="jobs")
    op.drop_table("jobs")
    op.drop_index("ix_idempotency_recorded_at", table_name="idempotency")
    op.drop_table("idempotency")
    op.drop_index("ix_grants_kind_subject", table_name="grants")
    op.drop_table("grants")
    op.drop_index("ix_freezes_ends_at", table_name="freezes")
    op.drop_table("freezes")
    op.drop_index("ix_catalog_overrides_kind_name", table_name="catalog_overrides")
    op.drop_table("catalog_overrides")
    op.drop_index("ix_audit_resource_id", table_name="audit")
    op.drop_index("ix_audit_namespace_id", table_name="audit")
    op.drop_index("ix_audit_at", table_name="audit")
    op.drop_index("ix_audit_actor_id", table_name="audit")
    op.drop_table("audit")
    op.drop_table("api_tokens")
