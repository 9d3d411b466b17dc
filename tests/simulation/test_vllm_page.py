"""Our metrics page against pages of a real vLLM 0.32: names, types, labels and bucket bounds."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from controlplane.observing import read_page
from controlplane.simulation.fleet import Fleet
from controlplane.simulation.scenario import load_scenario
from controlplane.simulation.vllm_page import render_page, sample_of

ENGINES = Path(__file__).resolve().parents[3] / "shared" / "engines"
T0 = 1_767_600_000.0
LONGER_CONTEXT = ("request_prompt_tokens", "request_generation_tokens", "max_tokens", "max_num_generation", "computed")


def busy_page() -> bytes:
    scenario = load_scenario("chat-8b")
    fleet = Fleet(scenario.workloads, scenario.generated(), scenario.inventory, T0, 1)
    fleet.advance(T0 + 60.0)
    return fleet.metrics_page(fleet.pods()[0].name)


def shape(text: str) -> tuple[dict[str, str], dict[str, set[tuple[tuple[str, ...], str]]]]:
    types: dict[str, str] = {}
    series: dict[str, set[tuple[tuple[str, ...], str]]] = defaultdict(set)
    for line in text.splitlines():
        if line.startswith("# TYPE vllm:"):
            _, _, name, kind = line.split()
            types[name] = kind
        elif line.startswith("vllm:"):
            found = re.match(r"([^{]+)\{([^}]*)\}", line)
            assert found is not None
            labels = dict(re.findall(r'(\w+)="([^"]*)"', found[2]))
            kept = {
                k: v for k, v in labels.items() if k in ("le", "reason", "source", "finished_reason", "sleep_state")
            }
            series[found[1]].add((tuple(labels), str(sorted(kept.items()))))
    return types, series


@pytest.mark.parametrize("page", ["idle", "under-load", "after-load"])
def test_every_series_of_the_real_page_is_on_ours(page: str) -> None:
    path = ENGINES / f"vllm-0.32-{page}.metrics.txt"
    if not path.exists():
        pytest.skip(f"{path} is absent: recorded pages are not part of the repository")
    types, series = shape(path.read_text())
    our_types, our_series = shape(busy_page().decode())
    assert our_types == types
    for name, wanted in series.items():
        if any(part in name for part in LONGER_CONTEXT):
            assert wanted <= our_series[name], name  # buckets go up to the model's context length
        else:
            assert our_series[name] == wanted, name


def test_prometheus_reads_our_page() -> None:
    families = {family.name: family for family in text_string_to_metric_families(busy_page().decode())}
    assert families["vllm:time_to_first_token_seconds"].type == "histogram"
    assert families["vllm:generation_tokens"].type == "counter"


def test_the_page_and_the_sample_say_the_same() -> None:
    scenario = load_scenario("chat-8b")
    fleet = Fleet(scenario.workloads, scenario.generated(), scenario.inventory, T0, 1)
    fleet.advance(T0 + 120.0)
    for pod in fleet._pods.values():
        assert pod.engine is not None
        read = read_page(render_page(pod.engine, "m"), pod.name, "v", T0 + 120.0)
        made = sample_of(pod.engine, pod.name, "v", T0 + 120.0)
        assert read == made
        assert made.finished_total
        assert made.finished_total > 10


def test_an_idle_engine_has_a_page() -> None:
    scenario = load_scenario("chat-8b")
    fleet = Fleet(scenario.workloads, {}, scenario.inventory, T0, 1)
    sample = read_page(fleet.metrics_page(fleet.pods()[0].name), "r", "v", T0)
    assert (sample.running, sample.waiting, sample.faults) == (0.0, 0.0, ())
