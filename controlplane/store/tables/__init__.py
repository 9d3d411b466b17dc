"""The schema. Times are `timestamptz` where people query by them, and unix seconds inside the JSON of ticks.

`at`, `created_at` and the like are on the controller's clock, which in the embedded default runs faster than life;
`recorded_at` is the database's own.
"""

from controlplane.store.tables.access import api_tokens, audit, grants, idempotency, login_links, sessions, users
from controlplane.store.tables.governance import (
    catalog_overrides,
    freezes,
    overrides,
    policy_approvals,
    policy_documents,
    policy_regrets,
    policy_stages,
    policy_versions,
    settings,
    shadow_ticks,
)
from controlplane.store.tables.ledger import cold_start_samples, fits, forecasts, policies, targets, ticks
from controlplane.store.tables.metadata import metadata
from controlplane.store.tables.presence import processes
from controlplane.store.tables.work import deliveries, jobs, notification_channels

__all__ = [
    "api_tokens",
    "audit",
    "catalog_overrides",
    "cold_start_samples",
    "deliveries",
    "fits",
    "forecasts",
    "freezes",
    "grants",
    "idempotency",
    "jobs",
    "login_links",
    "metadata",
    "notification_channels",
    "overrides",
    "policies",
    "policy_approvals",
    "policy_documents",
    "policy_regrets",
    "policy_stages",
    "policy_versions",
    "processes",
    "sessions",
    "settings",
    "shadow_ticks",
    "targets",
    "ticks",
    "users",
]
