"""Pages over TLS, with tokens, compressed, and never from where no pod is."""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from controlplane.adapters.addresses import refusal
from controlplane.adapters.clock import ManualClock
from controlplane.adapters.http_scraper import FakeScraper, HttpScraper
from controlplane.adapters.kube_http import KubeError
from controlplane.adapters.kube_secrets import FakeSecrets, KubernetesSecrets
from controlplane.adapters.scrapers import ScraperBySource
from controlplane.domain.observation import FaultKind, Replica, ReplicaPhase
from controlplane.domain.ports import Page, SecretUnavailable
from controlplane.domain.target import MetricsSource, PrometheusSource, SecretKey, Target, Tls
from controlplane.settings import SettingsError, settings_from
from tests.adapters.pages_server import certificate, serving, text
from tests.builders import NOW_S, make_target

CA, TOKEN = SecretKey("engine", "ca.crt"), SecretKey("engine", "token")


def aimed(metrics: MetricsSource) -> Target:
    return replace(make_target(), metrics=metrics)


def pod(port: int, host: str = "127.0.0.1") -> Replica:
    return Replica("r1", "h100", ReplicaPhase.READY, 0.0, 0.0, host, port)


async def page(scraper: HttpScraper, metrics: MetricsSource, replica: Replica) -> Page:
    (one,) = await scraper.scrape(aimed(metrics), [replica])
    return one


def kind(one: Page) -> FaultKind | None:
    return None if one.fault is None else one.fault.kind


async def test_a_page_over_tls_needs_the_authority_and_the_name(tmp_path: Path) -> None:
    pem, server = certificate(tmp_path, "engine.local")
    secrets = FakeSecrets({("default", "engine", "ca.crt"): pem})
    cases = {
        FaultKind.UNTRUSTED: [
            Tls(),
            Tls(server_name="engine.local"),
            Tls(ca=CA),
            Tls(ca=CA, server_name="other.local"),
        ],
        None: [Tls(ca=CA, server_name="engine.local"), Tls(insecure_skip_verify=True)],
    }
    server_of_pages = serving({"/metrics": text("a 1\n")}, server)
    async with server_of_pages as port, HttpScraper(ManualClock(), secrets=secrets) as scraper:
        for expected, sources in cases.items():
            for tls in sources:
                one = await page(scraper, MetricsSource(tls=tls), pod(port))
                assert kind(one) is expected, (tls, one.fault)
        assert kind(await page(scraper, MetricsSource(), pod(port))) is FaultKind.UNREACHABLE


async def test_a_token_is_sent_and_its_want_is_named() -> None:
    async def guarded(request: web.Request) -> web.Response:
        allowed = request.headers.get("Authorization") == "Bearer s3cret"
        return web.Response(text="a 1\n") if allowed else web.Response(status=403)

    right, wrong = ({("default", "engine", "token"): value} for value in (b"s3cret\n", b"old"))
    async with serving({"/metrics": guarded}) as port:
        found = []
        for values in (right, wrong, {}, {("default", "engine", "token"): b"two words"}):
            async with HttpScraper(ManualClock(), secrets=FakeSecrets(values)) as scraper:
                one = await page(scraper, MetricsSource(bearer=TOKEN), pod(port))
                found.append((kind(one), one.body))
                assert "s3cret" not in str(one.fault)
        async with HttpScraper(ManualClock()) as scraper:
            found.append((kind(await page(scraper, MetricsSource(), pod(port))), None))
    not_allowed, secret = (FaultKind.NOT_AUTHORISED, None), (FaultKind.SECRET, None)
    assert found == [(None, b"a 1\n"), not_allowed, secret, secret, not_allowed]


async def test_an_authority_that_is_no_certificate_is_named() -> None:
    async with HttpScraper(ManualClock(), secrets=FakeSecrets({("default", "engine", "ca.crt"): b"hello"})) as scraper:
        one = await page(scraper, MetricsSource(tls=Tls(ca=CA)), pod(1))
    assert one.fault is not None
    assert (one.fault.kind, "PEM" in one.fault.detail) == (FaultKind.SECRET, True)


async def test_the_limit_of_size_is_that_of_what_comes_out() -> None:
    async def zipped(request: web.Request) -> web.Response:
        size = int(request.query["size"])
        body = gzip.compress(b"x" * size)
        return web.Response(body=body, headers={"Content-Encoding": "gzip", "Content-Type": "text/plain"})

    async with serving({"/metrics": zipped}) as port, HttpScraper(ManualClock(), max_bytes=100_000) as scraper:
        small = await page(scraper, MetricsSource(path="/metrics?size=90000"), pod(port))
        assert small.body == b"x" * 90_000
        assert kind(await page(scraper, MetricsSource(path="/metrics?size=50000000"), pod(port))) is FaultKind.TOO_LARGE


async def test_replicas_that_hang_do_not_take_the_others_with_them() -> None:
    async def hangs(_: web.Request) -> web.Response:
        await asyncio.sleep(5.0)
        return web.Response()

    hanging, well = serving({"/metrics": hangs}), serving({"/metrics": text("a 1\n")})
    scraping = HttpScraper(ManualClock(), concurrency=4, timeout_s=0.3)
    async with hanging as dead, well as alive, scraping as scraper:
        pages = await scraper.scrape(make_target(), [pod(dead)] * 4 + [pod(alive)] * 8)
    assert [kind(one) for one in pages] == [FaultKind.TIMEOUT] * 4 + [None] * 8


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "fe80::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "metadata.google.internal",
        "localhost",
        "127.1",
        "2130706433",
        "10.0.0.1@169.254.169.254",
        "",
    ],
)
def test_no_other_than_a_pod_is_asked(host: str) -> None:
    assert refusal(host, allow_loopback=True)


@pytest.mark.parametrize("host", ["10.1.2.3", "192.168.0.9", "100.64.0.7", "fd00:10:244::7", "8.8.8.8", "2001:db8::1"])
def test_a_pods_address_may_be_asked(host: str) -> None:
    assert refusal(host, allow_loopback=False) == ""


async def test_this_host_is_asked_only_where_that_is_allowed() -> None:
    assert refusal("127.0.0.1", allow_loopback=True) == ""
    pages = serving({"/metrics": text("a 1\n")})
    async with pages as port, HttpScraper(ManualClock(), allow_loopback=False) as scraper:
        for host in ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"):
            assert kind(await page(scraper, MetricsSource(), pod(port, host))) is FaultKind.REFUSED


async def test_a_path_cannot_name_another_host() -> None:
    async with HttpScraper(ManualClock(), timeout_s=0.5) as scraper:
        for path in ("@127.0.0.1/metrics", ".evil/metrics", "metrics", ""):
            assert kind(await page(scraper, MetricsSource(path=path), pod(80))) is FaultKind.REFUSED


def test_loopback_is_for_those_outside_a_cluster() -> None:
    base = {"TIDEGATE_DATABASE_URL": "postgresql://u@h/d"}
    assert not settings_from(base).allow_loopback
    assert settings_from({**base, "KUBECONFIG": "/k"}).allow_loopback
    assert not settings_from({**base, "KUBECONFIG": "/k", "TIDEGATE_ALLOW_LOOPBACK": "0"}).allow_loopback
    assert settings_from({**base, "TIDEGATE_ALLOW_LOOPBACK": "true"}).allow_loopback
    with pytest.raises(SettingsError, match="TIDEGATE_ALLOW_LOOPBACK is 'maybe'"):
        settings_from({**base, "TIDEGATE_ALLOW_LOOPBACK": "maybe"})


class _Api:
    """The one request that Secrets need of `KubeHttp`."""

    def __init__(self) -> None:
        self.data: dict[str, str] | None = {"token": "czNjcmV0"}
        self.paths: list[str] = []

    async def get(self, path: str) -> dict[str, object]:
        self.paths.append(path)
        if self.data is None:
            raise KubeError(404, "NotFound", "no such Secret")
        return {"data": self.data}


async def test_a_secret_is_read_once_a_minute() -> None:
    api, now = _Api(), [0.0]
    secrets = KubernetesSecrets(api, lambda: now[0])  # type: ignore[arg-type]
    assert await secrets.value("ns", TOKEN) == b"s3cret"
    now[0], api.data = 59.0, {"token": "bmV3"}
    assert await secrets.value("ns", TOKEN) == b"s3cret"
    now[0] = 60.0
    assert await secrets.value("ns", TOKEN) == b"new"
    assert api.paths == ["/api/v1/namespaces/ns/secrets/engine"] * 2


async def test_a_secret_that_cannot_be_had_is_named() -> None:
    api, now = _Api(), [0.0]
    secrets = KubernetesSecrets(api, lambda: now[0])  # type: ignore[arg-type]
    with pytest.raises(SecretUnavailable, match=r"no key 'ca\.crt'"):
        await secrets.value("ns", CA)
    api.data, now[0] = {"token": "not base64!"}, 100.0
    with pytest.raises(SecretUnavailable, match="not base64"):
        await secrets.value("ns", TOKEN)
    api.data = None
    with pytest.raises(SecretUnavailable, match="404 NotFound"):
        await secrets.value("ns", TOKEN)


async def test_each_target_is_asked_where_it_says() -> None:
    clock = ManualClock(NOW_S)
    scraper = ScraperBySource(FakeScraper(clock, {"r1": b"pod 1\n"}), FakeScraper(clock, {"r1": b"prometheus 1\n"}))
    for source, expected in ((None, b"pod 1\n"), (PrometheusSource("http://p:9090"), b"prometheus 1\n")):
        (one,) = await scraper.scrape(aimed(MetricsSource(prometheus=source)), [pod(1)])
        assert one.body == expected
