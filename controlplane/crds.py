"""Where the CustomResourceDefinition is: in the chart of a checkout, or beside this file in an installed wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_FILE = "inferenceautoscalers.yaml"


def inference_autoscaler() -> dict[str, Any]:
    """The definition of InferenceAutoscaler.

    Raises:
        FileNotFoundError: if neither place has it.
    """
    here = Path(__file__).resolve().parent
    for folder in (here / "_crds", here.parent / "helm" / "tidegate" / "crds"):
        if (folder / _FILE).is_file():
            loaded: dict[str, Any] = yaml.safe_load((folder / _FILE).read_text(encoding="utf-8"))
            return loaded
    raise FileNotFoundError(f"{_FILE} is neither packaged nor in a checkout's helm/tidegate/crds")


def plain_yaml(document: dict[str, Any]) -> str:
    """As YAML without anchors, which not every reader of manifests takes."""
    return yaml.dump(document, Dumper=_Plain, sort_keys=False, width=120)


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        """Write what is there twice out twice."""
        return True
