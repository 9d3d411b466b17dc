"""The page at /docs: from our own files, under the policy of every other page, and of a document with examples."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from fastapi.testclient import TestClient

from controlplane.adapters.clock import ManualClock
from controlplane.api.app import create_app
from controlplane.api.guards import CONTENT_POLICY


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(create_app("postgresql+psycopg://unused@127.0.0.1/x", ManualClock(0.0)))


def test_it_asks_no_other_host(client: TestClient) -> None:
    page = client.get("/docs")
    assert (page.status_code, page.headers["content-security-policy"]) == (200, CONTENT_POLICY)
    script = client.get("/docs/page.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "//" not in re.sub(r"^\s*//.*$|/\*\*.*?\*/", "", script.text, flags=re.M)
    assert re.findall(r'(?:src|href)="([^"]*)"', page.text) == ["/openapi.json", "/docs/page.js"]
    assert "innerHTML" not in script.text
    assert client.get("/redoc").status_code == 404


def test_the_script_is_one(client: TestClient) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not here")
    done = subprocess.run(
        [node, "--check", "-"], input=client.get("/docs/page.js").text, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr


def test_every_body_has_an_example(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    schemas, lacking = document["components"]["schemas"], []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content is None:
                continue
            schema = content["schema"]
            named = [schema, *schema.get("oneOf", []), *schema.get("anyOf", [])]
            whole = [schemas[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in named]
            if "example" not in content and not any("examples" in one for one in whole):
                lacking.append(f"{method} {path}")
    assert lacking == []
