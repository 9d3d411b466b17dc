"""docs/custom-resource.md: its tables are the definition's, and its examples are resources that work."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from controlplane.cli import app
from controlplane.domain.discovered import Discovered
from controlplane.domain.manifest import target_from_manifest
from controlplane.domain.manifest_slo import PRESETS
from controlplane.simulation.kubernetes.schema import admit
from tests.domain.resources import RESOURCE

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "custom-resource.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
EXAMPLES: list[dict[str, Any]] = [one for block in BLOCKS for one in yaml.safe_load_all(block)]


def test_the_tables_are_the_definitions() -> None:
    made = CliRunner().invoke(app, ["crd", "--markdown"]).stdout
    assert PAGE.partition("<!-- reference -->\n")[2] == made, "run: tidegate crd --markdown, and put it below the mark"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e["metadata"]["name"])
def test_an_example_is_admitted_and_read(example: dict[str, Any]) -> None:
    kept = admit(RESOURCE, json.loads(json.dumps(example)), strict=True)
    assert target_from_manifest(kept, {"default": Discovered("H100")}).name == example["metadata"]["name"]


def test_there_is_an_example_of_each_kind() -> None:
    specs = [example["spec"] for example in EXAMPLES]
    assert any(len(spec.get("variants", ())) == 3 for spec in specs)
    assert any({v.get("role") for v in spec.get("variants", ())} == {"Prefill", "Decode"} for spec in specs)
    assert any("scaleTargetRef" in spec and "accelerator" not in spec for spec in specs)
    for field in ("schedules", "coupling", "scaleToZero", "headroom", "behavior", "capacity"):
        assert any(field in spec for spec in specs), field
    assert {key for spec in specs for key in spec.get("metrics", ())} >= {"tls", "bearerSecretRef", "prometheus"}


def test_the_presets_are_the_readers() -> None:
    for preset, limits in PRESETS.items():
        words = ["1 h" if limit == 3600 else f"{limit:g} s" if limit else "" for limit in limits]
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{preset}` |"))
        assert [cell.strip() for cell in row.split("|")[2:5]] == words
