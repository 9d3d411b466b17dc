"""Two roles of the database: who gets which URL, from which Secret."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helm.rendered import Rendered, render

OWNER, DATABASE = "TIDEGATE_OWNER_DATABASE_URL", "TIDEGATE_DATABASE_URL"


def variables(rendered: Rendered, component: str) -> dict[str, Any]:
    (found,) = [spec for name, spec in rendered.pod_specs() if name == f"tidegate-{component}"]
    return {one["name"]: one.get("value") or one.get("valueFrom") for one in found["containers"][0]["env"]}


def secret_of(value: dict[str, Any]) -> tuple[str, str]:
    return value["secretKeyRef"]["name"], value["secretKeyRef"]["key"]


def test_without_an_owner_there_is_one_role() -> None:
    rendered = render()
    for component in ("migrate", "worker", "api", "controller", "beat"):
        assert not {OWNER, "TIDEGATE_APP_ROLE"} & variables(rendered, component).keys()


def test_an_owner_of_ones_own_secret_reaches_those_that_need_it_alone() -> None:
    rendered = render({"postgres": {"owner": {"existingSecret": "pg-owner", "existingSecretKey": "uri"}}})
    migrate, worker = variables(rendered, "migrate"), variables(rendered, "worker")
    assert secret_of(migrate[OWNER]) == secret_of(worker[OWNER]) == ("pg-owner", "uri")
    assert secret_of(worker[DATABASE]) == ("pg", "url")
    assert migrate["TIDEGATE_APP_ROLE"] == "tidegate_app"
    for component in ("api", "controller", "beat"):
        assert OWNER not in variables(rendered, component)


@pytest.mark.parametrize("app", [{"existingSecret": "pg"}, {"existingSecret": "", "url": "postgresql://app:x@db/t"}])
def test_an_owner_in_the_values_is_there_before_the_release_and_in_it(app: dict[str, str]) -> None:
    rendered = render({"postgres": {**app, "owner": {"url": "postgresql://own:y@db/t", "applicationRole": "app"}}})
    migrate = variables(rendered, "migrate")
    assert secret_of(migrate[OWNER]) == ("tidegate-migrate", "owner")
    assert migrate["TIDEGATE_APP_ROLE"] == "app"
    hook = rendered.one("Secret", "tidegate-migrate")
    assert hook["stringData"]["owner"] == "postgresql://own:y@db/t"
    assert hook["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    if "url" in app:
        assert (hook["stringData"]["url"], secret_of(migrate[DATABASE])) == (app["url"], ("tidegate-migrate", "url"))
    assert secret_of(variables(rendered, "worker")[OWNER]) == ("tidegate-database-owner", "url")
    assert rendered.one("Secret", "tidegate-database-owner")["stringData"] == {"url": "postgresql://own:y@db/t"}
