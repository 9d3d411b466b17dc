"""Who asks, and what they may do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class AccessRole(StrEnum):
    """Viewer reads. Operator pins, freezes, replays, writes policies. Admin also says who may, and what things cost."""

    VIEWER = "Viewer"
    OPERATOR = "Operator"
    ADMIN = "Admin"

    @property
    def rank(self) -> int:
        """Higher may do all that lower may."""
        return tuple(AccessRole).index(self)


class PrincipalKind(StrEnum):
    """User: a person with a session or an identity provider's token. Token: a machine. System: Tidegate itself."""

    USER = "User"
    TOKEN = "Token"
    SYSTEM = "System"


@dataclass(frozen=True, slots=True)
class Grant:
    """A role in one namespace, or in every one (None)."""

    role: AccessRole
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who was recognised. `id` is stable and unique; `name` is what people read. `owner` is the person for
    whom a token acts; None: for nobody but itself."""

    id: str
    name: str
    kind: PrincipalKind
    grants: tuple[Grant, ...] = ()
    owner: str | None = None

    @property
    def person(self) -> str:
        """Whose word it is where two people are asked for: a person and all of their tokens are one."""
        return self.owner or self.id

    def may(self, role: AccessRole, namespace: str | None) -> bool:
        """Whether they have at least that role there. `namespace` None asks for it in every namespace."""
        return any(g.role.rank >= role.rank and g.namespace in (None, namespace) for g in self.grants)

    def namespaces(self, role: AccessRole) -> frozenset[str] | None:
        """Where they have at least that role; None: everywhere."""
        found = [g.namespace for g in self.grants if g.role.rank >= role.rank]
        return None if None in found else frozenset(n for n in found if n is not None)


SYSTEM = Principal("system", "tidegate", PrincipalKind.SYSTEM, (Grant(AccessRole.ADMIN),))
"""Tidegate's own hand: what expires, rolls back or is swept without a person."""


def widest(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """The same rights without those that a wider grant holds already."""
    unique = sorted(set(grants), key=lambda g: (g.namespace is not None, -g.role.rank, g.namespace or ""))
    kept: list[Grant] = []
    for grant in unique:
        if not any(k.role.rank >= grant.role.rank and k.namespace in (None, grant.namespace) for k in kept):
            kept.append(grant)
    return tuple(kept)
