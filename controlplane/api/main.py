"""Runs the API under uvicorn."""

from __future__ import annotations

import os
from pathlib import Path

import uvicorn

from controlplane.adapters.task_sender import CeleryTasks, NoTasks
from controlplane.api.app import create_app
from controlplane.api.doors import doors_from
from controlplane.domain.ports import Clock

SHUTDOWN_S = 2
"""Real seconds for requests under way; event streams never end by themselves."""


def run(host: str, port: int, database_url: str, clock: Clock, web_dir: Path | None) -> None:
    """Serve until a signal."""
    broker_url = os.environ.get("TIDEGATE_BROKER_URL")
    tasks = CeleryTasks(broker_url) if broker_url else NoTasks()
    app = create_app(database_url, clock, web_dir, doors_from(os.environ), tasks=tasks)
    uvicorn.run(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=SHUTDOWN_S)
