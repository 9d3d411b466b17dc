"""`since` and `until` of a request."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query

from controlplane.api.problems import bad_value

YEAR_10000_S = 253_402_300_800.0
"""The first moment that a datetime cannot hold, unix seconds."""


def moment(value: str | None, field: str) -> float | None:
    """Unix seconds or RFC 3339."""
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        pass
    else:
        if not 0 <= number < YEAR_10000_S:
            raise bad_value(field, value, f"unix seconds from 0 to {YEAR_10000_S:.0f}, or RFC 3339")
        return number
    try:
        moment = datetime.fromisoformat(value.replace(" ", "+"))
    except ValueError:
        raise bad_value(field, value, "unix seconds, or RFC 3339 with a time zone") from None
    if moment.tzinfo is None:
        raise bad_value(field, value, "RFC 3339 with a time zone, e.g. ending in Z")
    return moment.timestamp()


class Range:
    """`since` and `until` of a request."""

    def __init__(
        self,
        since: Annotated[str | None, Query(description="unix seconds or RFC 3339; included")] = None,
        until: Annotated[str | None, Query(description="unix seconds or RFC 3339; not included")] = None,
    ) -> None:
        self.since_s = moment(since, "since")
        self.until_s = moment(until, "until")
        if self.since_s is not None and self.until_s is not None and self.since_s >= self.until_s:
            raise bad_value("since", str(since), "a time before `until`")
