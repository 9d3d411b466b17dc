"""Policies that come with a scenario, where a whole system is brought up at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, select

from controlplane.domain.access import SYSTEM
from controlplane.domain.policy_life import Stage, StageChange
from controlplane.store.codec import timestamp
from controlplane.store.engine import opened
from controlplane.store.policies import Policies
from controlplane.store.tables import audit, policy_documents
from controlplane.store.unit import Request, Unit, Writer

REASON = "comes with the scenario"
ARCHIVED = "policy.archive"
_NAMES = select(policy_documents.c.name)


def keep_to(database_url: str, manifests: Sequence[Mapping[str, Any]], now_s: float) -> None:
    """Have a Live policy of each of the scenario's custom resources, and of none of another scenario's.

    One that was made before is taken up as people left it; one that a person put away stays away; those of another
    scenario are put away until it is played again.

    Raises:
        LedgerUnavailable: if the database does not answer.
    """
    wanted = {str(manifest["metadata"]["name"]): manifest for manifest in manifests}
    with opened(database_url) as engine, Writer(engine).unit(_request(now_s)) as unit:
        in_use = set(unit.connection.scalars(_NAMES.where(policy_documents.c.archived_at.is_(None))))
        for row in _made_before(unit.connection):
            away = row["archived_at"] is not None
            if row["name"] not in wanted and not away:
                _move(unit, row, away=True)
            elif row["name"] in wanted.keys() - in_use and _was_put_away_by_us(unit.connection, row):
                _move(unit, row, away=False)
        for name in wanted.keys() - set(unit.connection.scalars(_NAMES)):
            _make(unit, name, wanted[name])


def _request(now_s: float) -> Request:
    return Request(SYSTEM, "", f"start-{uuid4().hex}", now_s)


def _made_before(connection: Connection) -> Sequence[RowMapping]:
    mine = select(policy_documents).where(policy_documents.c.created_by == SYSTEM.id)
    return connection.execute(mine).mappings().all()


def _was_put_away_by_us(connection: Connection, row: RowMapping) -> bool:
    mine = (audit.c.resource == f"policies/{row['id']}") & (audit.c.action == ARCHIVED)
    return connection.scalar(select(audit.c.actor).where(mine).order_by(audit.c.id.desc()).limit(1)) == SYSTEM.id


def _move(unit: Unit, row: RowMapping, away: bool) -> None:
    resource = f"policies/{row['id']}"
    values = {"archived_at": timestamp(unit.now_s) if away else None}
    unit.changed(policy_documents, resource, row["id"], row["version"], values)
    action = ARCHIVED if away else "policy.restore"
    unit.audit(action, resource, row["namespaces"][0], None, {"name": row["name"]}, "another scenario is played")


def _make(unit: Unit, name: str, manifest: Mapping[str, Any]) -> None:
    namespace, spec = str(manifest["metadata"].get("namespace", "default")), manifest["spec"]
    made = Policies.create(unit, name, [namespace], spec, REASON)
    steps = [StageChange(1, stage, unit.now_s, SYSTEM.id, REASON) for stage in (Stage.SHADOW, Stage.LIVE)]
    Policies.change(unit, made, steps)
    unit.audit("policy.create", f"policies/{made.id}", namespace, None, {"name": name, "spec": dict(spec)}, REASON)
