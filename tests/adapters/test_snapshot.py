"""The snapshot: what was kept comes back the same, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.adapters.snapshot import SnapshotFile
from controlplane.domain.directives import DirectiveSet, PriceKind, PriceOverride, ScopedFreeze
from controlplane.domain.ports import SnapshotUnavailable
from controlplane.domain.target import Freeze, FreezeDirection, Origin, Override, OverrideKind

SAID = DirectiveSet(
    {"default/chat": (Override(OverrideKind.PIN, 4, None, 1e9, "ada", "Lasttest äöü", Origin.API, "o1", 5.0),)},
    (ScopedFreeze(None, "chat", Freeze(FreezeDirection.DOWN, 1.0, 2.0, "bob", "launch", "f1")),),
    (PriceOverride(PriceKind.ACCELERATOR, "H100", 2.5, None, None, "ada", "contract", "p1"),),
)


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "spool" / "directives.json"
    assert SnapshotFile(path).load() is None
    SnapshotFile(path).save(DirectiveSet())
    SnapshotFile(path).save(SAID)
    assert SnapshotFile(path).load() == SAID
    assert [p.name for p in path.parent.iterdir()] == ["directives.json"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_no_damage_goes_unseen(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "directives.json"
    SnapshotFile(path).save(SAID)
    text = path.read_bytes()
    at = data.draw(st.integers(0, len(text) - 1))
    change = data.draw(st.sampled_from([text[:at], text[:at] + b"7" + text[at + 1 :], text[:at] + b"\xff" + text[at:]]))
    path.write_bytes(change)
    try:
        assert SnapshotFile(path).load() == SAID
    except SnapshotUnavailable:
        assert change != text


def test_another_version_is_not_guessed_at(tmp_path: Path) -> None:
    path = tmp_path / "directives.json"
    SnapshotFile(path).save(SAID)
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 9}))
    with pytest.raises(SnapshotUnavailable, match="is of version 9; allowed: 1"):
        SnapshotFile(path).load()


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SnapshotUnavailable, match="cannot be written"):
        SnapshotFile(tmp_path / "file" / "directives.json").save(SAID)
