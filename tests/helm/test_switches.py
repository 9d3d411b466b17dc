"""One case for each switch: what it adds, takes away or changes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.helm.rendered import NAMESPACE, TRIAL, Rendered, render

HOOK = "helm.sh/hook"


def _container(found: Rendered, kind: str, name: str) -> dict[str, Any]:
    container: dict[str, Any] = found.one(kind, name)["spec"]["template"]["spec"]["containers"][0]
    return container


def _pod(found: Rendered, kind: str, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = found.one(kind, name)["spec"]["template"]["spec"]
    return spec


def _env(container: dict[str, Any]) -> dict[str, Any]:
    return {variable["name"]: variable.get("value", variable.get("valueFrom")) for variable in container["env"]}


def test_an_image_by_tag_and_by_digest() -> None:
    assert _container(render(), "Deployment", "tidegate-api")["image"] == "tidegate:0.1.0"
    tagged = render({"image": {"repository": "example.org/tidegate", "tag": "main", "pullSecrets": ["reg"]}})
    assert _container(tagged, "Deployment", "tidegate-beat")["image"] == "example.org/tidegate:main"
    assert _pod(tagged, "Deployment", "tidegate-beat")["imagePullSecrets"] == [{"name": "reg"}]
    digest = "sha256:" + "ab" * 32
    assert (
        _container(render({"image": {"digest": digest}}), "Deployment", "tidegate-api")["image"] == f"tidegate@{digest}"
    )


def test_a_secret_of_yours_and_its_key() -> None:
    found = render({"postgres": {"existingSecretKey": "uri"}})
    reference = {"secretKeyRef": {"name": "pg", "key": "uri"}}
    for name in ("tidegate-api", "tidegate-controller", "tidegate-worker"):
        assert _env(_container(found, "Deployment", name))["TIDEGATE_DATABASE_URL"] == reference
    assert "TIDEGATE_DATABASE_URL" not in _env(_container(found, "Deployment", "tidegate-beat"))
    assert found.of_kind("Secret") == []


def test_urls_in_the_values_become_secrets_one_of_them_for_the_hook() -> None:
    url = "postgresql://me:word@db/tidegate"
    values = {"postgres": {"url": url}, "broker": {"url": "redis://mq/0"}}
    found = render(values, base={})
    secrets = {secret["metadata"]["name"]: secret for secret in found.of_kind("Secret")}
    assert set(secrets) == {"tidegate-database", "tidegate-broker", "tidegate-migrate"}
    assert secrets["tidegate-database"]["stringData"] == secrets["tidegate-migrate"]["stringData"] == {"url": url}
    # The release's Secret is not there yet when the hook runs.
    assert HOOK in secrets["tidegate-migrate"]["metadata"]["annotations"]
    reference = {"secretKeyRef": {"name": "tidegate-migrate", "key": "url"}}
    assert _env(_container(found, "Job", "tidegate-migrate"))["TIDEGATE_DATABASE_URL"] == reference


def test_a_changed_url_restarts_pods() -> None:
    def checksum(url: str) -> str:
        found = render({"postgres": {"existingSecret": "", "url": url}})
        annotations = found.one("Deployment", "tidegate-api")["spec"]["template"]["metadata"]["annotations"]
        return str(annotations["checksum/urls"])

    assert checksum("postgresql://a/b") != checksum("postgresql://a/c")


def test_with_an_external_database_the_migration_is_a_hook_with_all_that_it_needs() -> None:
    found = render({"postgres": {"existingSecret": "", "url": "postgresql://a/b"}})
    hooks = [f for f in found.objects if "pre-install" in f["metadata"].get("annotations", {}).get(HOOK, "")]
    weights = {f["kind"]: int(f["metadata"]["annotations"]["helm.sh/hook-weight"]) for f in hooks}
    assert set(weights) == {"ServiceAccount", "Secret", "Job"}
    assert weights["Job"] > max(weights["ServiceAccount"], weights["Secret"])
    assert {f["metadata"]["annotations"][HOOK] for f in hooks} == {"pre-install,pre-upgrade"}


def test_with_the_bundled_database_nothing_waits_for_a_hook() -> None:
    """`helm install --wait` would never end: the API is not ready before the hook that runs after it is."""
    found = render(base=TRIAL)
    assert [f["metadata"]["name"] for f in found.objects if HOOK in f["metadata"].get("annotations", {})] == [
        "tidegate-test"
    ]
    (job,) = found.of_kind("Job")
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["migrate", "--wait", "120"]
    assert all("initContainers" not in spec for _, spec in found.pod_specs())


def test_a_job_with_another_content_has_another_name() -> None:
    """The content of a Job cannot be changed."""

    def name(values: dict[str, Any]) -> str:
        (job,) = render(values, base=TRIAL).of_kind("Job")
        return str(job["metadata"]["name"])

    assert name({}) == name({"api": {"replicas": 3}})
    assert len({name({}), name({"image": {"tag": "2"}}), name({"migrations": {"waitSeconds": 5}})}) == 3


def test_without_migrations_there_is_no_job_and_no_account_of_it() -> None:
    found = render({"migrations": {"enabled": False}})
    assert found.of_kind("Job") == []
    assert "tidegate-migrate" not in [account["metadata"]["name"] for account in found.of_kind("ServiceAccount")]


def test_the_bundled_servers_have_generated_passwords_that_outlive_the_release() -> None:
    base = {"postgres": {"bundled": {"enabled": True}}, "broker": {"bundled": {"enabled": True}}}
    secrets = {s["metadata"]["name"]: s for s in render(base=base).of_kind("Secret")}
    postgres = secrets["tidegate-postgres"]
    password = postgres["stringData"]["password"]
    assert len(password) == 32
    host = f"tidegate-postgres.{NAMESPACE}.svc:5432"
    assert postgres["stringData"]["url"] == f"postgresql://tidegate:{password}@{host}/tidegate"
    # The volume, which outlives the release too, knows no other.
    assert postgres["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert password != secrets["tidegate-valkey"]["stringData"]["password"]


def test_the_bundled_servers_run_as_their_images_user_unless_the_platform_chooses() -> None:
    assert _pod(render(base=TRIAL), "StatefulSet", "tidegate-postgres")["securityContext"]["runAsUser"] == 999
    chosen = render({"pod": {"runAsUser": None}}, base=TRIAL)
    for _, spec in chosen.pod_specs():
        assert "runAsUser" not in spec["securityContext"]
        assert spec["securityContext"]["runAsNonRoot"] is True


def test_the_spool_may_be_on_a_volume_of_each_replica() -> None:
    found = render({"controller": {"spool": {"persistent": True, "size": "3Gi", "storageClass": "fast"}}})
    assert "tidegate-controller" not in [f["metadata"]["name"] for f in found.of_kind("Deployment")]
    spec = found.one("StatefulSet", "tidegate-controller")["spec"]
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"]["resources"] == {"requests": {"storage": "3Gi"}}
    assert claim["spec"]["storageClassName"] == "fast"
    assert spec["serviceName"] in [service["metadata"]["name"] for service in found.of_kind("Service")]
    mounts = spec["template"]["spec"]["containers"][0]["volumeMounts"]
    assert {"name": "spool", "mountPath": "/var/lib/tidegate/spool"} in mounts


def test_beat_is_one_and_never_two() -> None:
    spec = render().one("Deployment", "tidegate-beat")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_whatever_writes_is_sent_to_an_empty_dir() -> None:
    environment = _env(_container(render(), "Deployment", "tidegate-worker"))
    mounts = ("/tmp", "/var/cache/tidegate")
    for name in ("HOME", "TMPDIR", "XDG_STATE_HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "TIDEGATE_HEARTBEAT_FILE"):
        assert environment[name].startswith(mounts), name


def test_pod_values_are_for_all_and_a_components_own_go_first() -> None:
    toleration = {"key": "gpu", "operator": "Exists"}
    found = render(
        {
            "pod": {
                "nodeSelector": {"pool": "system"},
                "priorityClassName": "high",
                "annotations": {"a": "1"},
                "labels": {"team": "x"},
                "serviceAccountAnnotations": {"role": "r"},
                "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy"}],
                "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
                "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}],
            },
            "controller": {"pod": {"nodeSelector": {"pool": "critical"}, "tolerations": [toleration]}},
        }
    )
    api, controller = (_pod(found, "Deployment", f"tidegate-{part}") for part in ("api", "controller"))
    assert (api["priorityClassName"], controller["priorityClassName"]) == ("high", "high")
    assert api["nodeSelector"] == {"pool": "system"}
    assert controller["nodeSelector"] == {"pool": "critical"}
    assert "tolerations" not in api
    assert controller["tolerations"] == [toleration]
    assert _env(api["containers"][0])["HTTPS_PROXY"] == "http://proxy"
    assert {"name": "ca", "mountPath": "/ca"} in api["containers"][0]["volumeMounts"]
    meta = found.one("Deployment", "tidegate-worker")["spec"]["template"]["metadata"]
    assert meta["annotations"]["a"] == "1"
    assert meta["labels"]["team"] == "x"
    assert found.one("ServiceAccount", "tidegate-migrate")["metadata"]["annotations"]["role"] == "r"


def test_pods_are_spread_by_their_own_labels() -> None:
    constraints = _pod(render(), "Deployment", "tidegate-api")["topologySpreadConstraints"]
    assert [c["topologyKey"] for c in constraints] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    for constraint in constraints:
        assert constraint["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == "api"


def test_common_labels_and_names() -> None:
    found = render({"commonLabels": {"cost": "ml"}, "fullnameOverride": "tg"})
    assert all(f["metadata"]["labels"]["cost"] == "ml" for f in found.objects)
    assert all(f["metadata"]["name"].startswith("tg-") for f in found.objects)


def test_an_ingress_and_a_route_lead_to_the_api() -> None:
    parents = [{"name": "gateway", "namespace": "infra"}]
    found = render(
        {
            "api": {
                "ingress": {
                    "enabled": True,
                    "host": "a.b",
                    "tlsSecret": "t",
                    "className": "nginx",
                    "annotations": {"x": "y"},
                },
                "httpRoute": {"enabled": True, "parentRefs": parents, "hostnames": ["a.b"]},
                "service": {"type": "LoadBalancer", "port": 8443, "annotations": {"lb": "internal"}},
            }
        }
    )
    ingress, route = found.one("Ingress", "tidegate-api"), found.one("HTTPRoute", "tidegate-api")
    assert ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] == "tidegate-api"
    assert ingress["spec"]["tls"] == [{"hosts": ["a.b"], "secretName": "t"}]
    assert (route["spec"]["parentRefs"], route["spec"]["hostnames"]) == (parents, ["a.b"])
    assert route["spec"]["rules"][0]["backendRefs"] == [{"name": "tidegate-api", "port": 8443}]
    assert found.one("Service", "tidegate-api")["spec"]["type"] == "LoadBalancer"
    assert render().of_kind("Ingress", "HTTPRoute") == []


@pytest.mark.parametrize("tls", ["selfSigned", "certManager", "existingSecret"])
def test_external_metrics_by_each_kind_of_certificate(tls: str) -> None:
    more = {"existingSecret": "mine", "caBundle": "Q0E="} if tls == "existingSecret" else {}
    found = render({"interop": {"externalMetrics": {"enabled": True, "tls": tls, **more}}})
    service = found.one("APIService", "v1beta1.external.metrics.k8s.io")
    assert service["spec"]["service"]["name"] == "tidegate-external-metrics"
    assert ("caBundle" in service["spec"]) == (tls != "certManager")
    pod = _pod(found, "Deployment", "tidegate-controller")
    secret = "mine" if tls == "existingSecret" else "tidegate-external-metrics"
    assert {"name": "external-metrics-tls", "secret": {"secretName": secret}} in pod["volumes"]
    environment = _env(pod["containers"][0])
    assert environment["TIDEGATE_EXTERNAL_METRICS_LISTEN"] == "0.0.0.0:6443"
    assert environment["TIDEGATE_EXTERNAL_METRICS_TLS_DIR"] == "/etc/tidegate/external-metrics"
    assert len(found.of_kind("Certificate")) == (tls == "certManager")
    if tls == "certManager":
        (certificate,) = found.of_kind("Certificate")
        assert certificate["spec"]["secretName"] == secret
        assert service["metadata"]["annotations"] == {
            "cert-manager.io/inject-ca-from": f"{NAMESPACE}/{certificate['metadata']['name']}"
        }
    roles = {b["roleRef"]["name"] for b in found.of_kind("ClusterRoleBinding", "RoleBinding")}
    assert {"system:auth-delegator", "extension-apiserver-authentication-reader"} <= roles


def test_the_keda_scaler() -> None:
    found = render({"interop": {"keda": {"enabled": True}}})
    assert found.one("Service", "tidegate-keda")["spec"]["ports"][0]["port"] == 9090
    assert _env(_container(found, "Deployment", "tidegate-controller"))["TIDEGATE_KEDA_LISTEN"] == "0.0.0.0:9090"
    assert "TIDEGATE_KEDA_LISTEN" not in _env(_container(render(), "Deployment", "tidegate-controller"))


def test_network_policies_let_each_reach_what_it_needs() -> None:
    values = {
        "networkPolicy": {
            "enabled": True,
            "metricsPorts": [8000],
            "apiServerPorts": [16443],
            "databasePorts": [5433],
            "apiFrom": [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}],
            "extraEgress": [{"to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}]}],
        }
    }
    found = render(values)
    policies = {p["metadata"]["name"].removeprefix("tidegate-"): p["spec"] for p in found.of_kind("NetworkPolicy")}
    assert set(policies) == {"default-deny", "database-clients", "api", "controller", "test"}
    assert policies["default-deny"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policies["default-deny"]
    egress = policies["controller"]["egress"]
    assert egress[0] == {"ports": [{"port": 16443}]}
    assert egress[1] == {"to": [{"namespaceSelector": {}}], "ports": [{"port": 8000}]}
    assert egress[2]["to"][0]["ipBlock"]["cidr"] == "10.0.0.1/32"
    assert policies["database-clients"]["egress"] == [{"ports": [{"port": 5433}]}]
    sources = [source for rule in policies["api"]["ingress"] for source in rule["from"]]
    assert {"namespaceSelector": {"matchLabels": {"name": "ingress"}}} in sources
    assert len(sources) == 2, "the chart's own test must get in as well"
    assert render().of_kind("NetworkPolicy") == []


def test_the_bundled_servers_are_closed_to_others() -> None:
    found = render({"networkPolicy": {"enabled": True}}, base=TRIAL)
    for name in ("tidegate-postgres", "tidegate-valkey"):
        (rule,) = found.one("NetworkPolicy", name)["spec"]["ingress"]
        assert rule["from"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/instance"] == "tidegate"
    clients = found.one("NetworkPolicy", "tidegate-database-clients")["spec"]["egress"]
    assert all("to" in rule for rule in clients)


def test_budgets_can_be_left_out() -> None:
    assert len(render().of_kind("PodDisruptionBudget")) == 2
    assert render({"podDisruptionBudget": {"enabled": False}}).of_kind("PodDisruptionBudget") == []


def test_monitoring_objects_carry_the_labels_that_prometheus_looks_for() -> None:
    on = {"enabled": True}
    values = {"labels": {"release": "kps"}, "serviceMonitor": on, "prometheusRule": on, "dashboard": on}
    found = render({"monitoring": values})
    monitors = found.of_kind("ServiceMonitor", "PrometheusRule")
    assert len(monitors) == 3
    assert all(f["metadata"]["labels"]["release"] == "kps" for f in monitors)
    assert all(m["spec"]["endpoints"][0]["honorLabels"] for m in found.of_kind("ServiceMonitor"))
    dashboard = found.one("ConfigMap", "tidegate-dashboard")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert yaml.safe_load(dashboard["data"]["tidegate.json"])["title"] == "Tidegate"
    kinds = ("ServiceMonitor", "PrometheusRule", "ConfigMap")
    assert render().of_kind(*kinds) == []
