"""What the two roles of a split target, and each role's headroom, have to do with one another."""

from __future__ import annotations

import math

from controlplane.domain.decision import Ruling
from controlplane.domain.target import Role
from controlplane.planning.outages import served
from controlplane.planning.rules.case import Case, Replicas, ruling

ROLES = (Role.PREFILL, Role.DECODE)


class HeadroomRule:
    """Says how many of the planned replicas are kept warm beyond the need."""

    name = "headroom"
    blind = False

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        kept = case.plan.headroom if case.plan is not None else {}
        words = ", ".join(f"{n} of {proposed[name]} {name}" for name, n in kept.items())
        return ruling(self, proposed, proposed, f"{words} kept warm beyond the need" if words else "no headroom")


class SkewRule:
    """Where both roles grow, neither's capacity (requests/s, asked for in this decision included) runs ahead of the
    other's by more than `maxSkewPercent`; and beside one that cannot be had the other does not grow without use."""

    name = "skew"
    blind = False

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        if any(v.role is Role.BOTH for v in case.target.variants) or case.plan is None:
            return ruling(self, proposed, proposed, "roles are not split")
        after, words = dict(proposed), []
        for role, other in (ROLES, ROLES[::-1]):
            most_rps, before = self._most(case, after, other), dict(after)
            if most_rps is None:
                continue
            for name in self._growing(case, after, role):
                room_rps = most_rps - self._capacity(case, {**after, name: 0}, role)
                fit = math.floor(room_rps / case.rate(name) + 1e-9)
                after[name] = min(after[name], max(case.current[name], fit))
            if after != before:
                words.append(
                    f"{role} waits for {other}: more than {most_rps:.2f} requests/s of it would be of no use yet"
                )
        return ruling(self, proposed, after, "; ".join(words) or "the roles keep step")

    def _most(self, case: Case, proposed: Replicas, other: Role) -> float | None:
        """Requests/s to which a role may grow, by what the other will have; None: any."""
        reach = {n: self._reachable(case, n, r) for n, r in proposed.items()}
        own_rps, share = self._capacity(case, reach, other), case.target.policy.max_role_skew
        held = any(reach[n] < proposed[n] for n in self._names(case, other))
        if share is None:
            # Whole replicas: what carries it must not be rounded away.
            return own_rps + self._one(case, other) if held else None
        return own_rps * (1.0 + share) + self._one(case, other)

    def _reachable(self, case: Case, name: str, replicas: int) -> int:
        seen = case.inputs.observation.variant(name)
        return min(replicas, served(seen)) if name in case.outages and seen is not None else replicas

    def _one(self, case: Case, other: Role) -> float:
        """Of the role that may run ahead, its smallest replica: roles are made of whole ones."""
        lead = next(role for role in ROLES if role is not other)
        return min((case.rate(n) for n in self._names(case, lead) if case.rate(n) > 0), default=0.0)

    def _growing(self, case: Case, proposed: Replicas, role: Role) -> list[str]:
        names = self._names(case, role)
        return [n for n in names if proposed[n] > case.current.get(n, proposed[n]) and case.rate(n) > 0]

    def _capacity(self, case: Case, replicas: Replicas, role: Role) -> float:
        return sum(case.rate(n) * replicas[n] for n in self._names(case, role))

    @staticmethod
    def _names(case: Case, role: Role) -> list[str]:
        return [v.name for v in case.target.variants if v.role is role]
