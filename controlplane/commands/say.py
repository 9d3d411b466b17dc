"""The commands by which people overrule the planner, as typer reads them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from controlplane.commands import saying

_Target = Annotated[str, typer.Argument(help="name, or namespace/name")]
_Scope = Annotated[str | None, typer.Argument(help="name, or namespace/name")]
_Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="All of this namespace instead.")]
_Everything = Annotated[bool, typer.Option("--everything", help="All of every namespace instead.")]
_For = Annotated[str, typer.Option("--for", help="How long on the controller's clock, as in 90s, 30m, 2h, 1d.")]
_Reason = Annotated[str, typer.Option(help="Why; it stands in every decision.")]
_DataDir = Annotated[Path | None, typer.Option(help="Of the embedded default.", envvar="TIDEGATE_DATA_DIR")]


def register(app: typer.Typer, connection_of: Callable[[Path | None], Path]) -> None:
    """Add them; `connection_of` says where the embedded default of a data directory keeps its connection."""
    said = _Say(connection_of)
    for command in (said.pin, said.unpin, said.freeze, said.unfreeze):
        app.command()(command)


class _Say:
    def __init__(self, connection_of: Callable[[Path | None], Path]) -> None:
        self._connection_of = connection_of

    def _office(self, data_dir: Path | None) -> saying.Office:
        return saying.office(os.environ, self._connection_of(data_dir))

    def pin(
        self,
        target: _Target,
        replicas: Annotated[int, typer.Argument(min=0, help="Exactly so many, of each variant.")],
        reason: _Reason,
        length: _For = "30m",
        variant: Annotated[str | None, typer.Option(help="Only this one.")] = None,
        data_dir: _DataDir = None,
    ) -> None:
        """Pin a target's replicas for a time, over TIDEGATE_SERVER with TIDEGATE_TOKEN, or the embedded default."""
        print(saying.pin(self._office(data_dir), target, replicas, variant, length, reason))

    def unpin(self, target: _Target, data_dir: _DataDir = None) -> None:
        """Take back every pin of a target."""
        print(saying.unpin(self._office(data_dir), target))

    def freeze(
        self,
        reason: _Reason,
        target: _Scope = None,
        namespace: _Namespace = None,
        everything: _Everything = False,
        direction: Annotated[str, typer.Option(help="both: nothing changes; down: nothing goes down.")] = "both",
        length: _For = "1h",
        data_dir: _DataDir = None,
    ) -> None:
        """Let nothing change, or nothing go down, for a time."""
        frozen = saying.Frozen(target, namespace, everything)
        print(saying.freeze(self._office(data_dir), frozen, direction, length, reason))

    def unfreeze(
        self,
        target: _Scope = None,
        namespace: _Namespace = None,
        everything: _Everything = False,
        data_dir: _DataDir = None,
    ) -> None:
        """End every freeze of exactly that target, that namespace, or everything."""
        print(saying.unfreeze(self._office(data_dir), saying.Frozen(target, namespace, everything)))
