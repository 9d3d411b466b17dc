"""A Prometheus as the source: the same observation as from the pods, the true age, and the past."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from controlplane.adapters.clock import ManualClock
from controlplane.adapters.kube_secrets import FakeSecrets
from controlplane.adapters.prometheus_history import PrometheusHistory
from controlplane.adapters.prometheus_pool import SeriesValues
from controlplane.adapters.prometheus_source import GAUGES, PrometheusScraper, pages_of
from controlplane.domain.observation import FaultKind, Replica, ReplicaPhase
from controlplane.domain.ports import HistoryUnavailable
from controlplane.domain.target import MetricsSource, PrometheusSource, Role, SecretKey, Target, Tls
from controlplane.observing import read_page
from controlplane.simulation.fleet import Fleet
from controlplane.simulation.scenario import load_scenario
from tests.adapters.pages_server import Handler, certificate, serving, text
from tests.adapters.prometheus_process import backfill, prometheus
from tests.builders import NOW_S, make_target, make_variant
from tests.observing.engine_pages import SGLANG_PAGE

T0 = 1_767_600_000.0
BIN_S = 60.0


def aimed(url: str, target: Target | None = None, **more: Any) -> Target:
    return replace(target or make_target(), metrics=MetricsSource(prometheus=PrometheusSource(url), **more))


def ready(*names: str) -> list[Replica]:
    return [Replica(name, "h100", ReplicaPhase.READY, 0.0, 0.0, "10.0.0.1", 8000) for name in names]


async def until_scraped(scraper: PrometheusScraper, target: Target, replicas: list[Replica]) -> list[Any]:
    for _ in range(100):
        pages = await scraper.scrape(target, replicas)
        if all(page.body for page in pages):
            return pages
        await asyncio.sleep(0.1)
    raise AssertionError(f"not scraped: {pages}")


async def test_prometheus_says_what_the_pods_say(tmp_path: Path) -> None:
    scenario = load_scenario("chat-8b")
    fleet = Fleet(scenario.workloads, scenario.generated(), scenario.inventory, T0, 1)
    fleet.advance(T0 + 120.0)
    bodies = {pod.name: fleet.metrics_page(pod.name) for pod in fleet.pods()[:2]}
    bodies["sglang-0"] = SGLANG_PAGE.text.encode()
    async with AsyncExitStack() as stack:
        ports = []
        for name, body in bodies.items():
            port = await stack.enter_async_context(serving({"/metrics": text(body)}))
            ports.append((port, {"pod": name, "namespace": "default", "node": f"n-{name}"}))
        # The same pod's name in another namespace, and the same pod scraped by a second rule.
        other = await stack.enter_async_context(serving({"/metrics": text("vllm:num_requests_running 99\n")}))
        ports += [(other, {"pod": "sglang-0", "namespace": "another"})]
        ports += [(ports[0][0], {**ports[0][1], "service": "second"})]
        url = await stack.enter_async_context(prometheus(tmp_path, ports))
        scraper = PrometheusScraper(ManualClock(NOW_S))
        pages = await until_scraped(scraper, aimed(url), ready(*bodies))
        began_s = time.time()
        (page, gone) = await scraper.scrape(aimed(url), ready("sglang-0", "gone"))
    for page_of, (name, body) in zip(pages, bodies.items(), strict=True):
        through = read_page(page_of.body or b"", name, "h100", page_of.at_s)
        assert through == read_page(body, name, "h100", page_of.at_s)
        assert through.faults == ()
    assert began_s - 5.0 < page.at_s <= began_s + 1.0
    assert gone.fault is not None
    assert (gone.fault.kind, "'gone'" in gone.fault.detail) == (FaultKind.MISSING, True)


def past_of(pods: Mapping[str, tuple[float, float, float]], from_s: float, to_s: float, hole: range) -> str:
    """OpenMetrics of vLLM's counters every 30 s: per pod requests/s, prompt and answer tokens of a request."""
    names = ("vllm:request_success", "vllm:prompt_tokens", "vllm:generation_tokens")
    lines = []
    for place, name in enumerate(names):
        lines.append(f"# TYPE {name} counter")
        for pod, (rate, isl, osl) in pods.items():
            for step in range(int((to_s - from_s) / 30)):
                if step not in hole:
                    value = rate * 30.0 * step * (1.0, isl, osl)[place]
                    lines.append(f'{name}_total{{pod="{pod}",namespace="default"}} {value} {from_s + 30 * step}')
    return "\n".join([*lines, "# EOF", ""])


async def test_the_past_comes_back_in_bins(tmp_path: Path) -> None:
    to_s = time.time() // BIN_S * BIN_S - 3600.0
    from_s = to_s - 4 * 3600.0
    pods = {
        "chat-h100-7d9c-abcde": (2.0, 1000.0, 200.0),
        "chat-l40s-5f6b-fghij": (1.0, 400.0, 50.0),
        "chat-h100-big-7d9c-abcde": (9.0, 1.0, 1.0),
    }
    backfill(tmp_path, past_of(pods, from_s, to_s, range(200, 240)))
    whole = make_target()
    split = make_target((make_variant("h100", role=Role.PREFILL), make_variant("l40s", "L40S", role=Role.DECODE)))
    async with prometheus(tmp_path, []) as url:
        history = await PrometheusHistory().load_history(aimed(url, whole), from_s, to_s)
        halves = await PrometheusHistory().load_history(aimed(url, split), from_s, to_s)
        assert await PrometheusHistory().load_history(aimed(url), from_s - 9e5, from_s - 8.8e5) == {}
    rates = history["requests_per_s"]
    assert (rates.start_s, rates.step_s, len(rates.values)) == (from_s, BIN_S, 240)
    assert rates.values[10] == pytest.approx(3.0)
    assert history["input_tokens_per_s"].values[10] == pytest.approx(2.0 * 1000.0 + 400.0)
    assert history["output_tokens_per_s"].values[10] == pytest.approx(2.0 * 200.0 + 50.0)
    assert rates.values[110] is None  # the hole: never a zero
    assert halves["requests_per_s"].values[10] == pytest.approx(2.0)
    assert halves["input_tokens_per_s"].values[10] == pytest.approx(2000.0)
    assert halves["output_tokens_per_s"].values[10] == pytest.approx(50.0)


def one(name: str, value: str, **labels: str) -> SeriesValues:
    return SeriesValues({"__name__": name, "pod": "p", **labels}, ((NOW_S, value),))


def test_of_two_servers_that_scraped_a_pod_the_newest_counts() -> None:
    values = [
        one("vllm:num_requests_running", "3", prometheus_replica="a"),
        one("vllm:num_requests_running", "4", prometheus_replica="b"),
    ]
    times = [
        one("", "90", prometheus_replica="a"),
        one("", "95", prometheus_replica="b"),
    ]
    assert pages_of(values, times, "pod") == {"p": (95.0, b"vllm:num_requests_running{} 4\n")}


def test_what_tells_two_engines_of_a_pod_apart_is_kept() -> None:
    values = [
        one("vllm:num_requests_running", "3", instance="10.0.0.1:8000", namespace="ns", model_name='a"b\\c\nd'),
        one("vllm:num_requests_running", "4", instance="10.0.0.1:8001", namespace="ns"),
    ]
    ((at_s, body),) = pages_of(values, [one("", "90")], "pod").values()
    assert at_s == 90.0
    assert body.count(b"instance=") == 2
    assert b"namespace" not in body
    assert read_page(body, "p", "v", at_s).running == 7.0


def test_a_value_that_cannot_be_is_named_as_on_the_pods_own_page() -> None:
    ((_, body),) = pages_of([one("vllm:num_requests_running", "NaN")], [one("", "90")], "pod").values()
    kinds = {fault.kind for fault in read_page(body, "p", "v", NOW_S).faults}
    assert FaultKind.NOT_FINITE in kinds


def vector(result: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


async def _slow(_: web.Request) -> web.Response:
    await asyncio.sleep(3)
    return web.Response()


async def _moved(_: web.Request) -> web.Response:
    raise web.HTTPTemporaryRedirect("http://127.0.0.1:1/")


def status(code: int) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=code, text="secret inside")

    return handler


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (_slow, FaultKind.TIMEOUT),
        (_moved, FaultKind.UNREACHABLE),
        (status(401), FaultKind.NOT_AUTHORISED),
        (status(503), FaultKind.BAD_STATUS),
        (text("<html>"), FaultKind.NOT_METRICS),
        (text("[1]"), FaultKind.NOT_METRICS),
        (text('{"status":"error"}'), FaultKind.NOT_METRICS),
        (text(json.dumps(vector([{"metric": 3}]))), FaultKind.NOT_METRICS),
        (text(json.dumps(vector([{"metric": {}, "value": ["x"]}]))), FaultKind.NOT_METRICS),
        (text(json.dumps(vector([]))), FaultKind.MISSING),
    ],
)
async def test_a_prometheus_that_fails_is_every_pages_fault(handler: Handler, kind: FaultKind) -> None:
    async with serving({"/api/v1/query": handler}) as port:
        pages = await PrometheusScraper(ManualClock(NOW_S), timeout_s=0.5).scrape(
            aimed(f"http://127.0.0.1:{port}"), [*ready("a", "b"), replace(ready("c")[0], phase=ReplicaPhase.PENDING)]
        )
    assert [(page.replica, page.body) for page in pages] == [("a", None), ("b", None)]
    assert {page.fault.kind for page in pages if page.fault} == {kind}


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (PrometheusSource("ftp://h:1"), FaultKind.REFUSED),
        (PrometheusSource("http://user@h:1"), FaultKind.REFUSED),
        (PrometheusSource("http://169.254.169.254"), FaultKind.REFUSED),
        (PrometheusSource("http://127.0.0.1:1", pod_label="a b"), FaultKind.REFUSED),
        (PrometheusSource("http://127.0.0.1:1", labels={'x"}': "y"}), FaultKind.REFUSED),
        (PrometheusSource("http://127.0.0.1:1"), FaultKind.UNREACHABLE),
    ],
)
async def test_what_must_not_or_cannot_be_asked_is_named(source: PrometheusSource, kind: FaultKind) -> None:
    target = replace(make_target(), metrics=MetricsSource(prometheus=source))
    (page,) = await PrometheusScraper(ManualClock(NOW_S), timeout_s=1.0).scrape(target, ready("a"))
    assert page.fault is not None
    assert page.fault.kind is kind


async def test_tokens_and_authorities_are_for_the_prometheus_too(tmp_path: Path) -> None:
    pem, server = certificate(tmp_path, "prometheus.local")
    token, authority = SecretKey("p", "token"), SecretKey("p", "ca")
    secrets = FakeSecrets({("default", "p", "token"): b"s3cret", ("default", "p", "ca"): pem})
    seen = []

    async def guarded(request: web.Request) -> web.Response:
        seen.append((request.headers.get("Authorization"), (await request.post())["query"]))
        return web.json_response(vector([{"metric": {"pod": "a", "__name__": GAUGES[0]}, "value": [1.0, "5"]}]))

    async with serving({"/api/v1/query": guarded, "/prefix/api/v1/query": guarded}, server) as port:
        scraper = PrometheusScraper(ManualClock(NOW_S), secrets)
        found = []
        for tls in (Tls(authority, "prometheus.local"), Tls(authority, "other.local"), Tls(), Tls(None, None, True)):
            target = aimed(f"https://127.0.0.1:{port}/prefix/", bearer=token, tls=tls)
            (page,) = await scraper.scrape(target, ready("a"))
            found.append(page.fault.kind if page.fault else page.body)
    body = f"{GAUGES[0]}{{}} 5\n".encode()
    assert found == [body, FaultKind.UNTRUSTED, FaultKind.UNTRUSTED, body]
    assert {header for header, _ in seen} == {"Bearer s3cret"}
    assert all('namespace=~"|default"' in query and 'pod=~"a"' in query for _, query in seen)


async def test_a_secret_that_is_not_there_is_named() -> None:
    target = aimed("http://127.0.0.1:1", bearer=SecretKey("p", "token"))
    (page,) = await PrometheusScraper(ManualClock(NOW_S), FakeSecrets({})).scrape(target, ready("a"))
    assert page.fault is not None
    assert page.fault.kind is FaultKind.SECRET


async def test_a_past_that_cannot_be_asked_for_says_so() -> None:
    with pytest.raises(HistoryUnavailable, match=r"http://127\.0\.0\.1:1"):
        await PrometheusHistory(timeout_s=1.0).load_history(aimed("http://127.0.0.1:1"), T0, T0 + 3600.0)
    assert await PrometheusHistory().load_history(make_target(), T0, T0 + 3600.0) == {}
