"""Two people, not two principals: a person and all of their tokens have one word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from controlplane.domain.access import AccessRole, Grant
from controlplane.store.access import Access
from controlplane.store.engine import make_engine
from controlplane.store.keys import NoSuchUser, new_token
from tests.api.policies import NEW
from tests.api.test_access import House

OPERATOR = Grant(AccessRole.OPERATOR, "team")
MORE = {"grants": [{"role": "Operator", "namespace": "team"}], "expires_in_days": 1}
Headers = dict[str, str]


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    made = House(database_url)
    with made.client:
        yield made


@pytest.fixture
def approval(house: House) -> tuple[str, Headers]:
    """What a token of ada's asked for, and that token."""
    ada = user(house, "ada")
    mine = {"Authorization": f"Bearer {new_token(house.url, 'ada-1', [OPERATOR], house.now_s, 1.0, 'ada')}"}
    policy = sent(house.client, mine, "/policies", NEW, 201)
    etag = {"If-Match": policy["etag"]}
    sent(house.client, mine | etag, f"/policies/{policy['id']}/versions/1/shadow", {"reason": "look"}, 200)
    asked = sent(house.client, mine, f"/policies/{policy['id']}/versions/1/approvals", {"reason": "please"}, 201)
    assert ada
    return f"/approvals/{asked['id']}/approve", mine


def user(house: House, name: str) -> str:
    """Somebody who logged in once; their principal's id."""
    return f"user:{Access(make_engine(house.url)).make_local_admin(name, house.now_s)}"


def sent(client: TestClient, headers: Headers, path: str, body: Any, status: int) -> Any:
    answer = client.post(f"/api/v1{path}", json=body, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def ruled(house: House, headers: Headers, where: str, status: int) -> Any:
    return sent(house.client, headers | {"If-Match": '"1"'}, where, {"reason": "fine"}, status)


def test_another_token_of_the_same_person_is_the_same_person(house: House, approval: tuple[str, Headers]) -> None:
    where, _ = approval
    second = {"Authorization": f"Bearer {new_token(house.url, 'ada-2', [OPERATOR], house.now_s, 1.0, 'ada')}"}
    assert "a second person" in ruled(house, second, where, 403)["detail"]
    user(house, "bob")
    other = {"Authorization": f"Bearer {new_token(house.url, 'bob-1', [OPERATOR], house.now_s, 1.0, 'bob')}"}
    assert ruled(house, other, where, 200)["decision"] == "Approved"


def test_a_token_that_a_token_made_is_no_second_person(house: House, approval: tuple[str, Headers]) -> None:
    where, mine = approval
    made = sent(house.client, mine, "/tokens", {"name": "child", **MORE}, 201)
    child = {"Authorization": f"Bearer {made['secret']}"}
    assert made["owner"].startswith("user:")
    ruled(house, child, where, 403)
    grandchild = sent(house.client, child, "/tokens", {"name": "grandchild", **MORE}, 201)
    ruled(house, {"Authorization": f"Bearer {grandchild['secret']}"}, where, 403)


def test_the_person_herself_is_none_either_and_a_machine_of_its_own_is(
    house: House, approval: tuple[str, Headers]
) -> None:
    where, _ = approval
    session = house.enter()  # the local administrator, who is nobody's token
    machine = house.token(OPERATOR, name="machine")
    child = sent(house.client, machine, "/tokens", {"name": "child", **MORE}, 201)
    assert child["owner"].startswith("token:")
    assert ruled(house, session, where, 200)["decided_by"].startswith("user:")


def test_an_owner_must_be_known(house: House) -> None:
    with pytest.raises(NoSuchUser, match="'eve', which is 0 users; allowed: one of nobody"):
        new_token(house.url, "t", [OPERATOR], house.now_s, 1.0, "eve")
    user(house, "ada")
    with pytest.raises(NoSuchUser, match="allowed: one of ada"):
        new_token(house.url, "t", [OPERATOR], house.now_s, 1.0, "eve")
    assert house.rows("SELECT count(*) FROM api_tokens") == [(0,)]


def test_one_sees_and_ends_the_tokens_that_act_for_one(house: House, approval: tuple[str, Headers]) -> None:
    _, mine = approval
    names = [one["name"] for one in house.client.get("/api/v1/tokens", headers=mine).json()]
    assert names == ["ada-1"]
    stranger = house.token(OPERATOR, name="stranger")
    found = house.client.get("/api/v1/tokens", headers=mine).json()[0]
    where = f"/api/v1/tokens/{found['id']}"
    assert house.client.delete(where, headers=stranger | {"If-Match": found["etag"]}).status_code == 404
    assert house.client.delete(where, headers=mine | {"If-Match": found["etag"]}).status_code == 200


def test_tokens_of_before_get_their_makers_as_owners(empty_database_url: str) -> None:
    from alembic import command

    from controlplane.store.migrate import configuration

    config = configuration(empty_database_url)
    command.upgrade(config, "0006")
    ids = [f"00000000-0000-0000-0000-00000000000{n}" for n in range(5)]
    makers = ["user:ada", f"token:{ids[0]}", f"token:{ids[1]}", "system", f"token:{ids[3]}"]
    with psycopg.connect(empty_database_url.replace("+psycopg", ""), autocommit=True) as connection:
        for token_id, maker in zip(ids, makers, strict=True):
            connection.execute(
                "INSERT INTO api_tokens (id, name, digest, hint, grants, created_by, created_at, expires_at) "
                "VALUES (%s, 'n', %s, 'h', '[]', %s, now(), now())",
                (token_id, token_id, maker),
            )
    command.upgrade(config, "head")
    with psycopg.connect(empty_database_url.replace("+psycopg", "")) as connection:
        owners = [row[0] for row in connection.execute("SELECT owner FROM api_tokens ORDER BY id").fetchall()]
    assert owners == ["user:ada", "user:ada", "user:ada", None, f"token:{ids[3]}"]
    command.downgrade(config, "0006")
