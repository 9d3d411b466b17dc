"""The spec of a policy version, for those who play it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select

from controlplane.store.engine import transaction
from controlplane.store.tables import policy_documents, policy_versions


def spec_of_version(engine: Engine, version_id: UUID, namespace: str) -> dict[str, Any] | None:
    """As in the custom resource; None where no version of that id applies in that namespace."""
    with transaction(engine) as connection:
        statement = (
            select(policy_versions.c.spec)
            .join(policy_documents, policy_documents.c.id == policy_versions.c.policy_id)
            .where(policy_versions.c.id == version_id, policy_documents.c.namespaces.contains([namespace]))
        )
        found: dict[str, Any] | None = connection.execute(statement).scalar()
    return found
