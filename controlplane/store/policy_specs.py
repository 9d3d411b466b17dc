"""The spec of a policy version, for those who play it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select

from controlplane.store.engine import transaction
from controlplane.store.tables import policy_documents, policy_versions


@dataclass(frozen=True, slots=True)
class NamedSpec:
    """`spec` as in the custom resource, and what people call its version: `chat v3`."""

    spec: dict[str, Any]
    name: str


def spec_of_version(engine: Engine, version_id: UUID, namespace: str) -> NamedSpec | None:
    """None where no version of that id applies in that namespace."""
    with transaction(engine) as connection:
        statement = (
            select(policy_versions.c.spec, policy_documents.c.name, policy_versions.c.number)
            .join(policy_documents, policy_documents.c.id == policy_versions.c.policy_id)
            .where(policy_versions.c.id == version_id, policy_documents.c.namespaces.contains([namespace]))
        )
        row = connection.execute(statement).one_or_none()
    return None if row is None else NamedSpec(row.spec, f"{row.name} v{row.number}")
