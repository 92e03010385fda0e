"""Dead letters: what could not be processed, and the way back."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from pydantic_core import to_json
from starlette.responses import Response

from agentic.errors import InvalidEvent
from agentic.intake import Redactor, parse_json
from api import examples
from api.models import Accepted, DeadPage
from api.openapi import answers
from api.problems import not_found
from api.routes.events import links
from api.routes.query import Cursor, Known, Limit
from api.services import json_response, services

router = APIRouter(tags=["operation"])

SHOWN_CHARS = 4096
READ_CHARS = 4 * SHOWN_CHARS
"""So much of a payload is looked at, that a secret which the cut goes through is still known as one."""


@router.get(
    "/dead",
    dependencies=[Known],
    responses=answers("invalid", "store-unavailable", model=DeadPage, example=examples.DEAD),
)
async def list_dead(request: Request, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """List dead letters with their reasons, newest first.

    Payloads are shown without secrets, long ones only with their beginning; a replay takes the original.
    """
    api = services(request)
    page = await api.store.dead(limit=limit, cursor=cursor)
    letters = [shown(letter, api.redactor) for letter in page.records]
    return json_response({"dead": letters, "next_cursor": page.next_cursor})


@router.post(
    "/dead/{event_id}/replay",
    status_code=202,
    responses=answers(
        "cross-site", "not-found", "store-unavailable", ok=202, model=Accepted, example=examples.ACCEPTED
    ),
)
async def replay_dead(request: Request, event_id: str) -> Response:
    """Put a dead letter back into the queue, once."""
    if not await services(request).store.replay(event_id):
        raise not_found("No dead letter of that id; it may have been replayed already.")
    return json_response({"status": "submitted", "event_id": event_id, "links": links(event_id)}, 202)


def shown(letter: Mapping[str, Any], redactor: Redactor | None) -> dict[str, Any]:
    """Return a dead letter as people may see it: nobody has redacted what could not be read as an event."""
    rest = {name: value for name, value in letter.items() if name not in ("payload", "payload_base64")}
    answer: dict[str, Any] = redactor.value(rest) if redactor else rest
    answer["event_id"] = letter["event_id"]  # it is what the replay is asked for by
    raw = _payload(letter)
    if raw is None:
        return answer
    text = _head_of(raw, redactor)
    cut = len(raw) > SHOWN_CHARS or len(text) > SHOWN_CHARS
    return {**answer, "payload": text[:SHOWN_CHARS], "payload_bytes": len(raw), "payload_cut": cut}


def _payload(letter: Mapping[str, Any]) -> bytes | None:
    if "payload_base64" in letter:
        return base64.b64decode(letter["payload_base64"])
    return letter["payload"].encode() if "payload" in letter else None


def _head_of(raw: bytes, redactor: Redactor | None) -> str:
    """Return the beginning of a payload without its secrets; as JSON where it is JSON, since names tell secrets."""
    try:
        value = _first(parse_json(raw), [READ_CHARS])
    except InvalidEvent:
        text = raw[:READ_CHARS].decode("utf-8", "replace")
        return redactor.text(text) if redactor else text
    return to_json(redactor.value(value) if redactor else value).decode()


def _first(value: Any, room: list[int]) -> Any:
    """Return the first part of JSON data, as much as there is room for."""
    if isinstance(value, dict):
        return {name: _first(item, room) for name, item in value.items() if _take(len(name) + 4, room)}
    if isinstance(value, list):
        return [_first(item, room) for item in value if _take(4, room)]
    if isinstance(value, str):
        head = value[: max(room[0], 0)]
        _take(len(head), room)
        return head
    return value


def _take(size: int, room: list[int]) -> bool:
    """Take room and say whether there was any."""
    room[0] -= size
    return room[0] + size > 0
