"""What people want: policies in versions, overrides, freezes, prices."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from controlplane.store.tables.metadata import metadata

policy_documents = Table(
    "policy_documents",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", String(255), nullable=False, comment="the name of the target that it makes in each namespace"),
    Column("namespaces", JSONB(none_as_null=True), nullable=False, comment="where it applies: a list"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("created_by", String(512), nullable=False),
    Column("archived_at", DateTime(timezone=True)),
    Column("version", Integer, nullable=False, server_default="1"),
    Index("ix_policy_documents_name", "name"),
)

policy_versions = Table(
    "policy_versions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("policy_id", Uuid, ForeignKey("policy_documents.id"), nullable=False),
    Column("number", Integer, nullable=False, comment="1, 2, 3... within the policy"),
    Column("spec", JSONB(none_as_null=True), nullable=False, comment="as in the custom resource; never changed"),
    Column("digest", String(64), nullable=False),
    Column("author", String(512), nullable=False),
    Column("reason", Text, nullable=False),
    Column("parent", Integer, comment="the version that it was made from"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("policy_id", "number"),
)

policy_stages = Table(
    "policy_stages",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("version_id", Uuid, ForeignKey("policy_versions.id"), nullable=False),
    Column("stage", String(16), nullable=False, comment="Draft, Shadow, Canary, Live, RolledBack or Superseded"),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", String(512), nullable=False),
    Column("reason", Text, nullable=False),
    Column(
        "body",
        JSONB(none_as_null=True),
        nullable=False,
        comment="of a Canary: variants or namespaces, until, and when to roll back",
    ),
    Index("ix_policy_stages_version_id_id", "version_id", "id"),
)

policy_approvals = Table(
    "policy_approvals",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("version_id", Uuid, ForeignKey("policy_versions.id"), nullable=False),
    Column("stage", String(16), nullable=False, comment="the stage that is asked for"),
    Column("body", JSONB(none_as_null=True), nullable=False),
    Column("requested_by", String(512), nullable=False),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("reason", Text, nullable=False),
    Column("decision", String(16), comment="Approved or Rejected; NULL while it is open"),
    Column("decided_by", String(512)),
    Column("decided_at", DateTime(timezone=True)),
    Column("decision_reason", Text),
    Column("version", Integer, nullable=False, server_default="1"),
    Index("ix_policy_approvals_version_id", "version_id"),
)

shadow_ticks = Table(
    "shadow_ticks",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("version_id", Uuid, ForeignKey("policy_versions.id"), nullable=False),
    Column("target", String(512), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("tick_id", String(64), nullable=False, comment="the tick of the live policy on the same observation"),
    Column("verdict", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("desired", JSONB(none_as_null=True), nullable=False, comment="replicas by variant"),
    Column("usd_per_hour", Float, nullable=False, comment="of what it would want"),
    Column("planned_requests_per_s", Float),
    Column("body", JSONB(none_as_null=True), nullable=False),
    Index("ix_shadow_ticks_version_id_target_at", "version_id", "target", "at"),
    Index("ix_shadow_ticks_at", "at"),
)

policy_regrets = Table(
    "policy_regrets",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("version_id", Uuid, ForeignKey("policy_versions.id"), nullable=False),
    Column("target", String(512), nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("until", DateTime(timezone=True), nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("body", JSONB(none_as_null=True), nullable=False, comment="what was recorded, and both simulations"),
    Index("ix_policy_regrets_version_id_target_made_at", "version_id", "target", "made_at"),
)

overrides = Table(
    "overrides",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("namespace", String(255), nullable=False),
    Column("target", String(255), nullable=False, comment="the target's name"),
    Column("variant", String(63), comment="NULL: every variant"),
    Column("kind", String(16), nullable=False, comment="Pin, Floor, Ceiling or Pause"),
    Column("replicas", Integer),
    Column("actor", String(512), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True), comment="taken back before it expired"),
    Column("ended_by", String(512)),
    Column("version", Integer, nullable=False, server_default="1"),
    Index("ix_overrides_namespace_target_expires_at", "namespace", "target", "expires_at"),
    Index("ix_overrides_living", "expires_at", postgresql_where=text("ended_at IS NULL")),
)

freezes = Table(
    "freezes",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("namespace", String(255), comment="NULL: every namespace"),
    Column("target", String(255), comment="NULL: every target"),
    Column("direction", String(8), nullable=False, comment="Both or Down: what may not happen"),
    Column("actor", String(512), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("ended_by", String(512)),
    Column("version", Integer, nullable=False, server_default="1"),
    Index("ix_freezes_ends_at", "ends_at"),
    Index("ix_freezes_living", "ends_at", postgresql_where=text("ended_at IS NULL")),
)

catalog_overrides = Table(
    "catalog_overrides",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(16), nullable=False, comment="Accelerator or Variant: whose price"),
    Column("name", String(512), nullable=False, comment="H100, or namespace/target/variant"),
    Column("body", JSONB(none_as_null=True), nullable=False, comment="the fields that differ; money as decimal text"),
    Column("actor", String(512), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    Column("ended_by", String(512)),
    Column("version", Integer, nullable=False, server_default="1"),
    Index("ix_catalog_overrides_kind_name", "kind", "name"),
    Index("ix_catalog_overrides_living", "expires_at", postgresql_where=text("ended_at IS NULL")),
)

settings = Table(
    "settings",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", JSONB(none_as_null=True), nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("changed_by", String(512), nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
)
