"""Policies that there are from the first start on, where a whole system is brought up at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, select

from controlplane.domain.access import SYSTEM
from controlplane.domain.policy_life import Stage, StageChange
from controlplane.store.engine import make_engine, transaction
from controlplane.store.policies import Policies
from controlplane.store.tables import policy_documents
from controlplane.store.unit import Request, Unit, Writer

REASON = "comes with the scenario"


def make_live(database_url: str, manifests: Iterable[Mapping[str, Any]], now_s: float) -> list[str]:
    """Make a Live policy of each custom resource whose name no policy has or had; the names of those that were made.
    What people did to them since an earlier start stays.

    Raises:
        LedgerUnavailable: if the database does not answer.
    """
    engine = make_engine(database_url)
    try:
        return [str(m["metadata"]["name"]) for m in manifests if not _is_known(engine, m) and _make(engine, m, now_s)]
    finally:
        engine.dispose()


def _is_known(engine: Engine, manifest: Mapping[str, Any]) -> bool:
    table = policy_documents
    with transaction(engine) as connection:
        found = connection.execute(select(table.c.id).where(table.c.name == manifest["metadata"]["name"]))
        return found.first() is not None


def _make(engine: Engine, manifest: Mapping[str, Any], now_s: float) -> bool:
    metadata = manifest["metadata"]
    request = Request(SYSTEM, "", f"start-{uuid4().hex}", now_s)
    with Writer(engine).unit(request) as unit:
        _write(unit, str(metadata["name"]), str(metadata.get("namespace", "default")), manifest["spec"])
    return True


def _write(unit: Unit, name: str, namespace: str, spec: Mapping[str, Any]) -> None:
    made = Policies.create(unit, name, [namespace], spec, REASON)
    steps = [StageChange(1, stage, unit.now_s, SYSTEM.id, REASON) for stage in (Stage.SHADOW, Stage.LIVE)]
    Policies.change(unit, made, steps)
    unit.audit("policy.create", f"policies/{made.id}", namespace, None, {"name": name, "spec": dict(spec)}, REASON)
