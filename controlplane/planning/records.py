"""A step -> the ledger's ticks."""

from __future__ import annotations

from controlplane.domain.decision import Tick
from controlplane.planning.stepper import Step


def ticks_of(group: str, step: Step, group_tick_id: str) -> list[Tick]:
    """The step as the ledger's rows, before anything was done. `group_tick_id` has 32 hexadecimal digits, the first
    twelve of which are the time in milliseconds; a tick's own has four more, which are its place among them."""
    inputs, outcome = step.inputs, step.outcome
    return [
        Tick(
            id=f"{group_tick_id}{place:04x}",
            group_tick_id=group_tick_id,
            group=group,
            at_s=inputs.now_s,
            planner_version=outcome.planner_version,
            inputs=one,
            inventory=inputs.inventory,
            spool_writable=inputs.spool_writable,
            plan=plan,
            decision=decision,
            validation=None,
            actuations=(),
            policy_version=one.target.policy_version,
        )
        for place, (one, plan, decision) in enumerate(
            zip(inputs.targets, outcome.plans, outcome.decisions, strict=True)
        )
    ]
