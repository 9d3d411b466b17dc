"""The catalog: prices by whose word, and what fits where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from controlplane.domain.access import AccessRole
from controlplane.domain.target import PriceSource
from controlplane.store.directives import PostgresDirectives
from controlplane.store.engine import make_engine
from controlplane.store.ledger import PostgresLedger
from tests.api.test_overrides import NOW_S, Office
from tests.builders import make_target, make_variant

H100 = "/api/v1/catalog/accelerators/H100"
VARIANT = "/api/v1/targets/default/chat/variants"
PRICE: dict[str, Any] = {"usd_per_hour": "2.49", "ttl_s": 3600, "reason": "new contract"}


@pytest.fixture
def url(database_url: str, recording: PostgresLedger) -> Iterator[str]:
    variants = (replace(make_variant(gpus=2), priced_by=PriceSource.CATALOG), make_variant("own", "L40S", usd=1.0))
    recording.save_targets([make_target(variants)], NOW_S)
    return database_url


@pytest.fixture
def admin(url: str) -> Office:
    return Office(url, AccessRole.ADMIN, None)


def test_a_price_is_said_seen_with_its_source_and_ends_by_itself(admin: Office) -> None:
    before = admin.client.get(H100)
    assert (before.headers["etag"], before.json()["usd_per_hour"], before.json()["override"]) == ('"0"', "4", None)
    said = admin.client.put(f"{H100}/price", json=PRICE, headers={"If-Match": '"0"'})
    assert (said.status_code, said.headers["etag"], said.json()["usd_per_hour"]) == (200, '"1"', "2.49")
    now = admin.client.get(H100).json()
    assert (now["usd_per_hour_source"], now["spot_usd_per_hour_source"]) == ("Override", "Catalog")
    assert (now["catalog_usd_per_hour"], now["override"]["actor"]) == ("4", "admin")
    admin.clock.advance(3601)
    assert admin.client.get(H100).json()["usd_per_hour"] == "4"
    listed = {gpu["name"]: gpu for gpu in admin.client.get("/api/v1/catalog/accelerators").json()}
    assert (listed["H100"]["etag"], listed["L40S"]["etag"]) == ('"1"', '"0"')


def test_no_etag_names_two_prices(admin: Office) -> None:
    put = {"url": f"{H100}/price", "json": PRICE}
    assert admin.client.put(**put).status_code == 428
    assert admin.client.put(**put, headers={"If-Match": '"0"'}).status_code == 200
    assert admin.client.put(**put, headers={"If-Match": '"0"'}).status_code == 412
    assert admin.client.put(**put, headers={"If-Match": '"1"'}).headers["etag"] == '"2"'
    gone = admin.client.delete(f"{H100}/price", headers={"If-Match": '"2"'})
    assert (gone.status_code, gone.headers["etag"], gone.json()["usd_per_hour"]) == (200, '"3"', "4")
    assert admin.client.get(H100).headers["etag"] == '"3"'
    assert admin.client.delete(f"{H100}/price", headers={"If-Match": '"3"'}).status_code == 404
    assert admin.client.put(**put, headers={"If-Match": '"3"'}).headers["etag"] == '"4"'
    actions = [row[0] for row in admin.rows("SELECT action FROM audit ORDER BY id")]
    assert actions == ["price.set", "price.set", "price.end", "price.set"]


def test_money_is_exact(admin: Office) -> None:
    admin.client.put(f"{H100}/price", json={**PRICE, "usd_per_hour": "0.100001"}, headers={"If-Match": '"0"'})
    assert admin.client.get(H100).json()["usd_per_hour"] == "0.100001"
    (price,) = PostgresDirectives(make_engine(admin.url)).current(NOW_S).prices
    assert (price.usd_per_hour, price.spot_usd_per_hour, price.expires_at_s) == (0.100001, None, NOW_S + 3600)


def test_variants_show_the_price_that_the_next_decision_goes_by(admin: Office) -> None:
    def shown() -> list[tuple[str, str, str]]:
        items = admin.client.get(VARIANT).json()
        return [(one["status"]["name"], one["usd_per_replica_hour"], one["price_source"]) for one in items]

    assert shown() == [("h100", "8", "Catalog"), ("own", "1", "Resource")]
    admin.client.put(f"{H100}/price", json=PRICE, headers={"If-Match": '"0"'})
    assert shown()[0] == ("h100", "4.98", "Override")
    body = {"usd_per_replica_hour": "0.5", "reason": "reserved"}
    said = admin.client.put(f"{VARIANT}/own/price", json=body, headers={"If-Match": '"0"'})
    assert (said.status_code, said.json()["price_source"], said.json()["price_etag"]) == (200, "Override", '"1"')
    assert shown()[1] == ("own", "0.5", "Override")
    gone = admin.client.delete(f"{VARIANT}/own/price", headers={"If-Match": '"1"'})
    assert (gone.json()["price_source"], gone.json()["usd_per_replica_hour"]) == ("Resource", "1")
    assert admin.client.put(f"{VARIANT}/b200/price", json=body, headers={"If-Match": '"0"'}).status_code == 404


@pytest.mark.parametrize(
    ("role", "namespace", "gpu", "variant"),
    [
        (AccessRole.VIEWER, "default", 403, 403),
        (AccessRole.OPERATOR, None, 403, 403),
        (AccessRole.ADMIN, "default", 403, 200),
        (AccessRole.ADMIN, "elsewhere", 403, 404),
        (AccessRole.ADMIN, None, 200, 200),
    ],
)
def test_who_says_what_things_cost(url: str, role: AccessRole, namespace: str | None, gpu: int, variant: int) -> None:
    client, first = Office(url, role, namespace).client, {"If-Match": '"0"'}
    assert client.put(f"{H100}/price", json=PRICE, headers=first).status_code == gpu
    body = {"usd_per_replica_hour": "0.5", "reason": "reserved"}
    assert client.put(f"{VARIANT}/own/price", json=body, headers=first).status_code == variant


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"usd_per_hour": "-1"}, "usd_per_hour"),
        ({"usd_per_hour": "NaN"}, "usd_per_hour"),
        ({"usd_per_hour": "1.0000001"}, "usd_per_hour"),
        ({"usd_per_hour": None}, "usd_per_hour"),
        ({"ttl_s": 0}, "ttl_s"),
        ({"currency": "EUR"}, "currency"),
    ],
)
def test_a_wrong_price_is_refused_by_field(admin: Office, change: dict[str, Any], field: str) -> None:
    answer = admin.client.put(f"{H100}/price", json={**PRICE, **change}, headers={"If-Match": '"0"'})
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_what_fits_where(admin: Office) -> None:
    path = "/api/v1/catalog/models/llama-3.1-8b/fit"
    (row,) = admin.client.get(path, params={"accelerator": "H100", "gpus": 1}).json()
    # 2 * 32 layers * 8 KV heads * 128 * 2 bytes; 8.03e9 parameters of 2 bytes.
    assert (row["fits"], row["kv_bytes_per_token"], row["weight_bytes"]) == (True, 131072.0, 16.06e9)
    assert row["goodput_rps"] > 0
    tokens = row["goodput_rps"] * 200 * 3600
    assert float(row["usd_per_million_output_tokens"]) == pytest.approx(4.0 / tokens * 1e6, abs=1e-6)
    (small,) = admin.client.get(path.replace("8b", "70b"), params={"accelerator": "L4", "gpus": 1}).json()
    assert (small["fits"], small["goodput_rps"], small["usd_per_hour"]) == (False, None, "0.8")
    admin.client.put(f"{H100}/price", json={**PRICE, "usd_per_hour": "2"}, headers={"If-Match": '"0"'})
    (cheap,) = admin.client.get(path, params={"accelerator": "H100", "gpus": 1}).json()
    assert float(cheap["usd_per_million_tokens"]) == pytest.approx(float(row["usd_per_million_tokens"]) / 2, abs=2e-6)
    assert admin.client.get(path, params={"accelerator": "H1000"}).json()["field"] == "accelerator"
    assert admin.client.get("/api/v1/catalog/models/gpt-9/fit").status_code == 404
    assert {model["name"] for model in admin.client.get("/api/v1/catalog/models").json()} >= {"qwen3-8b"}
