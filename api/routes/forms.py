"""Small JSON bodies: the same strictness as for events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from agentic.errors import InvalidEvent, Problem
from agentic.intake import parse_json, problems_of
from api.words import choice

Model = TypeVar("Model", bound=BaseModel)

SMALL_BODY_BYTES = 64 * 1024


def read_form(raw: bytes, model: type[Model]) -> Model:
    """Read a body as a model; raises InvalidEvent naming every field that is wrong."""
    parse_json(raw)  # refuses duplicate keys and half surrogates, which the model would not notice
    try:
        return model.model_validate_json(raw.removeprefix(b"\xef\xbb\xbf"))
    except ValidationError as error:
        raise InvalidEvent(tuple(_in_our_words(error))) from None


def _in_our_words(error: ValidationError) -> Iterator[Problem]:
    """Yield the problems, those about a choice with all that can be chosen and the nearest."""
    for problem, found in zip(problems_of(error), error.errors(include_url=False), strict=False):
        said = choice(found)
        yield problem if said is None else Problem(problem.pointer, said, problem.code)
