"""The page of the API at /docs: the OpenAPI document, readable, from our own files alone.

Swagger UI would be loaded from a foreign host: a cluster without a way out shows nothing then, and one with it runs
scripts of somebody else's beside people's sessions.
"""

from __future__ import annotations

from importlib.resources import files

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response

_CACHE = {"Cache-Control": "no-cache"}


def mount_reference(app: FastAPI) -> None:
    """Serve it; open to everybody, as the document is."""
    page, script = (files(__name__).joinpath(name).read_text(encoding="utf-8") for name in ("page.html", "page.js"))

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(page, headers=_CACHE)

    @app.get("/docs/page.js", include_in_schema=False)
    def docs_script() -> Response:
        return Response(script, media_type="text/javascript", headers=_CACHE)
