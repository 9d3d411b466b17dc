"""The documentation's tables are those that pages are read by."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from controlplane.cli import app
from controlplane.commands.dialects import BEGIN, END, tables

DOCS = Path(__file__).resolve().parents[2] / "docs" / "metrics-sources.md"


def test_the_documentation_is_up_to_date() -> None:
    text = DOCS.read_text(encoding="utf-8")
    inside = text.partition(BEGIN)[2].partition(END)[0].strip()
    assert inside == tables(), "run: tidegate dialects --into docs/metrics-sources.md"


def test_a_file_is_renewed_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    assert CliRunner().invoke(app, ["dialects", "--into", str(page)]).exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text.partition(BEGIN)[2].split("###")[0]
    assert "`vllm:num_requests_waiting + (vllm:num_requests_swapped)`" in text


@pytest.mark.parametrize("text", ["", f"{BEGIN}\n"])
def test_a_file_without_marks_is_left_alone(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(app, ["dialects", "--into", str(page)])
    assert result.exit_code == 2
    assert page.read_text(encoding="utf-8") == text
