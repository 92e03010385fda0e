"""Query parameters that several routes share, read strictly."""

from __future__ import annotations

import difflib
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from agentic.report import parse_time
from api.problems import parameter_error


def only_known_parameters(request: Request) -> None:
    """Refuse a query parameter that the route does not know: a filter with a typo would show everything."""
    known = [field.alias for field in request.scope["route"].dependant.query_params]
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise parameter_error(name[:80], "unknown", f"unknown parameter{hint}")
        if names.count(name) > 1:
            raise parameter_error(name, "repeated", "given more than once")


def _time(value: Any) -> Any:
    if isinstance(value, str):
        if value.replace(".", "", 1).isdecimal() and value.isascii():
            return parse_time(float(value))
        # "+02:00" in a URL that nobody escaped arrives as " 02:00".
        return parse_time(f"{value[:-6]}+{value[-5:]}" if value[-6:-5] == " " else value)
    raise PydanticCustomError("wrong_type", "a time belongs here")


Known = Depends(only_known_parameters)
Limit = Annotated[int, Query(ge=1, le=200, description="Entries per page")]
Cursor = Annotated[str | None, Query(min_length=1, max_length=512, description="`next_cursor` of the page before")]
Time = Annotated[datetime | None, BeforeValidator(lambda value: None if value is None else _time(value)), Query()]
