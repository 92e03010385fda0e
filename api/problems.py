"""Errors as RFC 9457 problem documents: one shape for everything that goes wrong."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from agentic.errors import InvalidEvent, Problem
from api.words import choice, shortened
from store.errors import BadCursor, StoreUnavailable

log = structlog.get_logger()

TITLES: dict[str, tuple[int, str]] = {
    "cross-site": (403, "Request from another site"),
    "not-found": (404, "Not found"),
    "method-not-allowed": (405, "Method not allowed"),
    "conflict": (409, "Not possible as things stand"),
    "body-too-slow": (408, "The body did not arrive in time"),
    "too-large": (413, "Body too large"),
    "unsupported-media-type": (415, "Unsupported media type"),
    "unknown-host": (421, "Not known by this name"),
    "invalid": (422, "Not understood"),
    "queue-full": (429, "The queue is full"),
    "internal": (500, "Internal error"),
    "store-unavailable": (503, "The store is not available"),
}
"""Every kind of problem: the last part of its `type`, its status and its title."""
BY_STATUS = {status: code for code, (status, _) in TITLES.items()}
TYPE_PREFIX = "urn:autoremedy:problem:"


class ApiProblem(Exception):
    """A request cannot be answered as asked; `code` is one of TITLES."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers


def not_found(what: str) -> ApiProblem:
    """Make the answer for something that does not exist."""
    return ApiProblem("not-found", what)


def queue_full(retry_after_seconds: int) -> ApiProblem:
    """Make the answer for an event that found no room."""
    return ApiProblem(
        "queue-full",
        "The queue is full; nothing was stored. Send it again later.",
        headers={"retry-after": str(retry_after_seconds)},
    )


def body_errors(problems: Sequence[Problem]) -> list[dict[str, str]]:
    """Write what is wrong with a body as `errors` entries."""
    return [{"pointer": p.pointer, "code": p.code, "message": p.message} for p in problems]


def parameter_error(name: str, code: str, message: str) -> ApiProblem:
    """Make the answer for one wrong query parameter."""
    return ApiProblem("invalid", f"{name}: {message}", errors=[{"parameter": name, "code": code, "message": message}])


def problem_response(scope: Scope, problem: ApiProblem) -> Response:
    """Write a problem as a response."""
    status, title = TITLES[problem.code]
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + problem.code,
        "title": title,
        "status": status,
        "detail": problem.detail,
        "instance": scope["path"],
        "request_id": scope.get("request_id", ""),
    }
    if problem.errors:
        body["errors"] = list(problem.errors)
    headers = dict(problem.headers or {})
    return Response(to_json(body), status, headers, media_type="application/problem+json")


async def _api_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiProblem)
    return problem_response(request.scope, error)


async def _invalid_event(request: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidEvent)
    return problem_response(
        request.scope, ApiProblem("invalid", shortened(str(error), 1000), errors=body_errors(error.problems))
    )


async def _invalid_parameters(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {
            "parameter": str(item["loc"][-1]),
            "code": str(item["type"]),
            "message": choice(item) or shortened(str(item["msg"]).removeprefix("Value error, "), 300),
        }
        for item in error.errors()[:50]
    ]
    detail = "; ".join(f"{e['parameter']}: {e['message']}" for e in errors)
    return problem_response(request.scope, ApiProblem("invalid", shortened(detail, 1000), errors=errors))


async def _bad_cursor(request: Request, error: Exception) -> Response:
    return problem_response(
        request.scope, parameter_error("cursor", "bad_cursor", "not a cursor that this API gave out")
    )


async def _store_unavailable(request: Request, error: Exception) -> Response:
    log.warning("store.unavailable", reason=str(error), request_id=request.scope.get("request_id"))
    return problem_response(request.scope, store_unavailable(request.scope))


def store_unavailable(scope: Scope) -> ApiProblem:
    """Make the answer for a store that is away; the wait has jitter so that not all come back at once."""
    if scope["method"] == "GET":
        then = "Nothing can be read until it is back; ask again later."
    elif scope["path"] in ("/event", "/events"):
        then = "Send it again later; the same event_id is never counted twice."
    else:
        then = "It may or may not have been done; try again later, it does no harm twice."
    return ApiProblem(
        "store-unavailable",
        f"The store does not answer. {then}",
        headers={"retry-after": str(1 + secrets.randbelow(4))},
    )


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = BY_STATUS.get(error.status_code, "internal")
    path = request.scope["path"]
    details = {
        "not-found": f"There is nothing at {path[:200]}; GET /docs lists what there is.",
        "method-not-allowed": f"{request.method[:20]} is not possible here.",
    }
    return problem_response(
        request.scope, ApiProblem(code, details.get(code, "The request failed."), headers=error.headers)
    )


def install_problems(app: FastAPI) -> None:
    """Make every error of the app a problem document."""
    app.add_exception_handler(ApiProblem, _api_problem)
    app.add_exception_handler(InvalidEvent, _invalid_event)
    app.add_exception_handler(RequestValidationError, _invalid_parameters)
    app.add_exception_handler(BadCursor, _bad_cursor)
    app.add_exception_handler(StoreUnavailable, _store_unavailable)
    app.add_exception_handler(HTTPException, _http_exception)
