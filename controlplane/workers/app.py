"""The Celery application. `celery -A controlplane.workers.app worker` and `... beat` run it."""

from __future__ import annotations

import os

from celery import Celery
from celery.schedules import schedule

from controlplane.workers import presence

FIT_EVERY_S = 20.0
"""Real seconds between rounds of fits: at a speed of 30 that is ten minutes of load, in life the fits cost little."""
EXPIRY_EVERY_S = 30.0
"""Real seconds between looks for what expired: it is the auditor's row that waits, nothing holds longer for it."""
JUDGE_EVERY_S = 20.0
"""Real seconds between rounds over the policies: a canary ends, or is taken back, that much late at most."""
SWEEP_EVERY_S = 15.0
"""Real seconds until a job that the broker did not take, or whose worker died, is sent again."""


def make_app(broker_url: str) -> Celery:
    """The application over that broker; results are not kept, since tasks write to the ledger."""
    made = Celery(
        "tidegate",
        broker=broker_url,
        include=[f"controlplane.workers.{name}" for name in ("tasks", "governance", "jobs", "notices")],
    )
    made.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"visibility_timeout": 600},
        task_time_limit=300,
        timezone="UTC",
        beat_schedule={
            "fit-forecasts": {
                "task": "tidegate.fit_forecasts",
                "schedule": schedule(FIT_EVERY_S),
                # A round that nobody took before the next one is due is not worth doing twice.
                "options": {"expires": FIT_EVERY_S},
            },
            "note-expired": {
                "task": "tidegate.note_expired",
                "schedule": schedule(EXPIRY_EVERY_S),
                "options": {"expires": EXPIRY_EVERY_S},
            },
            "judge-policies": {
                "task": "tidegate.judge_policies",
                "schedule": schedule(JUDGE_EVERY_S),
                "options": {"expires": JUDGE_EVERY_S},
            },
            "watch-notices": {
                "task": "tidegate.watch_notices",
                "schedule": schedule(SWEEP_EVERY_S),
                "options": {"expires": SWEEP_EVERY_S},
            },
            "sweep-jobs": {
                "task": "tidegate.sweep_jobs",
                "schedule": schedule(SWEEP_EVERY_S),
                "options": {"expires": SWEEP_EVERY_S},
            },
        },
    )
    return made


app = make_app(os.environ.get("TIDEGATE_BROKER_URL", "redis://127.0.0.1:6379/0"))
presence.install()
