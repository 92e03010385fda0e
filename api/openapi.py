"""What the OpenAPI document says beyond what FastAPI finds out: bodies that we read ourselves, and problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from agentic.report import Report
from api.examples import problem
from api.models import ApproveIn, FeedbackIn, PauseIn, ProblemDocument, RejectIn
from api.problems import TITLES, TYPE_PREFIX

BODIES: tuple[type[BaseModel], ...] = (Report, FeedbackIn, ApproveIn, RejectIn, PauseIn)
REF = "#/components/schemas/{model}"
JSON = "application/json"
TAGS = [
    {"name": "events", "description": "Report what happened to a job's run."},
    {"name": "history", "description": "What was found and done: one record for each event. Say if it was right."},
    {"name": "incidents", "description": "The handling of events, as it stands now."},
    {"name": "jobs", "description": "What is known of each job."},
    {"name": "operation", "description": "Health, numbers, dead letters and the pause switch."},
]
DESCRIPTION = (
    "Self-healing for batch jobs. Send an event when a job's run ends badly (or well); read what was found and "
    "done in the history. Times are UTC, durations are seconds. Errors are `application/problem+json` (RFC 9457)."
)


def body(model: type[BaseModel], examples: Mapping[str, Any], *, required: bool = True) -> dict[str, Any]:
    """Describe a JSON body for `openapi_extra`."""
    return {"requestBody": {"required": required, "content": {JSON: content(ref(model), examples)}}}


def content(schema: Mapping[str, Any], examples: Mapping[str, Any]) -> dict[str, Any]:
    """Describe one media type of a body: schema and named examples."""
    return {"schema": schema, "examples": {name: {"value": value} for name, value in examples.items()}}


def ref(model: type[BaseModel]) -> dict[str, Any]:
    """Refer to a model among the components."""
    return {"$ref": REF.format(model=model.__name__)}


def answers(
    *codes: str,
    example: Mapping[str, Any] | None = None,
    ok: int = 200,
    model: type[BaseModel] | None = None,
    text: str | None = None,
) -> dict[int | str, dict[str, Any]]:
    """Describe a route's answers: the good one, and the problems by their codes."""
    good: dict[str, Any] = {"description": text or (model.__doc__ or "").strip().splitlines()[0]}
    if model is not None:
        good["model"] = model
    if example is not None:
        good["content"] = {JSON: {"example": example}}
    described: dict[int | str, dict[str, Any]] = {ok: good}
    for code in (*codes, "internal"):
        status, title = TITLES[code]
        described[status] = {
            "description": title,
            "content": {
                "application/problem+json": {
                    "schema": ref(ProblemDocument),
                    "example": problem(code, status, title, TYPE_PREFIX + code),
                }
            },
        }
        if status in (429, 503):
            described[status]["headers"] = {
                "Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}}
            }
    return described


def install_openapi(app: FastAPI, *, max_batch: int) -> None:
    """Make the app's document complete; it is built once, when first asked for."""
    build = app.openapi

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(build(), max_batch)
        return app.openapi_schema

    app.openapi = complete  # type: ignore[method-assign]


def _complete(document: dict[str, Any], max_batch: int) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for model in BODIES:
        schemas[model.__name__] = _component(model, "validation", schemas)
    schemas[ProblemDocument.__name__] = _component(ProblemDocument, "serialization", schemas)
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own shape of 422, which nobody gets
        schemas.pop(name, None)
    batch = document["paths"]["/events"]["post"]["requestBody"]["content"][JSON]["schema"]
    batch["maxItems"] = max_batch
    for path in document["paths"].values():
        for operation in path.values():
            _speak(operation)
            wrong = operation["responses"].get("422", {}).get("content", {}).get(JSON)
            if wrong is not None:
                del operation["responses"]["422"]
    return document


def _speak(operation: dict[str, Any]) -> None:
    """Give an operation its docstring's sentence as summary, instead of its function's name."""
    said, _, more = str(operation["description"]).partition("\n\n")
    head, _, tail = " ".join(said.split()).partition("; ")
    operation["summary"] = head.rstrip(".")
    operation["description"] = "\n\n".join(part for part in (said if tail or not more else "", more) if part)


def _component(model: type[BaseModel], mode: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template=REF, mode=mode)
    for name, definition in schema.pop("$defs", {}).items():
        schemas.setdefault(name, definition)
    return schema
