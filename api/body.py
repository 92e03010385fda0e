"""Reading a request body: the right kind, not too large, not too slow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from api.problems import ApiProblem

BODY_TIMEOUT_SECONDS = 30.0
"""For a body that comes in more than one piece; also bounds what a slow sender can hold open."""
DRAIN_FACTOR = 8
"""Of a body that is too large this many times the limit is read and thrown away, so that ordinary clients,
which write all before they read, get to see the answer."""


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body; raises ApiProblem as soon as it is known to be too large."""
    declared = request.headers.get("content-length")
    if declared is not None and declared.isdecimal() and int(declared) > max_bytes:
        await _refuse(request, max_bytes)
    message = await request.receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body", False) and len(body) <= max_bytes:
        return body
    try:
        async with asyncio.timeout(BODY_TIMEOUT_SECONDS):
            return await _read_pieces(request, message, max_bytes)
    except TimeoutError:
        raise ApiProblem(
            "body-too-slow",
            f"The body was not complete after {BODY_TIMEOUT_SECONDS:.0f} seconds.",
            headers={"connection": "close"},
        ) from None


async def _read_pieces(request: Request, message: Message, max_bytes: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > max_bytes:
            pieces.clear()
            await _refuse(request, max_bytes)
        if not message.get("more_body", False):
            return b"".join(pieces)
        message = await request.receive()


async def _refuse(request: Request, max_bytes: int) -> None:
    drained = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_SECONDS / 3):
            while drained < max_bytes * DRAIN_FACTOR:
                message = await request.receive()
                drained += len(message.get("body", b""))
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        pass
    raise ApiProblem("too-large", f"The body may have at most {max_bytes} bytes.", headers={"connection": "close"})


def media_type(request: Request, *, accepted: Sequence[str]) -> str:
    """Return the media type of the body, one of `accepted` (`+json` counts as JSON); raises ApiProblem."""
    wanted = " or ".join(accepted)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise ApiProblem("unsupported-media-type", "Compressed bodies are not taken; send it without encoding.")
    header = request.headers.get("content-type")
    if not header:
        raise ApiProblem("unsupported-media-type", f"The request has no Content-Type; send {wanted}.")
    media, _, parameters = header.partition(";")
    media = media.strip().lower()
    if media.startswith("application/") and media.endswith("+json"):
        media = "application/json"
    if media not in accepted:
        raise ApiProblem("unsupported-media-type", f"Send Content-Type: {wanted}, not {media[:80]!r}.")
    charset = _charset(parameters)
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise ApiProblem("unsupported-media-type", f"JSON is sent as UTF-8, not as {charset[:40]!r}.")
    return media


def _charset(parameters: str) -> str:
    for parameter in parameters.lower().split(";"):
        name, _, value = parameter.strip().partition("=")
        if name == "charset":
            return value.strip('"')
    return "utf-8"
