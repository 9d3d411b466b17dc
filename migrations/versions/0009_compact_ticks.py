"""Compact ticks in partitions of a day, and roll-ups

Revision ID: 0009
Revises: 0008

Nothing is rewritten and no lock is held for longer than a rename: ticks of before stay where they are, as
`ticks_before`, until a task carries them over. The rename waits for a lock on `ticks` for five seconds at most, since
what waits for one holds up everybody behind it; an upgrade that gave up has changed nothing, and is tried again.

The downgrade decodes every tick into the old table, in the migration's one transaction: it is for the hour after an
upgrade, not for a year's ledger. Old days may be dropped before.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

FUNCTIONS = (
    # Both ids in one: 18 bytes are a group tick's and a place in it, 32 two of before, others are text with a line each.
    """
CREATE FUNCTION tick_id(ids bytea) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE length(ids) WHEN 18 THEN encode(ids, 'hex') WHEN 32 THEN encode(substr(ids, 17), 'hex')
    ELSE split_part(convert_from(ids, 'UTF8'), E'\\n', 2) END
$$""",
    """
CREATE FUNCTION tick_group_id(ids bytea) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN length(ids) IN (18, 32) THEN encode(substr(ids, 1, 16), 'hex')
    ELSE split_part(convert_from(ids, 'UTF8'), E'\\n', 1) END
$$""",
    """
CREATE FUNCTION tick_text(words text, numbers text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT format(words, VARIADIC string_to_array(numbers, ' '))
$$""",
    # Attaching takes a lock that lets others read and write; a default partition would forbid to detach concurrently.
    """
CREATE FUNCTION make_tick_partition(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE name text := 'tick_rows_' || to_char(day, 'YYYYMMDD');
BEGIN
  IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock(hashtext('make_tick_partition'));
  IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
  EXECUTE format('CREATE TABLE %I (LIKE tick_rows INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
  EXECUTE format('ALTER TABLE tick_rows ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name,
    day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
  EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT '
    'EXECUTE FUNCTION refuse_change()', name || '_append_only', name);
END $$""",
)
VIEW = """
CREATE VIEW ticks AS
SELECT r.sequence, tick_id(r.ids) AS id, tick_group_id(r.ids) AS group_tick_id, t.key::text AS target, r.at,
  (ARRAY['hold', 'up', 'down', 'abstain'])[r.verdict + 1] AS verdict,
  tick_text(w.text, r.numbers) AS reason, tick_text(f.text, r.fleet) AS fleet,
  r.requests_per_s, r.planned_requests_per_s, r.attainment, r.usd_per_hour, r.applied
FROM tick_rows r JOIN tick_targets t ON t.id = r.target_id
  JOIN tick_texts w ON w.id = r.text_id JOIN tick_texts f ON f.id = r.fleet_id
"""
TRIGGER = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TRIGGER ticks_append_only ON ticks")
    op.rename_table("ticks", "ticks_before")
    op.execute("ALTER TABLE ticks_before RENAME CONSTRAINT pk_ticks TO pk_ticks_before")
    op.execute("ALTER TABLE ticks_before RENAME CONSTRAINT uq_ticks_id TO uq_ticks_before_id")
    op.execute("ALTER SEQUENCE ticks_sequence_seq RENAME TO ticks_before_sequence_seq")
    for function in FUNCTIONS:
        op.execute(function)
    op.execute("CREATE SEQUENCE tick_sequence")
    op.execute("SELECT setval('tick_sequence', (SELECT coalesce(max(sequence), 0) + 1 FROM ticks_before))")
    _tables()
    op.execute(TRIGGER.format(table="tick_rows"))
    op.execute(VIEW)
    op.execute("SELECT make_tick_partition(day::date) FROM generate_series(now(), now() + '3 days', '1 day') AS day")


def _tables() -> None:
    op.create_table(
        "tick_targets",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=512), nullable=False, comment="namespace/name"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tick_targets")),
        sa.UniqueConstraint("key", name=op.f("uq_tick_targets_key")),
    )
    op.create_table(
        "tick_texts",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the text"),
        sa.Column("text", sa.Text(), nullable=False, comment="words with %s for each number; for format()"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tick_texts")),
        sa.UniqueConstraint("digest", name=op.f("uq_tick_texts_digest")),
    )
    op.create_table(
        "tick_bases",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the body"),
        sa.Column(
            "body",
            sa.LargeBinary(),
            nullable=False,
            comment="a whole tick's JSON, deflated: what full ticks are read with",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tick_bases")),
        sa.UniqueConstraint("digest", name=op.f("uq_tick_bases_digest")),
    )
    op.create_table(
        "tick_rows",
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="the controller's clock"),
        sa.Column("sequence", sa.BigInteger(), nullable=False, comment="order of arrival"),
        sa.Column(
            "chain", sa.BigInteger(), nullable=False, comment="sequence of the full tick that this one is read from"
        ),
        sa.Column("target_id", sa.Integer(), nullable=False, comment="of tick_targets"),
        sa.Column("text_id", sa.Integer(), nullable=False, comment="of tick_texts: the reason"),
        sa.Column("fleet_id", sa.Integer(), nullable=False, comment="of tick_texts: the fleet, see tick_columns.py"),
        sa.Column(
            "base_id", sa.Integer(), comment="of tick_bases; NULL: a brief tick, read from the one before in its chain"
        ),
        sa.Column("requests_per_s", sa.REAL(), comment="observed; NULL: not known"),
        sa.Column("planned_requests_per_s", sa.REAL()),
        sa.Column("input_tokens", sa.REAL(), comment="of a request, observed"),
        sa.Column("output_tokens", sa.REAL()),
        sa.Column(
            "attainment", sa.REAL(), comment="share of the window's requests that met the SLO; NULL: none finished"
        ),
        sa.Column("usd_per_hour", sa.REAL(), nullable=False, comment="of the replicas that existed"),
        sa.Column("waiting", sa.REAL(), comment="requests in the engines' queues"),
        sa.Column("running", sa.REAL(), comment="requests in the engines"),
        sa.Column("kv_usage", sa.REAL(), comment="of the fullest variant, its mean share"),
        sa.Column("ttft_p50_s", sa.REAL(), comment="of the slowest variant, as the others of latency"),
        sa.Column("ttft_p99_s", sa.REAL()),
        sa.Column("tpot_p50_s", sa.REAL()),
        sa.Column("tpot_p99_s", sa.REAL()),
        sa.Column(
            "forecast_ahead_s", sa.REAL(), comment="from the tick to the end of the window that the forecast is of"
        ),
        sa.Column("forecast_p10", sa.REAL(), comment="of the peak of requests/s until then, as the others"),
        sa.Column("forecast_p50", sa.REAL()),
        sa.Column("forecast_p90", sa.REAL()),
        sa.Column("verdict", sa.SmallInteger(), nullable=False, comment="0 hold, 1 up, 2 down, 3 abstain"),
        sa.Column("applied", sa.Boolean(), nullable=False),
        sa.Column("ids", sa.LargeBinary(), nullable=False, comment="of the group tick and of this one"),
        sa.Column("numbers", sa.Text(), nullable=False, comment="of the reason, with blanks between"),
        sa.Column("fleet", sa.Text(), nullable=False, comment="numbers of the fleet, with blanks between"),
        sa.Column(
            "body", sa.LargeBinary(), nullable=False, comment="every input and output of the decider, as a difference"
        ),
        sa.PrimaryKeyConstraint("target_id", "at", "ids", name=op.f("pk_tick_rows")),
        sa.CheckConstraint("length(ids) <= 130", name=op.f("ck_tick_rows_ids")),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index(
        "ix_tick_rows_changes", "tick_rows", ["target_id", "at", "verdict"], postgresql_where=sa.text("verdict <> 0")
    )
    op.create_index("ix_tick_rows_sequence", "tick_rows", ["sequence"])
    op.create_index(
        "ix_tick_rows_at",
        "tick_rows",
        ["at"],
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on"},
    )
    op.create_index(
        "ix_tick_rows_old_ids",
        "tick_rows",
        [sa.text("tick_id(ids)")],
        postgresql_where=sa.text("length(ids) <> 18"),
    )
    op.create_table(
        "rollups",
        sa.Column("target", sa.String(length=512), nullable=False),
        sa.Column("variant", sa.String(length=63), nullable=False, comment="empty: the whole target"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="start of the hour, UTC"),
        sa.Column("seconds", sa.Float(), nullable=False, comment="of the hour that ticks speak for"),
        sa.Column("requests", sa.Float(), nullable=False, comment="that came; rates over time"),
        sa.Column("known", sa.Float(), nullable=False, comment="of these, those whose attainment is known"),
        sa.Column("met", sa.Float(), nullable=False, comment="of `known`, those that met the SLO"),
        sa.Column("tokens", sa.Float(), nullable=False, comment="of prompts and answers"),
        sa.Column("replica_seconds", sa.Float(), nullable=False, comment="of a variant"),
        sa.Column("gpu_seconds", sa.Float(), nullable=False, comment="of a variant"),
        sa.Column("usd", sa.Numeric(18, 6), nullable=False),
        sa.Column(
            "holds",
            sa.Integer(),
            nullable=False,
            comment="ticks by verdict; of a variant, by what was decided for it",
        ),
        sa.Column("ups", sa.Integer(), nullable=False),
        sa.Column("downs", sa.Integer(), nullable=False),
        sa.Column("abstains", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("target", "variant", "at", name=op.f("pk_rollups")),
    )
    op.create_index("ix_rollups_at", "rollups", ["at"])
    op.create_index("ix_rollups_whole", "rollups", ["at"], postgresql_where=sa.text("variant = ''"))
    op.create_table(
        "rollup_progress",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False, comment="ticks up to this one are rolled up"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_rollup_progress")),
    )


def downgrade() -> None:
    from controlplane.store.downgrade import decode_into_before

    op.execute("SET LOCAL lock_timeout = '5s'")
    decode_into_before(op.get_bind())
    op.execute("DROP VIEW ticks")
    for table in ("rollup_progress", "rollups", "tick_rows", "tick_bases", "tick_texts", "tick_targets"):
        op.drop_table(table)
    op.execute("DROP SEQUENCE tick_sequence")
    op.execute("DROP FUNCTION make_tick_partition(date)")
    op.execute("DROP FUNCTION tick_text(text, text)")
    op.execute("DROP FUNCTION tick_group_id(bytea)")
    op.execute("DROP FUNCTION tick_id(bytea)")
    op.rename_table("ticks_before", "ticks")
    op.execute("ALTER TABLE ticks RENAME CONSTRAINT pk_ticks_before TO pk_ticks")
    op.execute("ALTER TABLE ticks RENAME CONSTRAINT uq_ticks_before_id TO uq_ticks_id")
    op.execute("ALTER SEQUENCE ticks_before_sequence_seq RENAME TO ticks_sequence_seq")
    op.execute(TRIGGER.format(table="ticks"))
