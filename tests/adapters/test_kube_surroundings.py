"""What surrounds a target, from its objects and the cluster's."""

from __future__ import annotations

from dataclasses import replace

from controlplane.adapters.kube_nodes import Holding
from controlplane.adapters.kube_rivals import Rivals
from controlplane.adapters.kube_surroundings import Places, VariantObjects, surroundings_of
from controlplane.adapters.kube_workloads import template_of
from controlplane.domain.observation import ConflictKind, Surroundings
from controlplane.domain.target import ScaleTargetRef
from tests.adapters.kube_builders import Json, deployment, managed, node, pod, template
from tests.adapters.test_kube_nodes import quota
from tests.adapters.test_kube_rivals import hpa
from tests.builders import make_target

TARGET = make_target()
VARIANT = replace(TARGET.variants[0], ref=ScaleTargetRef("apps/v1", "Deployment", "chat"))
WORKLOAD = deployment(2, template(4), [managed("tidegate", subresource="scale")])
PODS = [pod(f"chat-{i}", {"phase": "Running"}, node="a", gpus=4) for i in range(2)]


def around(rivals: Rivals, workload: Json, replicas: int, now_s: float = 0.0, **more: object) -> Surroundings:
    objects = VariantObjects(VARIANT, workload, replicas, 2, PODS)
    return surroundings_of(now_s, TARGET, [objects], rivals, **more)  # type: ignore[arg-type]


def test_nothing_but_its_template_surrounds_a_quiet_target() -> None:
    expected = Surroundings(templates={VARIANT.name: template_of(WORKLOAD)})
    assert around(Rivals(), WORKLOAD, 2) == expected


def test_the_tighter_of_room_and_quota_bounds_a_variant() -> None:
    ours = {"default/chat-0", "default/chat-1"}
    places = Places([node("a"), node("b", gpus=6)], Holding.of(PODS), ours)
    roomy = around(Rivals(), WORKLOAD, 2, places=places)
    assert roomy.most_replicas == {VARIANT.name: 3}
    assert roomy.limits == {VARIANT.name: "nodes have room for 3 replicas of 4 GPUs"}
    full = quota({"requests.nvidia.com/gpu": "8"}, {"requests.nvidia.com/gpu": "8"})
    tight = around(Rivals(), WORKLOAD, 2, places=places, quotas=[full])
    assert tight.most_replicas == {VARIANT.name: 2}
    assert tight.limits == {VARIANT.name: "ResourceQuota team: requests.nvidia.com/gpu 8 of 8 used"}


def test_an_hpa_is_told_once_though_it_points_here_and_writes() -> None:
    rivals = Rivals()
    around(rivals, WORKLOAD, 2)
    written = deployment(5, template(4), [managed("kube-controller-manager", subresource="scale")])
    scaler = hpa(namespace=TARGET.namespace)
    both = around(rivals, written, 5, 15.0, hpas=[scaler])
    assert [(c.kind, c.name) for c in both.conflicts] == [(ConflictKind.HPA, "chat")]
    alone = around(rivals, written, 5, 30.0)
    assert [(c.kind, c.name) for c in alone.conflicts] == [(ConflictKind.HPA, "kube-controller-manager")]


def test_a_persons_scale_is_told() -> None:
    rivals = Rivals()
    around(rivals, WORKLOAD, 2)
    (manual,) = around(rivals, deployment(4, template(4), [managed("kubectl", subresource="scale")]), 4, 15.0).manual
    assert (manual.variant, manual.replicas, manual.manager, manual.at_s) == (VARIANT.name, 4, "kubectl", 15.0)
