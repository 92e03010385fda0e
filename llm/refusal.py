"""Turns what a server answers instead of an answer into one typed error.

Servers agree on little: an error may be a string or an object, and may come with status 200. What they
do agree on is wording, so the wording is looked at first and the status second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from llm.errors import Kind, LlmError

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069]+")

# First match wins; more telling words come first.
_WORDINGS: tuple[tuple[Kind, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (Kind.BAD_BASE_URL, r"unexpected endpoint or method|can.?t find endpoint"),
        (Kind.AUTH, r"invalid_api_key|api (token|key) is required|invalid api key|unauthori[sz]ed"),
        (
            Kind.CONTEXT_OVERFLOW,
            r"exceed_context_size|context size has been exceeded|context the overflows"
            r"|tokens to keep from the initial|context[ _]length|maximum context|context window"
            r"|prompt is too long|input is too long|longer than the (model|context)|exceeds the available context",
        ),
        (
            Kind.SCHEMA_UNSUPPORTED,
            r"response_format|json_schema|grammar|initialize samplers|structured output|guided_?(json|decoding)",
        ),
        (Kind.NO_MODEL, r"no models? (is |are )?loaded|failed to load model|no model specified"),
        (
            Kind.MODEL_NOT_FOUND,
            r"model_not_found|invalid model identifier|model .{0,80}(does not exist|not found)|unknown model",
        ),
        # llama.cpp could not take its model's answer apart; the next one may do.
        (Kind.BAD_OUTPUT, r"produced output that does not match the expected"),
        (Kind.OVERLOADED, r"rate.?limit|too many requests|server.{0,10}busy|queue is full|overloaded"),
        (Kind.UNAVAILABLE, r"model has crashed|loading model|model is loading|unavailable_error|has terminated"),
    )
)
_STATUS: dict[int, Kind] = {
    401: Kind.AUTH,
    403: Kind.AUTH,
    404: Kind.BAD_BASE_URL,
    405: Kind.BAD_BASE_URL,
    408: Kind.TIMEOUT,
    413: Kind.CONTEXT_OVERFLOW,
    429: Kind.OVERLOADED,
    504: Kind.TIMEOUT,
}


def readable(text: str, limit: int = 300) -> str:
    """Return foreign text as one bounded line without control characters."""
    line = " ".join(_CONTROL.sub(" ", text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def refusal(status: int, body: str, headers: Mapping[str, str] | None = None) -> LlmError:
    """Name the error that a server's answer means; `status` 200 is an error that came as a success."""
    headers = headers or {}
    if 300 <= status < 400:
        return LlmError(
            Kind.BAD_BASE_URL,
            f"The server redirects elsewhere (status {status}); that is not followed",
            status=status,
        )
    text = error_text(body)
    if text is None and body.lstrip()[:1] == "<" and status < 500 and status not in (401, 403, 429):
        return LlmError(Kind.NOT_AN_LLM, f"The answer is a web page (status {status})", status=status)
    if status == 200:
        status = _status_inside(body)
    kind = _by_wording(text or "") or _STATUS.get(status)
    if kind is None:
        kind = Kind.UNAVAILABLE if status >= 500 else Kind.REJECTED
    said = readable(text) if text else f"no text, status {status}"
    return LlmError(
        kind,
        f"The server says: {said}",
        status=status,
        retry_after_seconds=_retry_after(headers.get("retry-after")),
    )


def error_text(body: str) -> str | None:
    """Return what an error document says, in any of the shapes that servers use; None when it is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None if body.lstrip()[:1] in ("<", "") else body
    return _said(document)


def _said(document: Any) -> str | None:
    if isinstance(document, str):
        return document
    if not isinstance(document, dict):
        return None
    for key in ("error", "detail", "message"):
        inner = document.get(key)
        if isinstance(inner, str) and inner:
            return inner
        if isinstance(inner, dict):
            parts = (inner.get("code"), inner.get("type"), inner.get("message"))
            return ": ".join(str(part) for part in parts if part not in (None, "")) or json.dumps(inner)[:300]
        if inner:
            return json.dumps(inner)[:300]
    return None


def _status_inside(body: str) -> int:
    """Return the status that an error which came as a success carries in its own `code`."""
    try:
        code = json.loads(body)["error"]["code"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return 200
    return code if isinstance(code, int) and 400 <= code < 600 else 200


def _by_wording(text: str) -> Kind | None:
    text = text[:4000]
    return next((kind for kind, pattern in _WORDINGS if pattern.search(text)), None)


def _retry_after(value: str | None) -> float | None:
    return float(value) if value and value.isdigit() and len(value) < 6 else None
