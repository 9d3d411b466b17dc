"""The built web UI, beside the API: files where there are files, the application's page for every other path."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse, Response

from controlplane.api.problems import NotFound

CACHE_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
"""For files whose name holds a hash of their content."""
NOT_BUILT = (
    "<!doctype html><title>Tidegate</title><h1>The web UI is not built</h1>"
    "<p>Run <code>make web</code> (or <code>make run</code>), or see the API at <a href='/docs'>/docs</a>.</p>"
)


def mount_web(app: FastAPI, web_dir: Path | None) -> None:
    """Serve `web_dir`; say how to build it where it is not there."""

    @app.get("/{path:path}", include_in_schema=False)
    def page(path: str) -> Response:
        if path.startswith("api/"):
            raise NotFound(f"there is no /{path}")
        index = web_dir / "index.html" if web_dir else None
        if web_dir is None or index is None or not index.is_file():
            return HTMLResponse(NOT_BUILT, 404)
        if file := _file(web_dir.resolve(), path):
            return FileResponse(file, headers=CACHE_FOREVER if path.startswith("assets/") else None)
        return FileResponse(index, headers={"Cache-Control": "no-cache"})


def _file(root: Path, path: str) -> Path | None:
    """The file of that path below `root`; None where there is none or no file could have such a name."""
    try:
        file = (root / path).resolve()
        return file if file.is_relative_to(root) and file.is_file() else None
    except (OSError, ValueError):  # a name that is too long, or has a nul in it
        return None
