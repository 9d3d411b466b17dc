"""What must hold between a manifest's fields. The resource's schema says the same in CEL, as far as CEL can."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from controlplane.domain.manifest_base import ManifestError
from controlplane.domain.manifest_parts import SchedulePart
from controlplane.domain.manifest_spec import Spec
from controlplane.domain.manifest_variants import Described, VariantPart
from controlplane.domain.target import OverrideKind, Role, Variant

ROUNDED_SHARE = 0.02
"""By how much the shares of all domains may fall short of the whole: 0.33 is meant for a third."""


def refuse_contradictions(spec: Spec) -> None:
    """What no single field's type says.

    Raises:
        ManifestError: naming the field at fault.
    """
    spec.slo.refuse_contradictions()
    _one_form(spec)
    located = spec.located()
    variants = [one for _, one in located]
    _names(variants)
    _targets(variants)
    for where, one in located:
        _ordered(where, one.min_replicas, one.max_replicas)
    _roles(spec, [one.role for one in variants])
    _zero(spec, variants)
    _schedules(spec, variants)
    _overrides(spec, variants)
    _tls(spec)


def refuse_lone_roles(located: Sequence[tuple[str, Role]]) -> None:
    """Prefill without Decode serves nothing, nor the other way round; roles may have been discovered.

    Raises:
        ManifestError: if every variant has the same one of the two.
    """
    roles = {role for _, role in located}
    if len(roles) == 1 and Role.BOTH not in roles:
        where = located[0][0] if len(located) == 1 else "spec.variants"
        field = f"{where}.role" if len(located) == 1 else where
        raise ManifestError(
            field, f"every variant has role {roles.pop()}; allowed: Both, or Prefill and Decode together"
        )


def refuse_crowded_domains(share: float | None, variants: Sequence[Variant]) -> None:
    """A share of each failure domain that no fleet of a role can keep to; roles may have been discovered. A role with a
    variant that is in no domain can always keep to it.

    Raises:
        ManifestError: if a role's domains are too few, or nothing is in any.
    """
    if share is None or share >= 1.0:
        return
    field = "spec.capacity.maxDomainShare"
    if all(variant.failure_domain is None for variant in variants):
        raise ManifestError(field, f"is {share:g}, but no variant has a failureDomain; allowed: one in each variant")
    for role in Role:
        names = [v.failure_domain for v in variants if v.role is role]
        domains = sorted({name for name in names if name is not None})
        if domains and None not in names and share * len(domains) < 1.0 - ROUNDED_SHARE:
            least = math.ceil(1000 / len(domains)) / 1000
            found = f"is {share:g}, but role {role} is in {', '.join(domains)} alone"
            raise ManifestError(field, f"{found}; allowed: from {least:g}, or variants in more domains")


def _one_form(spec: Spec) -> None:
    single = spec.scale_target_ref is not None
    if single == (spec.variants is not None):
        found = "both are given" if single else "neither is given"
        raise ManifestError("spec.scaleTargetRef", f"{found}; allowed: exactly one of scaleTargetRef and variants")
    if single and spec.max_replicas is None:
        raise ManifestError("spec.maxReplicas", "must be given beside scaleTargetRef")
    beside = [
        name for name in (*Described.model_fields, "min_replicas", "max_replicas") if getattr(spec, name) is not None
    ]
    if not single and beside:
        alias = Spec.model_fields[beside[0]].alias
        raise ManifestError(f"spec.{alias}", "is given beside variants; allowed: in each variant")


def _names(variants: Sequence[VariantPart]) -> None:
    place = _repeated(one.name for one in variants)
    if place is not None:
        raise ManifestError(
            f"spec.variants[{place}].name", f"{variants[place].name!r} is taken; allowed: each name once"
        )


def _targets(variants: Sequence[VariantPart]) -> None:
    refs = [(one.scale_target_ref.kind, one.scale_target_ref.name) for one in variants]
    place = _repeated(refs)
    if place is not None:
        field = f"spec.variants[{place}].scaleTargetRef"
        raise ManifestError(field, f"{' '.join(refs[place])} is another variant's; allowed: each object once")


def _repeated(values: Iterable[object]) -> int | None:
    seen: set[object] = set()
    for place, value in enumerate(values):
        if value in seen:
            return place
        seen.add(value)
    return None


def _ordered(where: str, lowest: int | None, highest: int | None) -> None:
    if lowest is not None and highest is not None and lowest > highest:
        raise ManifestError(f"{where}.minReplicas", f"minReplicas {lowest} is above maxReplicas {highest}")


def _roles(spec: Spec, roles: Sequence[Role | None]) -> None:
    """Of those given; the discovered ones are judged when they are known."""
    given = [(where, role) for (where, _), role in zip(spec.located(), roles, strict=True) if role is not None]
    if len(given) == len(roles):
        refuse_lone_roles(given)


def _zero(spec: Spec, variants: Sequence[VariantPart]) -> None:
    lowest = [one.min_replicas for one in variants] + [s.min_replicas for s in spec.schedules]
    if spec.scale_to_zero is not None and 0 not in lowest:
        raise ManifestError("spec.scaleToZero", "needs a minReplicas of 0")


def _schedules(spec: Spec, variants: Sequence[VariantPart]) -> None:
    place = _repeated(s.name for s in spec.schedules)
    if place is not None:
        name = spec.schedules[place].name
        raise ManifestError(f"spec.schedules[{place}].name", f"{name!r} is taken; allowed: each name once")
    for place, schedule in enumerate(spec.schedules):
        where = f"spec.schedules[{place}]"
        if schedule.min_replicas is None and schedule.max_replicas is None:
            raise ManifestError(where, "at least one of minReplicas and maxReplicas must be given")
        if schedule.start == schedule.end:
            raise ManifestError(f"{where}.end", "must not be the same as start")
        _ordered(where, schedule.min_replicas, schedule.max_replicas)
        for one in _named(f"{where}.variant", schedule.variant, variants):
            _fits(where, schedule, one)


def _fits(where: str, schedule: SchedulePart, variant: VariantPart) -> None:
    """A floor above the variant's ceiling could not be had. A ceiling below its floor can: it lowers the floor."""
    lowest = schedule.min_replicas
    if schedule.max_replicas is None and lowest is not None and lowest > variant.max_replicas:
        problem = f"{lowest} is above maxReplicas {variant.max_replicas} of variant {variant.name}"
        raise ManifestError(f"{where}.minReplicas", f"{problem}; allowed: up to that, or a maxReplicas beside it")


def _overrides(spec: Spec, variants: Sequence[VariantPart]) -> None:
    for place, override in enumerate(spec.overrides):
        where = f"spec.overrides[{place}]"
        if (override.kind is OverrideKind.PAUSE) != (override.replicas is None):
            found = f"is {override.replicas} for {override.kind}"
            raise ManifestError(f"{where}.replicas", f"{found}; Pause takes none, the other kinds need one")
        _named(f"{where}.variant", override.variant, variants)


def _named(field: str, name: str | None, variants: Sequence[VariantPart]) -> Sequence[VariantPart]:
    """Those variants that a name means: all of them for none."""
    meant = [one for one in variants if name is None or one.name == name]
    if not meant:
        raise ManifestError(field, f"{name!r} is no variant; allowed: {', '.join(one.name for one in variants)}")
    return meant


def _tls(spec: Spec) -> None:
    tls = spec.metrics.tls
    if tls is not None and tls.ca_secret_ref is not None and tls.insecure_skip_verify:
        raise ManifestError("spec.metrics.tls.insecureSkipVerify", "must not be set beside caSecretRef")
