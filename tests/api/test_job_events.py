"""The stream of one job: each change once, the end with the job's, silence broken, outages sat out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from controlplane.api.job_events import job_stream
from controlplane.domain.access import AccessRole
from controlplane.domain.jobs import JobKind, JobStatus
from controlplane.domain.ports import LedgerUnavailable
from controlplane.store.jobs import Jobs, StoredJob
from tests.api.test_jobs import WHAT_IF, Desk, desk, url

__all__ = ["desk", "url"]
QUEUED = StoredJob(
    id=uuid4(),
    kind=JobKind.REPLAY,
    namespace="default",
    request={},
    status=JobStatus.QUEUED,
    progress=0.0,
    cancel_requested=False,
    created_by="user:ada",
    created_at_s=1.0,
    started_at_s=None,
    finished_at_s=None,
    result=None,
    error=None,
    version=1,
    attempts=0,
)
RUNNING = replace(QUEUED, status=JobStatus.RUNNING, progress=0.5)
DONE = replace(QUEUED, status=JobStatus.SUCCEEDED, progress=1.0)


async def told(read: Sequence[StoredJob | LedgerUnavailable | None], **limits: float) -> list[str]:
    """What a listener gets while those are read, one after another; the last again and again."""
    left = list(read)

    def next_one() -> StoredJob | None:
        one = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(one, LedgerUnavailable):
            raise one
        return one

    limits = {"poll_s": 0.001, "silence_s": 60.0, "stream_s": 60.0, **limits}
    return [text async for text in job_stream(next_one, **limits)]


def progress(texts: list[str]) -> list[tuple[str, float]]:
    read = [json.loads(text.partition("data: ")[2]) for text in texts]
    return [(one["status"], one["progress"]) for one in read]


async def test_each_change_once_and_the_end_with_the_job() -> None:
    texts = await told([QUEUED, QUEUED, RUNNING, LedgerUnavailable("away"), None, RUNNING, DONE, QUEUED])
    assert progress(texts) == [("Queued", 0.0), ("Running", 0.5), ("Succeeded", 1.0)]
    assert all(text.startswith("event: job\ndata: ") and text.endswith("\n\n") for text in texts)


async def test_one_that_is_over_is_told_once() -> None:
    assert progress(await told([DONE])) == [("Succeeded", 1.0)]


async def test_silence_is_broken_and_the_stream_ends() -> None:
    texts = await told([QUEUED], silence_s=0.01, stream_s=0.1)
    assert texts[0].startswith("event: job")
    assert set(texts[1:]) == {": still there\n\n"}


async def test_it_reads_in_another_thread() -> None:
    looping = asyncio.get_running_loop()
    seen: list[Any] = []

    def read() -> StoredJob:
        seen.append(asyncio._get_running_loop())
        return DONE

    assert len([text async for text in job_stream(read)]) == 1
    assert (seen, looping is not None) == ([None], True)


@pytest.mark.parametrize(("namespace", "status"), [("default", 200), ("elsewhere", 404)])
def test_over_http(desk: Desk, url: str, namespace: str, status: int) -> None:
    made = desk.client.post("/api/v1/jobs", json=WHAT_IF)
    desk.client.delete(made.headers["location"], headers={"If-Match": made.headers["etag"]})
    answer = Desk(url, AccessRole.VIEWER, namespace).client.get(made.headers["location"] + "/events")
    assert answer.status_code == status
    if status == 200:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert progress(answer.text.strip().split("\n\n")) == [("Cancelled", 0.0)]


def test_a_summary_is_the_row_without_its_result(desk: Desk) -> None:
    made = desk.client.post("/api/v1/jobs", json=WHAT_IF).json()
    desk.play(made["id"])
    store = Jobs(desk.app.state.writer.engine)
    found = store.summary(made["id"])
    assert found is not None
    assert (found.status, found.result) == (JobStatus.SUCCEEDED, None)
    assert store.summary(uuid4()) is None
