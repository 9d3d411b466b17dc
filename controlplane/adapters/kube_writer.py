"""Sets replica counts: what was decided is written only while it still holds.

The precondition is what the decision was made on: the object's version where nothing has changed since, else its
count. A Deployment's version changes with every Pod that becomes Ready, so the version alone would make each scale-up
during a rollout a conflict; the count without any version would overwrite what somebody sets in that very moment. So:
PATCH with the version that was seen; on a conflict look again, and where the count is still the one that was decided
on, PATCH once more with the new version. Never a second time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from controlplane.adapters.kube_http import Json, KubeError, KubeHttp
from controlplane.adapters.kube_limits import OneWriter, Priority, Superseded
from controlplane.adapters.kube_scale import CHOOSES_PODS, NotScalable, Scale, Scaler, Scales
from controlplane.domain.decision import Actuation, ActuationResult
from controlplane.domain.ports import ClusterUnavailable
from controlplane.domain.target import ScaleTargetRef, Variant

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
"""A ReplicaSet deletes the pods with the lowest cost first (Kubernetes 1.22 and later); no annotation counts as 0."""


class CountChanged(Exception):
    """Somebody else has set the count since the decision; the message says to what."""


class ReplicaWriter:
    """Sets the count of any scalable object; concurrent writes of one object collapse into the newest."""

    def __init__(self, http: KubeHttp, scales: Scales) -> None:
        self._http = http
        self._scales = scales
        self._turns = OneWriter()
        self._applied: dict[tuple[str, ScaleTargetRef], int] = {}

    def last_applied(self, namespace: str, ref: ScaleTargetRef) -> int | None:
        """The count that an object was set to last; None where it never was."""
        return self._applied.get((namespace, ref))

    async def apply(
        self, namespace: str, variant: Variant, before: int, after: int, version: str | None, idlest: Sequence[str]
    ) -> Actuation:
        """Set the count of a variant from `before` to `after`; `version` is the object's when that was seen."""
        key = f"{namespace}/{variant.ref.kind}/{variant.ref.name}"
        try:
            async with self._turns.turn(key):
                detail = await self._write(namespace, variant.ref, before, after, version, idlest)
        except (Superseded, CountChanged) as error:
            return Actuation(variant.name, before, after, ActuationResult.CONFLICT, str(error))
        except KubeError as error:
            result = ActuationResult.CONFLICT if error.status == 409 else ActuationResult.FAILED
            if error.status == 404:
                self._scales.forget(variant.ref)
            return Actuation(variant.name, before, after, result, str(error))
        except (NotScalable, ClusterUnavailable) as error:
            return Actuation(variant.name, before, after, ActuationResult.FAILED, str(error))
        self._applied[namespace, variant.ref] = after
        return Actuation(variant.name, before, after, ActuationResult.APPLIED, detail)

    async def _write(
        self,
        namespace: str,
        ref: ScaleTargetRef,
        before: int,
        after: int,
        version: str | None,
        idlest: Sequence[str],
    ) -> str:
        scaler = await self._scales.find(namespace, ref, Priority.SCALE)
        if version is None:
            seen = await self._as_decided(scaler, before)
        else:
            seen = Scale(before, version, "")
        detail = await self._choose(namespace, ref.kind, idlest)
        try:
            await scaler.write(after, seen)
        except KubeError as error:
            if error.status != 409 or version is None:
                raise
            await scaler.write(after, await self._as_decided(scaler, before))
        return detail

    @staticmethod
    async def _as_decided(scaler: Scaler, before: int) -> Scale:
        """The scale as it is now.

        Raises:
            CountChanged: if its count is not the one that was decided on.
        """
        scale = await scaler.read(Priority.SCALE)
        if scale.replicas != before:
            raise CountChanged(f"the count is {scale.replicas} by now, and the decision was made on {before}")
        return scale

    async def _choose(self, namespace: str, kind: str, pods: Sequence[str]) -> str:
        """Mark pods to be deleted first, in order; returns what could not be done of that, in words."""
        if not pods:
            return ""
        if kind not in CHOOSES_PODS:
            return f"which replicas go is the {kind}'s own choice"
        marks = [self._mark(namespace, pod, rank - len(pods)) for rank, pod in enumerate(pods)]
        refused = [word for word in await asyncio.gather(*marks) if word]
        return f"not marked to go first: {', '.join(refused)}" if refused else ""

    async def _mark(self, namespace: str, pod: str, cost: int) -> str:
        body: Json = {"metadata": {"annotations": {DELETION_COST: str(cost)}}}
        try:
            await self._http.merge_patch(f"/api/v1/namespaces/{namespace}/pods/{pod}", body, Priority.SCALE)
        except KubeError as error:
            return f"{pod} ({error.reason})"
        return ""
