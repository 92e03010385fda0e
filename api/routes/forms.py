"""Small JSON bodies: the same strictness as for events."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from agentic.errors import InvalidEvent
from agentic.intake import parse_json, problems_of

Model = TypeVar("Model", bound=BaseModel)

SMALL_BODY_BYTES = 64 * 1024


def read_form(raw: bytes, model: type[Model]) -> Model:
    """Read a body as a model; raises InvalidEvent naming every field that is wrong."""
    parse_json(raw)  # refuses duplicate keys and half surrogates, which the model would not notice
    try:
        return model.model_validate_json(raw.removeprefix(b"\xef\xbb\xbf"))
    except ValidationError as error:
        raise InvalidEvent(problems_of(error)) from None
