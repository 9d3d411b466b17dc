"""Fields that the bodies and queries of several resources have in common."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from controlplane.api.views import Problem

LONGEST_S = 30 * 86_400.0
"""A month: who wants it for longer changes the policy, where it is reviewed."""
_NO_NUL = r"^[^\x00]*$"
"""PostgreSQL's text holds every character but NUL."""

Reason = Annotated[str, Field(min_length=1, max_length=2000, pattern=_NO_NUL, description="why, for whoever reads it")]
ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=_NO_NUL)]
ObjectNameQuery = Annotated[str | None, Query(min_length=1, max_length=253, pattern=_NO_NUL)]

NO_LONGER: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "It holds no longer"},
    412: {"model": Problem, "description": "Changed since it was read"},
    428: {"model": Problem, "description": "If-Match is missing"},
}
