"""The installation's settings: a closed list, changed by administrators of everything."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, JsonValue

from controlplane.api.principals import Who
from controlplane.api.problems import MISSING, NotFound, bad_value
from controlplane.api.wording import NO_LONGER, Reason
from controlplane.api.writes import Writing, answer, etag
from controlplane.domain.access import AccessRole
from controlplane.domain.governance import SETTINGS, SettingError
from controlplane.store.settings import GovernedSettings, StoredSetting

router = APIRouter(prefix="/api/v1", tags=["settings"])

SettingName = Annotated[str, Path(examples=["approval_required"])]


class SettingIn(BaseModel):
    """A new value."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"value": True, "reason": "two pairs of eyes"},
                {"value": {"default": "120.50"}, "reason": "the quarter's budget"},
            ]
        },
    )

    value: JsonValue
    reason: Reason


class SettingOut(BaseModel):
    """A setting, what it may be, and who left it so. `changed_at_s` None: nobody did, and it has its default."""

    name: str
    what: str
    type: str
    allowed: str
    default: JsonValue
    value: JsonValue
    changed_at_s: float | None
    changed_by: str | None
    etag: str


@router.get("/settings")
def settings(request: Request, who: Who) -> list[SettingOut]:  # noqa: ARG001 (whoever is somebody may read them)
    """Every setting."""
    return [_out(one) for one in _store(request).all().values()]


@router.get("/settings/{setting}", responses=MISSING, response_model=SettingOut)
def setting(setting: SettingName, request: Request, who: Who) -> JSONResponse:  # noqa: ARG001 (as above)
    """One setting, with its ETag."""
    found = _found(request, setting)
    return JSONResponse(_out(found).model_dump(mode="json"), headers={"ETag": etag(found.version)})


@router.put("/settings/{setting}", response_model=SettingOut, responses=MISSING | NO_LONGER)
def change_setting(setting: SettingName, body: SettingIn, request: Request, write: Writing) -> JSONResponse:
    """Change one, on the version that was read (`If-Match`)."""
    with write.unit(AccessRole.ADMIN, None) as unit:
        before = _found(request, setting)
        try:
            value = SETTINGS[setting].checked(body.value)
        except SettingError as error:
            raise bad_value("value", str(body.value)[:200], str(error)) from error
        after = GovernedSettings.change(unit, setting, write.version(), value)
        states = {"value": before.value}, {"value": after.value}
        unit.audit("setting.change", f"settings/{setting}", None, *states, detail=body.reason)
        return answer(unit, 200, _out(after), after.version)


def _store(request: Request) -> GovernedSettings:
    return GovernedSettings(request.app.state.writer.engine)


def _found(request: Request, name: str) -> StoredSetting:
    if name not in SETTINGS:
        raise NotFound(f"there is no setting {name}; there are {', '.join(SETTINGS)}")
    return _store(request).get(name)


def _out(stored: StoredSetting) -> SettingOut:
    one = SETTINGS[stored.name]
    return SettingOut.model_validate(
        {
            "name": one.name,
            "what": one.what,
            "type": one.type,
            "allowed": one.allowed,
            "default": one.default,
            "value": stored.value,
            "changed_at_s": stored.changed_at_s,
            "changed_by": stored.changed_by,
            "etag": etag(stored.version),
        }
    )
