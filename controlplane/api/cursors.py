"""Cursors of lists: opaque to callers, a few plain values to us."""

from __future__ import annotations

import base64
import binascii
import json
from uuid import UUID

from controlplane.api.ranges import YEAR_10000_S
from controlplane.store.queries import BadCursor


def cursor_of(at_s: float, row_id: UUID) -> str:
    """The cursor behind a row."""
    return base64.urlsafe_b64encode(json.dumps([at_s, str(row_id)]).encode()).decode().rstrip("=")


def read_cursor(cursor: str | None) -> tuple[float, UUID] | None:
    """What a cursor says; None where there is none.

    Raises:
        BadCursor: if it is not one of ours.
    """
    if cursor is None:
        return None
    try:
        at_s, row_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not 0 <= float(at_s) < YEAR_10000_S:
            raise ValueError(at_s)
        return float(at_s), UUID(row_id)
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise BadCursor(cursor) from None
