"""Every command of docs/api.md, run as a reader would run it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from uuid import UUID

import pytest

from controlplane.adapters.task_sender import RecordedTasks
from controlplane.domain.jobs import RUN_JOB
from controlplane.store.ledger import PostgresLedger
from tests.api.test_generated_client import Served
from tests.builders import NOW_S, make_target, make_tick
from tests.planning.test_counterfactuals import group

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"


class Working:
    """Plays what the API sends, as a worker beside it would."""

    def __init__(self, served: Served) -> None:
        self._served, self._over = served, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Working:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        tasks: RecordedTasks = self._served.app.state.tasks
        taken = 0
        while not self._over.wait(0.05):
            for name, *arguments in tasks.sent[taken:]:
                taken += 1
                if name == RUN_JOB:
                    self._served.play(UUID(arguments[0]))


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_every_command_of_the_page_runs(database_url: str, recording: PostgresLedger, tmp_path: Path) -> None:
    recording.save_targets([make_target()], NOW_S)
    told = group(23.5, {"h100": 3, "l40s": 1}, {"h100": 4, "l40s": 1})
    recording.append([make_tick(f"t{n}", told, NOW_S + 60 * n, f"g{n}") for n in range(20)])
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 9
    here = f'tidegate() {{ "{sys.executable}" -m controlplane.cli "$@"; }}\n'
    script = "set -euo pipefail\n" + here + "\n".join(f"echo '--- {n}'\n{block}" for n, block in enumerate(blocks))
    with Served(database_url) as served, Working(served):
        environment = {
            **os.environ,
            "TIDEGATE": served.base,
            "TIDEGATE_DATABASE_URL": database_url,
            "PYTHONPATH": str(PAGE.parents[1]),
        }
        done = subprocess.run(
            ["bash", "-c", script],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "was not done because the plan wanted one fewer l40s" in done.stdout
    assert "It would have cost" in done.stdout
    assert (tmp_path / "report.parquet").read_bytes()[:4] == b"PAR1"
