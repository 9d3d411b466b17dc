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
ROLL_UP_EVERY_S = 60.0
"""Real seconds between roll-ups: counters look at ticks that are not rolled up yet one by one."""
RETENTION_EVERY_S = 1800.0
"""Real seconds: at a speed of 30 that is 15 hours, and partitions are made three days ahead."""
ROUNDS = {
    "fit_forecasts": FIT_EVERY_S,
    "roll_up": ROLL_UP_EVERY_S,
    "retention": RETENTION_EVERY_S,
    "note_expired": EXPIRY_EVERY_S,
    "judge_policies": JUDGE_EVERY_S,
    "watch_notices": SWEEP_EVERY_S,
    "sweep_jobs": SWEEP_EVERY_S,
}
"""What beat sends again and again, by the task's name, and how many real seconds apart."""


def make_app(broker_url: str) -> Celery:
    """The application over that broker; results are not kept, since tasks write to the ledger."""
    made = Celery(
        "tidegate",
        broker=broker_url,
        include=[f"controlplane.workers.{name}" for name in ("tasks", "governance", "jobs", "notices", "retention")],
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
            name.replace("_", "-"): {
                "task": f"tidegate.{name}",
                "schedule": schedule(every_s),
                # A round that nobody took before the next one is due is not worth doing twice.
                "options": {"expires": every_s},
            }
            for name, every_s in ROUNDS.items()
        },
    )
    return made


app = make_app(os.environ.get("TIDEGATE_BROKER_URL", "redis://127.0.0.1:6379/0"))
presence.install()
