"""Replays and what-ifs: asked for here, played by workers, kept under a permalink."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from controlplane.api.cursors import cursor_of, read_cursor
from controlplane.api.principals import Who, demand
from controlplane.api.problems import CHANGING, MISSING, Conflict, NotFound, bad_value
from controlplane.api.ranges import YEAR_10000_S, moment
from controlplane.api.writes import Writing, answer, etag
from controlplane.domain.access import AccessRole
from controlplane.domain.jobs import RUN_JOB, JobKind, JobStatus, ReplayRequest, StockOutRequest, WhatIfRequest
from controlplane.domain.ports import Tasks
from controlplane.domain.target import Slo, Target
from controlplane.simulation.comparison import Comparison
from controlplane.simulation.replay_window import VERSION, check_policy
from controlplane.simulation.scenario import ScenarioError
from controlplane.simulation.what_if import WhatIfResult
from controlplane.store.jobs import Jobs, StoredJob, is_final
from controlplane.store.policy_specs import spec_of_version
from controlplane.store.queries import Queries

LONGEST_S = 31 * 86_400.0
"""A month: longer windows are asked for in parts."""

router = APIRouter(prefix="/api/v1", tags=["jobs"])
Time = Annotated[
    float | str, Field(description="unix seconds or RFC 3339", examples=["2026-01-05T08:00:00Z", 1767600000])
]
Key = Annotated[str, Field(pattern=r"^[^/\x00]{1,253}/[^/\x00]{1,253}$", description="namespace/name")]
Factor = Annotated[float, Field(ge=0.05, le=20)]


class ReplayIn(BaseModel):
    """A recorded window, under another policy and under the live one."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "kind": "Replay",
                    "target": "default/chat",
                    "since": "2026-01-05T08:00:00Z",
                    "until": "2026-01-05T20:00:00Z",
                    "policy": "hpa-queue",
                }
            ]
        },
    )

    kind: Literal["Replay"]
    target: Key
    since: Time
    until: Time
    policy: Annotated[
        str,
        Field(
            max_length=64,
            description="`live`, `version` (with `version_id` or `spec`), `static:N`, or a peer: hpa-queue, "
            "hpa-concurrency, hpa-kv, kpa, wva-v1, wva-v2, dynamo-classic and others",
        ),
    ] = "live"
    version_id: Annotated[UUID | None, Field(description="of a policy version")] = None
    spec: Annotated[dict[str, Any] | None, Field(description="as in the custom resource")] = None
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 1


class SloIn(BaseModel):
    """Another SLO; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    ttft_s: Annotated[float | None, Field(gt=0, le=3600)] = None
    tpot_s: Annotated[float | None, Field(gt=0, le=60)] = None
    attainment: Annotated[float | None, Field(gt=0, lt=1)] = None


class StockOutIn(BaseModel):
    """No new replica of a variant can be had for a time."""

    model_config = ConfigDict(extra="forbid")

    variant: Annotated[str, Field(min_length=1, max_length=63)]
    since: Time
    until: Time


class WhatIfIn(BaseModel):
    """Recorded decisions, made again under a change."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "kind": "WhatIf",
                    "target": "default/chat",
                    "since": "2026-01-05T08:00:00Z",
                    "until": "2026-01-06T08:00:00Z",
                    "slo": {"ttft_s": 1.5},
                    "load_factor": 1.2,
                }
            ]
        },
    )

    kind: Literal["WhatIf"]
    target: Key
    since: Time
    until: Time
    slo: SloIn | None = None
    prices: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=63)], Annotated[float, Field(ge=0, le=100_000)]],
        Field(max_length=64, description="$/h of one replica by variant"),
    ] = {}
    cold_start_factor: Factor = 1.0
    load_factor: Factor = 1.0
    stock_outs: Annotated[list[StockOutIn], Field(max_length=16)] = []


JobIn = Annotated[ReplayIn | WhatIfIn, Field(discriminator="kind")]


class JobSummary(BaseModel):
    """A job without its result. `created_at_s` is on the controller's clock; when it started and finished are real."""

    id: UUID
    kind: JobKind
    namespace: str | None
    status: JobStatus
    progress: float
    cancel_requested: bool
    request: dict[str, Any]
    created_by: str
    created_at_s: float
    started_at_s: float | None
    finished_at_s: float | None
    error: str | None
    etag: str


class JobOut(JobSummary):
    """A job; `replay` or `what_if` is its result, once it succeeded."""

    replay: Comparison | None = None
    what_if: WhatIfResult | None = None


class JobPage(BaseModel):
    """Newest first."""

    items: list[JobSummary]
    next_cursor: str | None


@router.get("/jobs")
def jobs(
    request: Request,
    who: Who,
    namespace: str | None = None,
    kind: JobKind | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> JobPage:
    """Jobs of the namespaces that you may see, newest first, without their results."""
    seen = who.namespaces(AccessRole.VIEWER)
    if namespace is not None:
        demand(who, AccessRole.VIEWER, namespace)
        seen = frozenset((namespace.replace("\x00", ""),))
    found, more = _store(request).page(seen, kind, read_cursor(cursor), limit)
    following = cursor_of(found[-1].created_at_s, found[-1].id) if more else None
    return JobPage(items=[job_summary(one) for one in found], next_cursor=following)


@router.get("/jobs/{job_id}", response_model=JobOut, responses=MISSING)
def job(job_id: UUID, request: Request, who: Who) -> JSONResponse:
    """One job: its progress, or its result. The permalink of a replay."""
    found = _found(request, job_id)
    demand(who, AccessRole.VIEWER, found.namespace)
    # The result is sent as it was stored: to read it into values and write them again would double a megabyte's cost.
    view = TypeAdapter(JobSummary).dump_python(job_summary(found), mode="json")
    view |= {"replay": None, "what_if": None}
    view["replay" if found.kind is JobKind.REPLAY else "what_if"] = found.result
    return JSONResponse(view, headers={"ETag": etag(found.version)})


@router.post("/jobs", status_code=202, response_model=JobSummary, responses=MISSING)
def create_job(body: JobIn, request: Request, write: Writing) -> JSONResponse:
    """Ask for a replay or a what-if. A worker takes it up; follow its progress at the answer's Location."""
    namespace, _, name = body.target.partition("/")
    demand(write.who, AccessRole.OPERATOR, namespace)
    wanted = _wanted(body, _target(request, namespace, name), request)
    kind = JobKind(body.kind)
    with write.unit(AccessRole.OPERATOR, namespace) as unit:
        made = Jobs.create(unit, kind, namespace, TypeAdapter(type(wanted)).dump_python(wanted, mode="json"))
        view = job_summary(made)
        tasks: Tasks = request.app.state.tasks
        unit.after_commit.append(lambda: _send(tasks, made.id))
        unit.audit("job.create", f"jobs/{made.id}", namespace, None, view.model_dump(mode="json"))
        return answer(unit, 202, view, made.version, f"/api/v1/jobs/{made.id}")


@router.delete("/jobs/{job_id}", response_model=JobSummary, responses=CHANGING)
def cancel_job(job_id: UUID, request: Request, write: Writing) -> JSONResponse:
    """End a job: a queued one now, a running one within a second or two. It stays in the list."""
    before = found_job(_store(request), job_id)
    demand(write.who, AccessRole.OPERATOR, before.namespace)
    version = write.version()
    if is_final(before.status):
        raise Conflict(f"job {job_id} is {before.status} already")
    with write.unit(AccessRole.OPERATOR, before.namespace) as unit:
        after = job_summary(Jobs.cancel(unit, before, version))
        old = job_summary(before).model_dump(mode="json")
        unit.audit("job.cancel", f"jobs/{job_id}", before.namespace, old, after.model_dump(mode="json"))
        return answer(unit, 200, after, int(after.etag.strip('"')))


def _send(tasks: Tasks, job_id: UUID) -> None:
    tasks.send(RUN_JOB, str(job_id))


def _wanted(body: ReplayIn | WhatIfIn, target: Target, request: Request) -> ReplayRequest | WhatIfRequest:
    since_s, until_s = _time(body.since, "since"), _time(body.until, "until")
    if not 0 < until_s - since_s <= LONGEST_S:
        raise bad_value("until", str(body.until), f"a time after `since`, at most {LONGEST_S:.0f} s later")
    if isinstance(body, ReplayIn):
        return _replay(body, target, since_s, until_s, request)
    return _what_if(body, target, since_s, until_s)


def _replay(body: ReplayIn, target: Target, since_s: float, until_s: float, request: Request) -> ReplayRequest:
    try:
        check_policy(body.policy)
    except ScenarioError as error:
        raise bad_value("policy", body.policy, str(error).partition("allowed: ")[2]) from error
    spec, name = body.spec, None
    if body.version_id is not None:
        version = spec_of_version(request.app.state.writer.engine, body.version_id, target.namespace)
        if version is None:
            raise NotFound(f"there is no policy version {body.version_id}")
        spec, name = version.spec, version.name
    if (body.policy == VERSION) != (spec is not None):
        raise bad_value("policy", body.policy, "`version` with version_id or spec, another one without them")
    return ReplayRequest(target.key, since_s, until_s, body.policy, body.seed, spec, name)


def _what_if(body: WhatIfIn, target: Target, since_s: float, until_s: float) -> WhatIfRequest:
    names = [v.name for v in target.variants]
    for place, name in [("prices", n) for n in body.prices] + [("stock_outs", o.variant) for o in body.stock_outs]:
        if name not in names:
            raise bad_value(place, name, ", ".join(names))
    slo, before = None, target.policy.slo
    if body.slo is not None:
        given = {name: value for name, value in body.slo.model_dump().items() if value is not None}
        slo = Slo(**{"ttft_s": before.ttft_s, "tpot_s": before.tpot_s, "attainment": before.attainment, **given})
    return WhatIfRequest(
        target=target.key,
        since_s=since_s,
        until_s=until_s,
        slo=slo,
        prices=dict(body.prices),
        cold_start_factor=body.cold_start_factor,
        load_factor=body.load_factor,
        stock_outs=tuple(
            StockOutRequest(o.variant, _time(o.since, "stock_outs.since"), _time(o.until, "stock_outs.until"))
            for o in body.stock_outs
        ),
    )


def _time(value: float | str, field: str) -> float:
    found = moment(str(value), field)
    if found is None or not 0 <= found < YEAR_10000_S:
        raise bad_value(field, str(value), "unix seconds, or RFC 3339 with a time zone")
    return found


def _target(request: Request, namespace: str, name: str) -> Target:
    queries: Queries = request.app.state.queries
    found = queries.target(f"{namespace}/{name}")
    if found is None:
        raise NotFound(f"there is no target {namespace}/{name}")
    return found


def _store(request: Request) -> Jobs:
    return Jobs(request.app.state.writer.engine)


def found_job(store: Jobs, job_id: UUID) -> StoredJob:
    """One, without its result.

    Raises:
        NotFound: if there is none of that id.
    """
    found = store.summary(job_id)
    if found is None:
        raise NotFound(f"there is no job {job_id}")
    return found


def _found(request: Request, job_id: UUID) -> StoredJob:
    found = _store(request).get(job_id)
    if found is None:
        raise NotFound(f"there is no job {job_id}")
    return found


def job_summary(stored: StoredJob) -> JobSummary:
    """As the API shows it in lists."""
    names = set(JobSummary.model_fields) - {"etag", "request"}
    fields = {name: getattr(stored, name) for name in names}
    return JobSummary(**fields, request=dict(stored.request), etag=etag(stored.version))
