"""What pods may do to their node, and what the ServiceAccounts may do to the cluster."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.helm.rendered import EVERYTHING, NAMESPACE, TRIAL, Rendered, render

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
"""Of the restricted Pod Security Standard."""
WRITES = {"create", "update", "patch", "delete", "deletecollection", "*"}
Rule = dict[str, Any]


@pytest.fixture(params=["external", "trial", "everything"])
def rendered(request: pytest.FixtureRequest) -> Rendered:
    base: dict[str, dict[str, Any] | None] = {"external": None, "trial": TRIAL, "everything": EVERYTHING}
    return render(base=base[request.param])


def _restricted(spec: dict[str, Any]) -> list[str]:
    """How a pod breaks the restricted Pod Security Standard, v1.36."""
    pod = spec.get("securityContext", {})
    broken = [name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    broken += [f"volume {volume['name']}" for volume in spec.get("volumes", []) if not VOLUMES & set(volume)]
    if pod.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        broken.append("seccompProfile")
    if pod.get("runAsNonRoot") is not True or pod.get("runAsUser") == 0:
        broken.append("runAsNonRoot")
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        context, name = container.get("securityContext", {}), container["name"]
        if context.get("allowPrivilegeEscalation") is not False:
            broken.append(f"{name}: allowPrivilegeEscalation")
        if context.get("capabilities") != {"drop": ["ALL"]}:
            broken.append(f"{name}: capabilities")
        if context.get("privileged") or context.get("runAsUser") == 0 or context.get("runAsNonRoot") is False:
            broken.append(f"{name}: privileged, or root")
        if any("hostPort" in port for port in container.get("ports", [])):
            broken.append(f"{name}: hostPort")
    return broken


def test_every_pod_is_of_the_restricted_standard(rendered: Rendered) -> None:
    assert {name: _restricted(spec) for name, spec in rendered.pod_specs() if _restricted(spec)} == {}


def test_the_check_of_the_standard_sees_what_is_wrong() -> None:
    bad = {"hostNetwork": True, "containers": [{"name": "a"}], "volumes": [{"name": "v", "hostPath": {}}]}
    assert _restricted(bad) == [
        "hostNetwork",
        "volume v",
        "seccompProfile",
        "runAsNonRoot",
        "a: allowPrivilegeEscalation",
        "a: capabilities",
    ]


def test_root_file_systems_are_read_only_and_memory_is_limited(rendered: Rendered) -> None:
    for name, spec in rendered.pod_specs():
        for container in spec["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name


def test_each_has_its_own_account_and_only_the_controller_a_token(rendered: Rendered) -> None:
    specs = dict(rendered.pod_specs())
    specs.pop("tidegate-test")
    accounts = [spec["serviceAccountName"] for spec in specs.values()]
    assert len(set(accounts)) == len(accounts)
    assert {found["metadata"]["name"] for found in rendered.of_kind("ServiceAccount")} == set(accounts)
    assert [name for name, spec in specs.items() if spec["automountServiceAccountToken"]] == ["tidegate-controller"]


def _rules(rendered: Rendered) -> list[Rule]:
    """What the controller's account may, wherever."""
    ours = {"kind": "ServiceAccount", "name": "tidegate-controller", "namespace": NAMESPACE}
    bindings = [b for b in rendered.of_kind("ClusterRoleBinding", "RoleBinding") if ours in b["subjects"]]
    roles = {
        (found["kind"], found["metadata"]["name"], found["metadata"].get("namespace")): found["rules"]
        for found in rendered.of_kind("ClusterRole", "Role")
    }
    rules: list[Rule] = []
    for binding in bindings:
        kind, name = binding["roleRef"]["kind"], binding["roleRef"]["name"]
        namespace = binding["metadata"].get("namespace") if kind == "Role" else None
        # Kubernetes' own, such as system:auth-delegator, are not in the chart.
        rules += roles.get((kind, name, namespace), [])
    return rules


def _verbs(rules: list[Rule], group: str, resource: str) -> set[str]:
    return {
        verb for rule in rules if group in rule["apiGroups"] and resource in rule["resources"] for verb in rule["verbs"]
    }


SCALES = [
    ("apps", "deployments"),
    ("apps", "statefulsets"),
    ("leaderworkerset.x-k8s.io", "leaderworkersets"),
    ("x.io", "fleets"),
]
EXTRA = {"rbac": {"extraScaleTargets": [{"apiGroup": "x.io", "resource": "fleets"}]}}
READ = {"get", "list", "watch"}


@pytest.mark.parametrize(("group", "resource"), SCALES)
def test_live_writes_scales_and_nothing_else_of_a_workload(group: str, resource: str) -> None:
    rules = _rules(render(EXTRA))
    assert _verbs(rules, group, f"{resource}/scale") == {"get", "patch", "update"}
    assert _verbs(rules, group, resource) == READ


def test_shadow_changes_nothing_but_its_own() -> None:
    rules = _rules(render({"rbac": {**EXTRA["rbac"], "mode": "shadow"}}))
    for group, resource in SCALES:
        assert _verbs(rules, group, f"{resource}/scale") == {"get"}
        assert _verbs(rules, group, resource) == READ
    written = {
        (group, resource)
        for rule in rules
        for group, resource in itertools.product(rule["apiGroups"], rule["resources"])
        if WRITES & set(rule["verbs"])
    }
    assert written == {
        ("tidegate.io", "inferenceautoscalers/status"),
        ("", "events"),
        ("events.k8s.io", "events"),
        ("coordination.k8s.io", "leases"),
    }


def test_what_a_live_controller_may_write() -> None:
    rules = _rules(render())
    assert _verbs(rules, "", "pods") == READ | {"patch"}
    assert _verbs(rules, "ray.io", "rayclusters") == READ | {"patch"}
    assert _verbs(rules, "tidegate.io", "inferenceautoscalers") == READ
    assert _verbs(rules, "tidegate.io", "inferenceautoscalers/status") == {"get", "patch", "update"}
    assert _verbs(rules, "", "events") == {"list", "watch", "create", "patch"}
    leases = _verbs(rules, "coordination.k8s.io", "leases")
    assert leases == {"get", "create", "update", "patch"}


@pytest.mark.parametrize(
    ("group", "resource"),
    [
        ("", "nodes"),
        ("", "resourcequotas"),
        ("autoscaling", "horizontalpodautoscalers"),
        ("keda.sh", "scaledobjects"),
        ("apps", "replicasets"),
        ("resource.k8s.io", "resourceslices"),
        ("resource.k8s.io", "resourceclaims"),
        ("karpenter.sh", "nodepools"),
    ],
)
def test_what_it_only_reads(group: str, resource: str) -> None:
    assert _verbs(_rules(render()), group, resource) == READ


def test_no_rule_is_for_everything_or_for_secrets() -> None:
    for rule in _rules(render()):
        assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]
        assert "secrets" not in rule["resources"]


def test_secrets_are_read_by_name() -> None:
    (rule,) = [rule for rule in _rules(render({"rbac": {"secretNames": ["a", "b"]}})) if "secrets" in rule["resources"]]
    assert rule == {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a", "b"], "verbs": ["get"]}


def test_every_rule_has_a_reason(rendered: Rendered) -> None:
    checked = 0
    for text in rendered.texts.values():
        lines = text.splitlines()
        for before, line in itertools.pairwise(lines):
            if line.strip().startswith("- apiGroups:"):
                assert before.strip().startswith("# "), f"{line} has no reason above it"
                checked += 1
    assert checked > 15


def test_namespaced_has_roles_where_the_models_are_and_reads_nodes() -> None:
    found = render({"rbac": {"scope": "namespaced", "namespaces": ["chat", "rag"]}})
    roles = {role["metadata"]["namespace"]: role["rules"] for role in found.of_kind("Role")}
    assert set(roles) == {"chat", "rag", NAMESPACE}
    assert _verbs(roles["chat"], "apps", "deployments/scale") == {"get", "patch", "update"}
    (cluster,) = [r for r in found.of_kind("ClusterRole") if "controller" in r["metadata"]["name"]]
    assert {resource for rule in cluster["rules"] for resource in rule["resources"]} == {
        "nodes",
        "resourceslices",
        "nodepools",
        "configmaps",
    }
    (container,) = found.one("Deployment", "tidegate-controller")["spec"]["template"]["spec"]["containers"]
    assert {"name": "TIDEGATE_NAMESPACES", "value": "chat,rag"} in container["env"]


def test_namespaced_without_cluster_reads_has_no_cluster_role() -> None:
    rbac = {"scope": "namespaced", "namespaces": ["chat"], "clusterReads": False, "aggregateToUserRoles": False}
    assert render({"rbac": rbac}).of_kind("ClusterRole", "ClusterRoleBinding") == []


def test_without_rbac_there_is_none() -> None:
    kinds = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
    everything = render({"rbac": {"create": False}}, base=EVERYTHING)
    assert everything.of_kind(*kinds) == []


def test_people_get_rights_through_the_clusters_own_roles() -> None:
    roles = {
        role["metadata"]["name"]: role
        for role in render().of_kind("ClusterRole")
        if "infas" in role["metadata"]["name"]
    }
    view, edit = roles[f"tidegate-infas-view-{NAMESPACE}"], roles[f"tidegate-infas-edit-{NAMESPACE}"]
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    assert {label for label in view["metadata"]["labels"] if label.startswith(prefix)} == {
        f"{prefix}view",
        f"{prefix}edit",
        f"{prefix}admin",
    }
    assert f"{prefix}view" not in edit["metadata"]["labels"]
    assert not WRITES & set(view["rules"][0]["verbs"])
