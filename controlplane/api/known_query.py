"""Query parameters that a route does not have are refused: `?from=` where it is `since` must not answer with
everything."""

from __future__ import annotations

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from controlplane.api.problems import bad_value


async def known_query(request: Request) -> None:
    """A dependency of every route below /api.

    Raises:
        BadValue: naming one that there is not, and those that there are.
    """
    route = request.scope.get("route")
    if not request.query_params or not isinstance(route, APIRoute):
        return
    known = sorted(_of(route.dependant))
    strange = next((name for name in request.query_params if name not in known), None)
    if strange is not None:
        raise bad_value(strange, request.query_params[strange], f"the parameters {', '.join(known) or 'of none'}")


def _of(dependant: Dependant) -> set[str]:
    """Of a route or a dependency, and of all that it depends on."""
    return {field.alias for field in dependant.query_params}.union(*(_of(one) for one in dependant.dependencies))
