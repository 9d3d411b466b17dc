"""Who leads, by the clock: nobody writes under a lease that another may hold by then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controlplane.adapters.kube_http import REQUEST_TIMEOUT_S, KubeHttp
from controlplane.adapters.kube_lease import LEASE_NAME, LEASE_S, RENEW_DEADLINE_S, Lease, own_namespace
from tests.adapters.api_server import SimulatedApi

PATH = f"/apis/coordination.k8s.io/v1/namespaces/default/leases/{LEASE_NAME}"


class Hands:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[SimulatedApi]:
    async with SimulatedApi(tmp_path) as made:
        yield made


@pytest.fixture
async def http(api: SimulatedApi) -> AsyncIterator[KubeHttp]:
    async with KubeHttp(api.kubeconfig) as made:
        yield made


def lease(http: KubeHttp, name: str, clock: Hands) -> Lease:
    return Lease(http, "default", name, clock, clock)


async def test_a_lease_is_valid_for_as_long_as_it_was_renewed_lately(http: KubeHttp) -> None:
    clock = Hands()
    one = lease(http, "one", clock)
    assert not one.valid()
    await one.try_once()
    clock.now_s += RENEW_DEADLINE_S
    assert one.valid()
    clock.now_s += 0.1
    assert (one.leading.is_set(), one.valid()) == (True, False)
    await one.try_once()
    assert one.valid()


async def test_nobody_may_write_when_another_may_lead(http: KubeHttp) -> None:
    """Whatever was sent under the fence has arrived, or timed out, before the earliest take-over."""
    assert RENEW_DEADLINE_S + REQUEST_TIMEOUT_S <= LEASE_S
    clock = Hands()
    one, two = lease(http, "one", clock), lease(http, "two", clock)
    await one.try_once()
    for _ in range(200):
        clock.now_s += 0.25
        await two.try_once()
        assert not (one.valid() and two.valid())
        if two.leading.is_set():
            break
    assert clock.now_s - 1000.0 == pytest.approx(LEASE_S + 0.5)


async def test_a_renewal_costs_one_request(api: SimulatedApi, http: KubeHttp) -> None:
    one = lease(http, "one", Hands())
    await one.try_once()
    before = len(api.asked)
    await one.try_once()
    assert [method for method, _, _ in api.asked[before:]] == ["PUT"]


async def test_somebody_elses_note_on_the_lease_does_not_take_it_away(http: KubeHttp) -> None:
    one = lease(http, "one", Hands())
    await one.try_once()
    await http.merge_patch(PATH, {"metadata": {"annotations": {"note": "x"}}})
    await one.try_once()
    assert one.leading.is_set()


async def test_a_server_that_is_away_costs_leadership_after_the_deadline(api: SimulatedApi, http: KubeHttp) -> None:
    clock = Hands()
    one = lease(http, "one", clock)
    await one.try_once()
    await api.stop()
    clock.now_s += RENEW_DEADLINE_S - 1.0
    await one.try_once()
    assert one.leading.is_set()
    clock.now_s += 2.0
    await one.try_once()
    assert not one.leading.is_set()


async def test_a_lease_that_is_given_up_is_free_at_once(http: KubeHttp) -> None:
    clock = Hands()
    one, two = lease(http, "one", clock), lease(http, "two", clock)
    await one.try_once()
    await one.release()
    assert not one.valid()
    await two.try_once()
    assert two.valid()


def test_the_own_namespace_is_told_or_is_the_service_accounts(tmp_path: Path) -> None:
    file = tmp_path / "namespace"
    assert own_namespace(None, file) == "default"
    file.write_text("models\n")
    assert own_namespace(None, file) == "models"
    assert own_namespace("told", file) == "told"
