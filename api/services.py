"""What the routes work with, handed over once when the app is made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from agentic.intake import Limits, Redactor
from api.metrics import HttpMetrics
from api.ports import Store


@dataclass(slots=True)
class Services:
    """The store and everything else a route needs."""

    store: Store
    redactor: Redactor | None
    limits: Limits
    action_names: frozenset[str]
    """Names and kinds that `correct_action` may be."""
    metrics: HttpMetrics = field(default_factory=HttpMetrics)
    started: float = field(default_factory=time.monotonic)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a batch is read in place: between two of them the loop sends and receives for everybody else."""
    reading_long: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a long body is read in a thread: several at once would only fight for the interpreter."""


def services(request: Request) -> Services:
    """Return the services of the app that a request came to."""
    found: Services = request.app.state.services
    return found


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Write JSON with the serializer that is written in Rust; stored data need no other treatment."""
    return Response(to_json(content), status, headers, media_type="application/json")
