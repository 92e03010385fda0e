"""Feedback: what people say of a record, which later decisions take into account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from agentic.errors import InvalidEvent, Problem
from agentic.types import Feedback
from api import examples
from api.body import media_type, read_body
from api.models import FeedbackIn, Stored
from api.openapi import JSON, answers, body
from api.problems import not_found
from api.routes.events import links
from api.routes.forms import SMALL_BODY_BYTES, read_form
from api.services import Services, json_response, services
from api.words import unknown

router = APIRouter(tags=["history"])

EXAMPLES = {
    "it was right": {"event_id": "etl-2026-11-22.1", "user": "dana", "rating": 5, "verdict": "right"},
    "a correction": {
        "event_id": "etl-2026-11-22.1",
        "user": "dana",
        "rating": 2,
        "verdict": "wrong",
        "correct_category": "lock_contention",
        "correct_action": "retry_with_backoff",
        "comment": "The vacuum held the table.",
    },
}


@router.post(
    "/feedback",
    status_code=201,
    responses=answers(
        "cross-site",
        "not-found",
        "too-large",
        "unsupported-media-type",
        "invalid",
        "store-unavailable",
        ok=201,
        model=Stored,
        example=examples.STORED,
    ),
    openapi_extra=body(FeedbackIn, EXAMPLES),
)
async def give_feedback(request: Request) -> Response:
    """Say whether a record was right, and what would have been."""
    api = services(request)
    media_type(request, accepted=(JSON,))
    given = read_form(await read_body(request, SMALL_BODY_BYTES), FeedbackIn)
    record = await api.store.record(given.event_id)
    problems = [*_contradictions(given, record), *_unknown_action(given, api)]
    if problems:
        raise InvalidEvent(tuple(problems))
    comment = given.comment
    if comment and api.redactor is not None:
        comment = api.redactor.text(comment)
    feedback = Feedback.model_validate(
        {**given.model_dump(), "comment": comment, "evidence_lines": tuple(given.evidence_lines)}
    )
    if not await api.store.add_feedback(feedback):
        raise not_found("No record of that event; feedback is given once the handling is over.")
    return json_response({"status": "stored", "event_id": given.event_id, "links": links(given.event_id)}, 201)


def _unknown_action(given: FeedbackIn, api: Services) -> list[Problem]:
    if given.correct_action is None or given.correct_action in api.action_names:
        return []
    said = unknown(given.correct_action, sorted(api.action_names), "action or kind of action")
    return [Problem("/correct_action", said, "unknown_action")]


def _contradictions(given: FeedbackIn, record: Mapping[str, Any] | None) -> list[Problem]:
    """Find what cannot all be true: a right verdict with another category, evidence beyond the log's end."""
    if record is None:
        return []
    problems = []
    found = (record.get("diagnosis") or {}).get("category")
    if given.verdict == "right" and given.correct_category is not None and given.correct_category != found:
        message = f"the diagnosis said {found!r}; it cannot be right and another category be correct"
        problems.append(Problem("/correct_category", message, "contradiction"))
    lines = len((record.get("event") or {}).get("log") or ())
    problems += [
        Problem(f"/evidence_lines/{index}", f"the log has {lines} lines, numbered from 0", "out_of_range")
        for index, line in enumerate(given.evidence_lines)
        if line >= lines
    ]
    return problems[:50]
