"""Who else sets the replica count: autoscalers, people, GitOps tools, and others, by what they leave behind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from controlplane.adapters.kube_autoscalers import rival_autoscalers
from controlplane.adapters.kube_managers import ManagerKind, Owner, gitops_name, kind_of_manager, owners_of
from controlplane.adapters.kube_rivals import MEMORY_S, UNKNOWN, Rivals
from controlplane.domain.observation import Conflict, ConflictKind, ManualScale
from controlplane.domain.target import ScaleTargetRef
from tests.adapters.kube_builders import CREATED_S, Json, deployment, managed, template

REF = ScaleTargetRef("apps/v1", "Deployment", "chat")
OURS = managed("tidegate", subresource="scale")
KUBECTL_SCALE = managed("kubectl", subresource="scale")
ARGO = {"argocd.argoproj.io/tracking-id": "chat-app:apps/Deployment:default/chat"}


def hpa(name: str = "chat", target: Json | None = None, **more: Any) -> Json:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": "default", **more},
        "spec": {
            "scaleTargetRef": target or {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"},
            "minReplicas": 2,
            "maxReplicas": 8,
        },
    }


def scaled_object(name: str = "chat", target: Json | None = None, **annotations: str) -> Json:
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations},
        "spec": {"scaleTargetRef": target or {"name": "chat"}, "minReplicaCount": 1, "maxReplicaCount": 6},
    }


def test_an_hpa_on_the_same_object_is_a_rival() -> None:
    others = [
        hpa("elsewhere", {"apiVersion": "apps/v1", "kind": "Deployment", "name": "other"}),
        hpa("kind", {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "chat"}),
        hpa("group", {"apiVersion": "argoproj.io/v1alpha1", "kind": "Deployment", "name": "chat"}),
        hpa("space", namespace="prod"),
    ]
    beta = hpa("beta", {"apiVersion": "apps/v1beta2", "kind": "Deployment", "name": "chat"})
    found = rival_autoscalers("default", "h100", REF, [hpa(), *others, beta])
    assert found == (
        Conflict(ConflictKind.HPA, "h100", "chat", "minReplicas 2, maxReplicas 8"),
        Conflict(ConflictKind.HPA, "h100", "beta", "minReplicas 2, maxReplicas 8"),
    )


def test_an_hpa_without_a_range_is_named_all_the_same() -> None:
    fixed = hpa()
    fixed["spec"] |= {"minReplicas": 4, "maxReplicas": 4}
    (found,) = rival_autoscalers("default", "h100", REF, [fixed])
    assert found.detail == "minReplicas 4, maxReplicas 4: holds it there"


def test_a_scaled_object_is_named_instead_of_its_hpa() -> None:
    owner = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "chat", "controller": True}
    made = hpa("keda-hpa-chat", ownerReferences=[owner], labels={"scaledobject.keda.sh/name": "chat"})
    words = "minReplicaCount 1, maxReplicaCount 6"
    assert rival_autoscalers("default", "h100", REF, [made], [scaled_object()]) == (
        Conflict(ConflictKind.SCALED_OBJECT, "h100", "chat", words),
    )
    assert rival_autoscalers("default", "h100", REF, [made]) == (
        Conflict(ConflictKind.SCALED_OBJECT, "h100", "chat", "through HPA keda-hpa-chat"),
    )


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ({"autoscaling.keda.sh/paused-replicas": "3"}, "; paused at 3"),
        ({"autoscaling.keda.sh/paused": "true"}, "; paused"),
        ({"autoscaling.keda.sh/paused": "false"}, ""),
    ],
)
def test_a_paused_scaled_object_is_named_all_the_same(annotations: dict[str, str], words: str) -> None:
    (found,) = rival_autoscalers("default", "v", REF, (), [scaled_object(**annotations)])
    assert found.detail == f"minReplicaCount 1, maxReplicaCount 6{words}"


MANAGERS = [
    ("tidegate", ManagerKind.OURS),
    ("kubectl", ManagerKind.PERSON),
    ("kubectl-edit", ManagerKind.PERSON),
    ("kubectl-client-side-apply", ManagerKind.PERSON),
    ("k9s", ManagerKind.PERSON),
    ("Lens", ManagerKind.PERSON),
    ("openlens", ManagerKind.PERSON),
    ("Mozilla", ManagerKind.PERSON),
    ("argocd-controller", ManagerKind.GITOPS),
    ("argocd-application-controller", ManagerKind.GITOPS),
    ("helm", ManagerKind.GITOPS),
    ("Helm", ManagerKind.GITOPS),
    ("kustomize-controller", ManagerKind.GITOPS),
    ("helm-controller", ManagerKind.GITOPS),
    ("keda-operator", ManagerKind.KEDA),
    ("octopus", ManagerKind.OTHER),
    ("manager", ManagerKind.OTHER),
]


@pytest.mark.parametrize(("manager", "kind"), MANAGERS)
def test_managers_are_known_by_their_names(manager: str, kind: ManagerKind) -> None:
    assert kind_of_manager(manager) is kind


def test_the_controller_manager_is_the_hpa_only_through_scale() -> None:
    assert Owner("kube-controller-manager", subresource="scale").kind is ManagerKind.HPA
    assert Owner("kube-controller-manager").kind is ManagerKind.OTHER


def test_owners_are_those_of_the_count_the_newest_first() -> None:
    status = {"manager": "kube-controller-manager", "subresource": "status", "fieldsV1": {"f:status": {}}}
    given = deployment(managed=[managed("helm", at_s=10), status, managed("argocd-controller", "Apply", at_s=20)])
    assert [(o.manager, o.is_applied, o.at_s) for o in owners_of(given)] == [
        ("argocd-controller", True, CREATED_S + 20),
        ("helm", False, CREATED_S + 10),
    ]
    assert owners_of({**given, "metadata": {"managedFields": [*given["metadata"]["managedFields"], KUBECTL_SCALE]}})[
        0
    ] == Owner("kubectl", "Update", "scale", None)


@pytest.mark.parametrize(
    ("manager", "metadata", "name"),
    [
        ("argocd-controller", {"annotations": ARGO}, "Argo CD application chat-app"),
        ("argocd-controller", {"labels": {"argocd.argoproj.io/instance": "chat"}}, "Argo CD application chat"),
        ("argocd-controller", {"labels": {"app.kubernetes.io/instance": "chat"}}, "Argo CD application chat"),
        ("argocd-controller", {}, "Argo CD (argocd-controller)"),
        (
            "kustomize-controller",
            {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux"}},
            "Flux Kustomization flux/apps",
        ),
        (
            "helm-controller",
            {"labels": {"helm.toolkit.fluxcd.io/name": "chat", "helm.toolkit.fluxcd.io/namespace": "ml"}},
            "Flux HelmRelease ml/chat",
        ),
        ("helm", {"annotations": {"meta.helm.sh/release-name": "chat"}}, "Helm release chat"),
    ],
)
def test_a_gitops_tool_is_named_as_it_is_found_there(manager: str, metadata: Json, name: str) -> None:
    assert gitops_name({"metadata": metadata}, manager) == name


class Watched:
    """One variant that a tracker sees every 15 s, with who wrote last."""

    def __init__(self, kind: str = "Deployment", **metadata: Any) -> None:
        self.rivals = Rivals()
        self.kind = kind
        self.now_s = CREATED_S
        self.metadata = metadata
        self.template = template()

    def see(
        self, replicas: int, ours: int | None, *owners: Json, after_s: float = 15.0
    ) -> tuple[tuple[Conflict, ...], ManualScale | None]:
        self.now_s += after_s
        given = deployment(replicas, self.template, list(owners), **self.metadata)
        return self.rivals.see(self.now_s, "default/chat", "h100", self.kind, given, replicas, ours)


QUIET: tuple[tuple[Conflict, ...], ManualScale | None] = ((), None)


def test_whatever_is_there_first_is_accepted_and_our_own_writes_are_no_news() -> None:
    watched = Watched()
    assert watched.see(3, None, managed("kubectl-client-side-apply", at_s=0)) == QUIET
    assert watched.see(3, None, managed("kubectl-client-side-apply", at_s=0)) == QUIET
    assert watched.see(5, 5, OURS) == QUIET
    assert watched.see(7, 7, OURS) == QUIET
    late = Watched()
    assert late.see(3, 5, managed("argocd-controller", "Apply", at_s=0)) == QUIET


def test_a_kubectl_scale_is_a_persons_until_it_is_written_over() -> None:
    watched = Watched()
    watched.see(5, 5, OURS)
    scaled = watched.see(9, 5, KUBECTL_SCALE)
    # `/scale` leaves no time, so it is the time at which it was seen.
    expected = ManualScale("h100", 9, "kubectl", watched.now_s)
    assert scaled == ((), expected)
    assert watched.see(9, 5, KUBECTL_SCALE) == ((), expected)
    assert watched.see(9, 5, KUBECTL_SCALE, after_s=3600) == ((), expected)
    assert watched.see(6, 6, OURS) == QUIET


def test_a_persons_wish_outlives_the_controller_that_saw_it() -> None:
    manual = ManualScale("h100", 9, "kubectl", CREATED_S - 60)
    for replicas, ours, expected in ((9, 5, manual), (8, 5, None), (9, 9, None)):
        watched = Watched()
        watched.rivals.recall("default/chat", [manual])
        assert watched.see(replicas, ours, KUBECTL_SCALE) == ((), expected)


def test_a_person_who_scales_back_to_ours_asks_for_nothing_more() -> None:
    watched = Watched()
    watched.see(5, 5, OURS)
    watched.see(9, 5, KUBECTL_SCALE)
    assert watched.see(5, 5, KUBECTL_SCALE) == QUIET


def test_the_entrys_time_is_taken_where_it_lies_between_two_sights() -> None:
    watched = Watched()
    watched.see(5, 5, OURS)
    edited = managed("kubectl-edit", at_s=20)
    assert watched.see(9, 5, edited) == ((), ManualScale("h100", 9, "kubectl-edit", CREATED_S + 20))
    old = managed("kubectl-edit", at_s=-4000)
    assert watched.see(8, 5, old) == ((), ManualScale("h100", 8, "kubectl-edit", watched.now_s))


def test_a_persons_scale_before_we_ever_wrote_is_theirs_too() -> None:
    watched = Watched()
    watched.see(2, None)
    assert watched.see(4, None, KUBECTL_SCALE)[1] == ManualScale("h100", 4, "kubectl", watched.now_s)


def test_a_tool_that_reverts_twice_in_half_an_hour_is_named_with_the_remedy() -> None:
    watched = Watched(annotations=ARGO)
    watched.see(5, 5, OURS)
    assert watched.see(2, 5, managed("argocd-controller", at_s=30)) == QUIET
    watched.see(6, 6, OURS)
    conflicts, manual = watched.see(2, 6, managed("argocd-controller", at_s=60))
    assert manual is None
    (conflict,) = conflicts
    assert (conflict.kind, conflict.name) == (ConflictKind.GITOPS, "Argo CD application chat-app")
    assert conflict.detail.startswith("set 2 over our 6, 2 times in half an hour; add /spec/replicas")
    assert "ignoreDifferences" in conflict.detail
    assert watched.see(2, 6, managed("argocd-controller", at_s=60), after_s=MEMORY_S + 1) == QUIET


def test_a_revert_within_one_tick_is_seen_by_its_time() -> None:
    watched = Watched(annotations=ARGO)
    watched.see(3, 3, managed("argocd-controller", at_s=1))
    # We wrote 5 and the tool put 3 back before the next sight; then the same again.
    assert watched.see(3, 5, managed("argocd-controller", at_s=29)) == QUIET
    (conflict,), _ = watched.see(3, 5, managed("argocd-controller", at_s=44))
    assert (conflict.kind, conflict.detail[:33]) == (ConflictKind.GITOPS, "set 3 over our 5, 2 times in half")


def test_a_watch_that_lags_behind_our_write_is_no_revert() -> None:
    watched = Watched()
    before = managed("argocd-controller", at_s=1)
    watched.see(3, None, before)
    assert watched.see(3, 5, before) == QUIET
    assert watched.see(3, 5, before) == QUIET
    assert watched.see(5, 7, OURS) == QUIET
    assert watched.see(7, 7, OURS) == QUIET


def test_one_revert_is_enough_where_the_manifest_holds_the_count() -> None:
    applied = Watched(labels={"helm.toolkit.fluxcd.io/name": "chat", "helm.toolkit.fluxcd.io/namespace": "ml"})
    applied.see(5, 5, OURS)
    flux = managed("helm-controller", "Apply", at_s=30)
    (conflict,), _ = applied.see(2, 5, flux)
    assert (conflict.kind, conflict.name) == (ConflictKind.GITOPS, "Flux HelmRelease ml/chat")
    assert conflict.detail == "set 2 over our 5; remove spec.replicas from the manifest"
    # As long as the tool applies the field, it will come back.
    assert applied.see(2, 5, flux, after_s=MEMORY_S + 1)[0] == (conflict,)

    manifest = json.dumps({"spec": {"replicas": 2}})
    client_side = Watched(annotations={"kubectl.kubernetes.io/last-applied-configuration": manifest})
    client_side.see(5, 5, OURS)
    assert [c.kind for c in client_side.see(2, 5, managed("argocd-controller", at_s=30))[0]] == [ConflictKind.GITOPS]


def test_an_unknown_manager_that_writes_over_us_twice_is_named() -> None:
    watched = Watched()
    watched.see(5, 5, OURS)
    assert watched.see(2, 5, managed("fleet-scaler", at_s=30)) == QUIET
    watched.see(5, 5, OURS)
    conflicts, manual = watched.see(3, 5, managed("fleet-scaler", at_s=60))
    assert manual is None
    assert conflicts == (
        Conflict(ConflictKind.FIELD_MANAGER, "h100", "fleet-scaler", "set 3 over our 5, 2 times in half an hour"),
    )


def test_two_overwrites_that_lie_far_apart_are_none() -> None:
    watched = Watched()
    watched.see(5, 5, OURS)
    watched.see(2, 5, managed("fleet-scaler", at_s=30))
    watched.see(5, 5, OURS, after_s=MEMORY_S)
    assert watched.see(2, 5, managed("fleet-scaler", at_s=MEMORY_S + 60)) == QUIET


def test_the_hpas_and_kedas_own_writes_are_conflicts_at_once() -> None:
    for manager, kind in (
        ("kube-controller-manager", ConflictKind.HPA),
        ("keda-operator", ConflictKind.SCALED_OBJECT),
    ):
        watched = Watched()
        watched.see(5, 5, OURS)
        (conflict,), _ = watched.see(2, 5, managed(manager, subresource="scale"))
        assert (conflict.kind, conflict.name, conflict.detail) == (kind, manager, "set 2 over our 5")


def test_a_rollout_that_carries_a_count_along_is_no_conflict() -> None:
    for owner in (managed("argocd-controller", "Apply", at_s=30), managed("kubectl-client-side-apply", at_s=30)):
        watched = Watched()
        watched.see(5, 5, OURS)
        watched.template = template(2)
        assert watched.see(2, 5, owner) == QUIET


def test_what_the_api_server_fills_in_is_nobodys() -> None:
    watched = Watched()
    watched.see(5, None, managed("argocd-controller", "Apply", at_s=0))
    assert watched.see(1, None) == QUIET


def test_a_change_that_nobody_is_named_for_is_a_persons_first_and_then_a_rivals() -> None:
    # kubernetes/kubernetes#131892: `/scale` of a custom resource leaves managedFields as they were.
    made = managed("kubectl-client-side-apply", at_s=0)
    watched = Watched("LeaderWorkerSet")
    watched.see(2, 2, made)
    assert watched.see(4, 4, made) == QUIET
    conflicts, manual = watched.see(1, 4, made)
    assert (conflicts, manual) == ((), ManualScale("h100", 1, UNKNOWN, watched.now_s))
    assert watched.see(4, 4, made, after_s=700) == QUIET
    (conflict,), manual = watched.see(1, 4, made)
    assert (conflict.kind, conflict.name, manual) == (ConflictKind.FIELD_MANAGER, UNKNOWN, None)


def test_our_own_count_that_arrives_late_is_not_taken_for_anothers() -> None:
    watched = Watched("LeaderWorkerSet")
    watched.see(3, 3)
    watched.see(3, 5)
    assert watched.see(5, 7) == QUIET
    assert watched.see(7, 7) == QUIET


def test_an_object_whose_managed_fields_were_left_out_still_shows_a_change() -> None:
    rivals = Rivals()
    bare: Json = {"kind": "Deployment", "metadata": {"name": "chat"}, "spec": {}}
    rivals.see(0.0, "k", "v", "Deployment", bare, 3, 3)
    assert rivals.see(15.0, "k", "v", "Deployment", bare, 8, 3) == ((), ManualScale("v", 8, UNKNOWN, 15.0))


def test_variants_are_kept_apart_and_forgotten() -> None:
    watched = Watched()
    watched.see(5, 5, OURS)
    other = deployment(2, managed=[OURS])
    assert watched.rivals.see(watched.now_s, "default/chat", "l4", "Deployment", other, 2, 2) == QUIET
    watched.rivals.keep({("default/chat", "l4")})
    assert watched.see(9, 5, KUBECTL_SCALE) == QUIET


def test_a_tool_that_touches_other_fields_while_a_persons_count_stands_undoes_nothing() -> None:
    watched = Watched()
    watched.see(5, 5, OURS)
    watched.see(9, 5, KUBECTL_SCALE)
    for i in range(3):
        conflicts, manual = watched.see(9, 5, managed("fleet-scaler", at_s=60.0 + i))
        assert (conflicts, manual is not None) == ((), True)
