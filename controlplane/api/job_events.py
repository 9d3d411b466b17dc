"""Server-sent events of one job: how far it is, until it is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from controlplane.api.events import HEADERS, STREAM_S
from controlplane.api.jobs import found_job, job_summary
from controlplane.api.principals import Who, demand
from controlplane.api.problems import MISSING
from controlplane.domain.access import AccessRole
from controlplane.domain.ports import LedgerUnavailable
from controlplane.store.jobs import Jobs, StoredJob, is_final

POLL_S = 0.5
"""Real seconds between looks at the job's row: a worker writes its progress each second."""
SILENCE_S = 10.0
"""Real seconds without news after which a comment is sent: proxies close what is silent for half a minute or so."""
router = APIRouter(prefix="/api/v1", tags=["jobs"])


@router.get("/jobs/{job_id}/events", response_class=StreamingResponse, responses=MISSING)
async def job_events(job_id: UUID, request: Request, who: Who) -> StreamingResponse:
    """Server-sent events: `job` with a JobSummary now and at each change of its status or progress. The stream ends
    with the one in which it is over; ask for the job then, which has its result. It ends after ten minutes too."""
    store = Jobs(request.app.state.writer.engine)
    demand(who, AccessRole.VIEWER, (await asyncio.to_thread(found_job, store, job_id)).namespace)
    return StreamingResponse(job_stream(lambda: store.summary(job_id)), media_type="text/event-stream", headers=HEADERS)


async def job_stream(
    read: Callable[[], StoredJob | None],
    poll_s: float = POLL_S,
    silence_s: float = SILENCE_S,
    stream_s: float = STREAM_S,
) -> AsyncIterator[str]:
    """The text of one listener's stream. A ledger that is away is asked again."""
    loop = asyncio.get_running_loop()
    end_s, told_s, told = loop.time() + stream_s, loop.time(), ""
    while loop.time() < end_s:
        try:
            job = await asyncio.to_thread(read)
        except LedgerUnavailable:
            job = None
        if job is not None and (text := job_summary(job).model_dump_json()) != told:
            yield f"event: job\ndata: {text}\n\n"
            told, told_s = text, loop.time()
            if is_final(job.status):
                return
        elif loop.time() - told_s >= silence_s:
            yield ": still there\n\n"
            told_s = loop.time()
        await asyncio.sleep(poll_s)
