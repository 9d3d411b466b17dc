"""What an installation gets that chooses nothing but its database and broker."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import helm_python as helm
import jsonschema
import pytest
import yaml

from controlplane import __version__
from controlplane.crds import inference_autoscaler
from tests.helm.rendered import CHART, EVERYTHING, EXTERNAL, TRIAL, Rendered, merged, render

SNAPSHOT = Path(__file__).resolve().parent / "snapshots" / "default.yaml"
UPDATE = "TIDEGATE_UPDATE_SNAPSHOTS"


def _text(rendered: Rendered) -> str:
    parts = [f"# {name}\n{text.strip()}\n" for name, text in sorted(rendered.texts.items()) if text.strip()]
    return "---\n".join(parts)


def test_the_defaults_are_as_reviewed() -> None:
    """Set TIDEGATE_UPDATE_SNAPSHOTS=1 to write the snapshot, and read its difference."""
    text = _text(render())
    if os.environ.get(UPDATE):
        SNAPSHOT.write_text(text, encoding="utf-8")
    assert text == SNAPSHOT.read_text(encoding="utf-8"), f"run with {UPDATE}=1 and read the difference"


@pytest.mark.parametrize("values", [EXTERNAL, TRIAL, EVERYTHING], ids=["external", "trial", "everything"])
def test_helm_finds_nothing_to_say(values: dict[str, object]) -> None:
    report = helm.lint(CHART, values, strict=True, kube_version="v1.28.0")
    assert report["errors"] == []
    assert [message for message in report["messages"] if message["severity"] > 1] == []


@pytest.mark.parametrize("file", sorted((CHART / "ci").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_example_values_render(file: Path) -> None:
    assert render(yaml.safe_load(file.read_text(encoding="utf-8")), base={}).of_kind("Deployment")


def test_schema_and_readme_are_made_from_the_values() -> None:
    made = subprocess.run(
        [sys.executable, str(CHART.parent / "generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr


def test_the_values_stay_readable() -> None:
    assert len((CHART / "values.yaml").read_text(encoding="utf-8").splitlines()) <= 270


def test_the_charts_version_is_the_programs() -> None:
    about = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert about["appVersion"] == __version__
    assert about["version"].split("-")[0] == __version__


def test_the_notes_first_autoscaler_is_a_valid_one_in_shadow() -> None:
    notes = render().notes
    text = notes.split("<<EOF\n")[1].split("  EOF")[0]
    first = yaml.safe_load(text)
    assert first["spec"]["mode"] == "Shadow"
    schema = inference_autoscaler()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    jsonschema.Draft4Validator(schema).validate(first)
    for command in ("port-forward svc/tidegate-api 8080:80", "kubectl apply -f -", "kubectl get infas"):
        assert command in notes


def test_an_upgrade_reminds_of_the_crd_and_an_install_does_not() -> None:
    assert "tidegate crd | kubectl apply --server-side" in render(upgrade=True).notes
    assert "tidegate crd" not in render().notes


def test_the_schema_is_closed_all_over() -> None:
    """But for what Kubernetes itself defines, and names that people choose."""
    with helm.Chart.load(CHART) as chart:
        schema = chart.schema
    open_objects = set()

    def walk(part: object, at: str) -> None:
        if isinstance(part, dict):
            if part.get("type") == "object" and part.get("additionalProperties") is not False:
                open_objects.add(at)
            for name, below in part.items():
                walk(below, f"{at}/{name}")

    walk(schema, "")
    free = ("annotations", "labels", "commonLabels", "serviceAccountAnnotations", "nodeSelector", "affinity", "global")
    lists = ("tolerations", "topologySpreadConstraints", "extraEnv", "extraVolumes", "extraVolumeMounts", "apiFrom")
    allowed = {*free, *lists, "extraEgress", "parentRefs", "requests", "limits", "claims"}
    assert {at.removesuffix("/items").rsplit("/", 1)[-1] for at in open_objects} <= allowed
    assert merged({"a": {"b": 1}}, {"a": {"c": 2}}) == {"a": {"b": 1, "c": 2}}


@pytest.mark.parametrize("page", ["docs/install.md", "README.md", "helm/tidegate/README.md"])
def test_the_pages_set_values_that_there_are(page: str) -> None:
    text = (CHART.parents[1] / page).read_text(encoding="utf-8")
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    heads = "|".join(values)
    keys = set(re.findall(rf"(?:--set |`)((?:{heads})(?:\.\w+)+)", text))
    assert len(keys) >= 3
    for key in sorted(keys):
        at = values
        for name in key.removeprefix("controller.").split(".") if key.startswith("controller.pod.") else key.split("."):
            if key.endswith("monitoring.labels.release") and name == "release":
                break
            assert name in at, key
            at = at[name]
