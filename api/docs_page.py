"""The docs page: Swagger UI from our own files, so that it works without the internet."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"
SWAGGER = "static/vendor/swagger-ui-5.35.0"
PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>AutoRemedy API</title>
<link rel="stylesheet" href="{SWAGGER}/swagger-ui.css">
<link rel="icon" href="{SWAGGER}/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript; the same facts are in <a href="openapi.json">openapi.json</a>.</noscript>
<script src="{SWAGGER}/swagger-ui-bundle.js"></script>
<script src="static/docs.js"></script>
</body>
</html>
"""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def get_docs() -> Response:
    """Show the API, with a form for every call."""
    return HTMLResponse(PAGE, headers={"content-security-policy": POLICY})


@router.get("/")
async def get_root() -> Response:
    """Lead people who open the address in a browser to something they can read."""
    return RedirectResponse("docs", 307)


class _Files(StaticFiles):
    """Files whose folder has the version in its name never change; the others are asked for again."""

    def file_response(self, full_path: object, stat_result: object, scope: Scope, status_code: int = 200) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)  # type: ignore[arg-type]
        versioned = "/vendor/" in scope["path"]
        response.headers["cache-control"] = "public, max-age=31536000, immutable" if versioned else "no-cache"
        return response


def install_docs(app: FastAPI) -> None:
    """Add the page and its files."""
    app.include_router(router)
    app.mount("/static", _Files(directory=STATIC), name="static")
