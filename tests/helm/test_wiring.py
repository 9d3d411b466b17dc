"""That the objects find one another: selectors, ports, names, and Kubernetes' own schemas."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helm.rendered import CHART, EVERYTHING, NAMESPACE, TRIAL, Rendered, render

METRICS_PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
METRICS = {
    "tidegate_target_last_tick_timestamp_seconds",
    "tidegate_conflicted",
    "tidegate_stocked_out",
    "tidegate_attainment_ratio",
    "tidegate_slo_burn_rate",
    "tidegate_is_leader",
    "tidegate_ledger_away",
    "tidegate_scrape_faults_total",
    "tidegate_ticks_failed_total",
    "tidegate_desired_replicas",
    "tidegate_ready_replicas",
    "tidegate_current_replicas",
    "tidegate_actuations_total",
}
"""What the controller serves."""
OLDEST, NEWEST = "1.28", "1.37"


@pytest.fixture(params=["external", "trial", "everything"])
def rendered(request: pytest.FixtureRequest) -> Rendered:
    base: dict[str, dict[str, Any] | None] = {"external": None, "trial": TRIAL, "everything": EVERYTHING}
    return render(base=base[request.param])


def _templates(rendered: Rendered) -> list[tuple[dict[str, str], dict[str, Any]]]:
    """Labels and spec of every pod that is made."""
    made = rendered.of_kind("Deployment", "StatefulSet", "Job")
    templates = [(found["spec"]["template"]["metadata"]["labels"], found["spec"]["template"]["spec"]) for found in made]
    return templates + [(found["metadata"]["labels"], found["spec"]) for found in rendered.of_kind("Pod")]


def _selected(rendered: Rendered, selector: dict[str, str]) -> list[dict[str, Any]]:
    return [spec for labels, spec in _templates(rendered) if selector.items() <= labels.items()]


def test_workloads_select_their_own_pods_and_no_others(rendered: Rendered) -> None:
    for found in rendered.of_kind("Deployment", "StatefulSet"):
        selector = found["spec"]["selector"]["matchLabels"]
        assert _selected(rendered, selector) == [found["spec"]["template"]["spec"]], found["metadata"]["name"]


def test_services_lead_to_a_port_of_a_pod(rendered: Rendered) -> None:
    for service in rendered.of_kind("Service"):
        (spec,) = _selected(rendered, service["spec"]["selector"])
        names = {port["name"] for container in spec["containers"] for port in container["ports"]}
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in names, service["metadata"]["name"]


def test_probes_ask_ports_that_there_are(rendered: Rendered) -> None:
    for name, spec in rendered.pod_specs():
        for container in spec["containers"]:
            names = {port["name"] for port in container.get("ports", [])}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                asked = container.get(probe, {})
                for kind in ("httpGet", "tcpSocket"):
                    assert kind not in asked or asked[kind]["port"] in names, (name, probe)


def test_every_process_has_a_liveness_probe(rendered: Rendered) -> None:
    made = rendered.of_kind("Deployment", "StatefulSet")
    containers = [container for found in made for container in found["spec"]["template"]["spec"]["containers"]]
    assert [c["name"] for c in containers if "livenessProbe" not in c] == []


def test_secrets_that_pods_name_are_made_or_are_the_users(rendered: Rendered) -> None:
    made = {(s["metadata"]["name"], key) for s in rendered.of_kind("Secret") for key in s.get("stringData", {})}
    users = {("pg", "url"), ("mq", "url")}
    for _, spec in rendered.pod_specs():
        for variable in [
            v for c in spec["containers"] for v in c.get("env", []) if "secretKeyRef" in v.get("valueFrom", {})
        ]:
            reference = variable["valueFrom"]["secretKeyRef"]
            assert (reference["name"], reference["key"]) in made | users


def test_volumes_that_are_mounted_are_there(rendered: Rendered) -> None:
    claims = {
        found["metadata"]["name"]: {
            claim["metadata"]["name"] for claim in found["spec"].get("volumeClaimTemplates", [])
        }
        for found in rendered.of_kind("StatefulSet")
    }
    for name, spec in rendered.pod_specs():
        volumes = {volume["name"] for volume in spec.get("volumes", [])} | claims.get(name, set())
        mounted = {mount["name"] for container in spec["containers"] for mount in container.get("volumeMounts", [])}
        assert mounted == volumes, name


def test_budgets_and_policies_and_monitors_select_something(rendered: Rendered) -> None:
    for found in rendered.of_kind("PodDisruptionBudget"):
        assert len(_selected(rendered, found["spec"]["selector"]["matchLabels"])) == 1
    for found in rendered.of_kind("NetworkPolicy"):
        assert _selected(rendered, found["spec"]["podSelector"]["matchLabels"])
    for found in rendered.of_kind("ServiceMonitor"):
        wanted = found["spec"]["selector"]["matchLabels"].items()
        services = [s for s in rendered.of_kind("Service") if wanted <= s["metadata"]["labels"].items()]
        assert any(port["name"] == "http" for service in services for port in service["spec"]["ports"])


def test_one_pods_components_have_no_budget() -> None:
    """It would keep a node from being drained for ever."""
    names = [found["metadata"]["name"] for found in render({"api": {"replicas": 1}}).of_kind("PodDisruptionBudget")]
    assert names == ["tidegate-controller"]


def test_names_are_unique_and_short(rendered: Rendered) -> None:
    keys = [(f["kind"], f["metadata"].get("namespace"), f["metadata"]["name"]) for f in rendered.objects]
    assert len(set(keys)) == len(keys)
    assert max(len(name) for _, _, name in keys) <= 63


def test_everything_is_in_the_releases_namespace_or_says_where(rendered: Rendered) -> None:
    cluster = {"ClusterRole", "ClusterRoleBinding", "APIService"}
    for found in rendered.objects:
        namespace = found["metadata"].get("namespace")
        expected = {None} if found["kind"] in cluster else {NAMESPACE, "kube-system"}
        assert namespace in expected, found["metadata"]["name"]
    in_system = [f["metadata"]["name"] for f in rendered.objects if f["metadata"].get("namespace") == "kube-system"]
    assert in_system in ([], [f"tidegate-external-metrics-auth-reader-{NAMESPACE}"])


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_objects_are_valid_to_kubernetes(rendered: Rendered, version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="its schemas are a package of extra dev")
    checked = 0
    for found in rendered.objects:
        try:
            kubernetes_validate.validate(found, version, strict=True)
            checked += 1
        except kubernetes_validate.SchemaNotFoundError:
            assert "coreos.com" in found["apiVersion"] or "gateway" in found["apiVersion"], found["kind"]
    assert checked > 20


def test_the_oldest_kubernetes_is_the_one_that_is_checked() -> None:
    about = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert about["kubeVersion"] == f">={OLDEST}.0-0"


def _rules() -> list[dict[str, Any]]:
    (found,) = render({"monitoring": {"prometheusRule": {"enabled": True}}}).of_kind("PrometheusRule")
    rules: list[dict[str, Any]] = found["spec"]["groups"][0]["rules"]
    return rules


def _names(expressions: str) -> set[str]:
    return set(re.findall(r"tidegate_[a-z_]+", expressions))


def test_alerts_and_panels_are_of_metrics_that_there_are() -> None:
    known = METRICS
    if METRICS_PAGE.exists():
        known = _names(METRICS_PAGE.read_text(encoding="utf-8"))
    dashboard = json.loads((CHART / "files" / "dashboard.json").read_text(encoding="utf-8"))
    panels = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert _names(" ".join(panels)) | _names(" ".join(rule["expr"] for rule in _rules())) <= known


def test_alerts_are_those_that_page_somebody_needs() -> None:
    rules = {rule["alert"]: rule for rule in _rules()}
    assert set(rules) == {
        "TidegateControllerDown",
        "TidegateNoLeader",
        "TidegateTargetStale",
        "TidegateTicksFailing",
        "TidegateConflicted",
        "TidegateStockedOut",
        "TidegateSloBurnFast",
        "TidegateSloBurnSlow",
        "TidegateLedgerAway",
        "TidegateMetricsFaults",
    }
    page = (Path(__file__).resolve().parents[2] / "docs" / "install.md").read_text(encoding="utf-8")
    for name, rule in rules.items():
        assert {"summary", "description"} <= set(rule["annotations"]), name
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert 'job="tidegate-controller"' in rule["expr"], name
        assert f"`{name}`" in page, f"docs/install.md says nothing of {name}"


def test_prometheus_takes_the_alerts(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on the PATH")
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "tidegate", "rules": _rules()}]}), encoding="utf-8")
    done = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


ALERT_CASES = """
rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
- interval: 1m
  input_series:
  - {series: 'up{job="tidegate-controller",pod="a"}', values: '1x60'}
  - {series: 'tidegate_is_leader{job="tidegate-controller",pod="a"}', values: '1x20 0x40'}
  - {series: 'tidegate_is_leader{job="tidegate-controller",pod="b"}', values: '0x60'}
  - {series: 'tidegate_conflicted{job="tidegate-controller",pod="a",namespace="n",name="llm"}', values: '0x20 1x40'}
  - {series: 'tidegate_conflicted{job="tidegate-controller",pod="b",namespace="n",name="llm"}', values: '0x60'}
  - {series: 'tidegate_target_last_tick_timestamp_seconds{job="tidegate-controller",pod="a",namespace="n",name="llm"}', values: '0+60x10 600x50'}
  - {series: 'tidegate_target_last_tick_timestamp_seconds{job="tidegate-controller",pod="a",namespace="n",name="ok"}', values: '0+60x60'}
  - {series: 'tidegate_slo_burn_rate{job="tidegate-controller",pod="a",namespace="n",name="llm"}', values: '20x60'}
  alert_rule_test:
  - {eval_time: 15m, alertname: TidegateConflicted}
  - {eval_time: 15m, alertname: TidegateNoLeader}
  - {eval_time: 50m, alertname: TidegateControllerDown}
  - {eval_time: 50m, alertname: TidegateTargetStale, exp_alerts: [{exp_labels: {severity: critical, namespace: n, name: llm}}]}
  - {eval_time: 50m, alertname: TidegateConflicted, exp_alerts: [{exp_labels: {severity: warning, namespace: n, name: llm}}]}
  - {eval_time: 50m, alertname: TidegateNoLeader, exp_alerts: [{exp_labels: {severity: critical}}]}
  - {eval_time: 50m, alertname: TidegateSloBurnFast, exp_alerts: [{exp_labels: {severity: critical, namespace: n, name: llm}}]}
  - {eval_time: 50m, alertname: TidegateLedgerAway}
- interval: 1m
  input_series:
  - {series: 'up{job="tidegate-controller",pod="a"}', values: '0x10'}
  alert_rule_test:
  - {eval_time: 5m, alertname: TidegateControllerDown, exp_alerts: [{exp_labels: {severity: critical}}]}
"""
"""promtool's unit tests: who is told of what, and who is not."""


def test_alerts_fire_when_they_should(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on the PATH")
    rules = [{name: value for name, value in rule.items() if name != "annotations"} for rule in _rules()]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "t", "rules": rules}]}), encoding="utf-8")
    (tmp_path / "cases.yaml").write_text(ALERT_CASES, encoding="utf-8")
    done = subprocess.run(
        [promtool, "test", "rules", "cases.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
