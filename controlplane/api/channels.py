"""Notification channels: whom to tell what, by Slack, e-mail or webhook. Their URLs hold secrets: they are masked."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from controlplane.adapters.apprise_messenger import ChannelRefused, check_channel, masked
from controlplane.api.principals import Who, demand
from controlplane.api.problems import CHANGING, CONFLICTS, MISSING, Conflict, NotFound, bad_value
from controlplane.api.writes import Writing, answer, etag
from controlplane.domain.access import AccessRole
from controlplane.domain.ports import NotificationEvent, Tasks
from controlplane.store.notifications import Channels, Delivery, NewChannel, OwedNotifier, StoredChannel

DELIVER = "tidegate.deliver"
"""The task's name."""
router = APIRouter(prefix="/api/v1", tags=["notifications"])
Namespace = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]


class ChannelIn(BaseModel):
    """Whom to tell what."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "on-call",
                    "url": "slack://TokenA/TokenB/TokenC/#gpu",
                    "events": ["StockOut", "Rollback"],
                    "namespaces": None,
                }
            ]
        },
    )

    name: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]
    url: Annotated[
        str,
        Field(
            min_length=1,
            max_length=2000,
            pattern=r"^[^\x00-\x1f]+$",
            description="slack://, mailto(s)://, http(s):// or json(s):// for a webhook, discord://, pagerduty://, "
            "opsgenie://; as the library apprise writes them",
        ),
    ]
    events: Annotated[list[NotificationEvent], Field(min_length=1, max_length=16)]
    namespaces: Annotated[list[Namespace] | None, Field(max_length=100, description="every one without")] = None
    enabled: bool = True


class ChannelOut(BaseModel):
    """A channel; of its URL the service alone, and the host where that is one's own."""

    id: UUID
    name: str
    url: str
    events: list[NotificationEvent]
    namespaces: list[str] | None
    enabled: bool
    created_at_s: float
    created_by: str
    etag: str


@router.get("/notification-channels")
def channels(request: Request, who: Who) -> list[ChannelOut]:
    """Every channel, by name."""
    demand(who, AccessRole.ADMIN, None)
    return [_out(one) for one in _store(request).all()]


@router.get("/notification-channels/{channel_id}", response_model=ChannelOut, responses=MISSING)
def channel(channel_id: UUID, request: Request, who: Who) -> JSONResponse:
    """One channel, with its ETag."""
    demand(who, AccessRole.ADMIN, None)
    found = _found(request, channel_id)
    return JSONResponse(_out(found).model_dump(mode="json"), headers={"ETag": etag(found.version)})


@router.get("/notification-channels/{channel_id}/deliveries", responses=MISSING)
def deliveries(
    channel_id: UUID, request: Request, who: Who, limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> list[Delivery]:
    """A channel's newest messages: which were sent, and why others were not."""
    demand(who, AccessRole.ADMIN, None)
    return _store(request).deliveries(_found(request, channel_id).id, limit)


@router.post("/notification-channels", status_code=201, response_model=ChannelOut, responses=CONFLICTS)
def create_channel(body: ChannelIn, request: Request, write: Writing) -> JSONResponse:
    """A new channel."""
    demand(write.who, AccessRole.ADMIN, None)
    wanted = _checked(body, request)
    with write.unit(AccessRole.ADMIN, None) as unit:
        made = Channels.create(unit, wanted)
        if made is None:
            raise Conflict(f"there is a channel called {body.name!r} already")
        view, resource = _out(made), f"notification-channels/{made.id}"
        unit.audit("channel.create", resource, None, None, view.model_dump(mode="json"))
        return answer(unit, 201, view, made.version, f"/api/v1/{resource}")


@router.put("/notification-channels/{channel_id}", response_model=ChannelOut, responses=CHANGING)
def change_channel(channel_id: UUID, body: ChannelIn, request: Request, write: Writing) -> JSONResponse:
    """Make a channel another one. Its URL is given whole: the masked one is not taken back."""
    demand(write.who, AccessRole.ADMIN, None)
    before, version, wanted = _found(request, channel_id), write.version(), _checked(body, request)
    with write.unit(AccessRole.ADMIN, None) as unit:
        if Channels.name_is_taken(unit, body.name, channel_id):
            raise Conflict(f"there is a channel called {body.name!r} already")
        after = Channels.change(unit, channel_id, version, wanted)
        old, new = _out(before).model_dump(mode="json"), _out(after)
        unit.audit("channel.change", f"notification-channels/{channel_id}", None, old, new.model_dump(mode="json"))
        return answer(unit, 200, new, after.version)


@router.delete("/notification-channels/{channel_id}", response_model=ChannelOut, responses=CHANGING)
def delete_channel(channel_id: UUID, request: Request, write: Writing) -> JSONResponse:
    """Take a channel away, with the messages that it was owed. Answers with what it was."""
    demand(write.who, AccessRole.ADMIN, None)
    before, version = _found(request, channel_id), write.version()
    with write.unit(AccessRole.ADMIN, None) as unit:
        Channels.delete(unit, before, version)
        old = _out(before)
        unit.audit("channel.delete", f"notification-channels/{channel_id}", None, old.model_dump(mode="json"), None)
        return answer(unit, 200, old)


@router.post("/notification-channels/{channel_id}/test", status_code=202, response_model=ChannelOut, responses=MISSING)
def test_channel(channel_id: UUID, request: Request, write: Writing) -> JSONResponse:
    """Send a test message; whether it arrived is seen among the channel's deliveries."""
    demand(write.who, AccessRole.ADMIN, None)
    found, tasks = _found(request, channel_id), request.app.state.tasks
    with write.unit(AccessRole.ADMIN, None) as unit:
        words = f"This is a test of the channel {found.name}, asked for by {write.who.name}."
        OwedNotifier(unit.connection, unit.now_s).test(channel_id, words)
        unit.after_commit.append(lambda: _deliver(tasks))
        unit.audit("channel.test", f"notification-channels/{channel_id}", None, None, None)
        return answer(unit, 202, _out(found))


def _deliver(tasks: Tasks) -> None:
    tasks.send(DELIVER)


def _checked(body: ChannelIn, request: Request) -> NewChannel:
    try:
        check_channel(body.url, request.app.state.notify_local)
    except ChannelRefused as error:
        raise bad_value("url", error.value, error.allowed) from error
    namespaces = None if body.namespaces is None else tuple(body.namespaces)
    return NewChannel(body.name, body.url, tuple(dict.fromkeys(body.events)), namespaces, body.enabled)


def _store(request: Request) -> Channels:
    return Channels(request.app.state.writer.engine)


def _found(request: Request, channel_id: UUID) -> StoredChannel:
    found = _store(request).get(channel_id)
    if found is None:
        raise NotFound(f"there is no notification channel {channel_id}")
    return found


def _out(stored: StoredChannel) -> ChannelOut:
    return ChannelOut(
        id=stored.id,
        name=stored.name,
        url=masked(stored.url),
        events=list(stored.events),
        namespaces=None if stored.namespaces is None else list(stored.namespaces),
        enabled=stored.enabled,
        created_at_s=stored.created_at_s,
        created_by=stored.created_by,
        etag=etag(stored.version),
    )
