"""Writing to the terminal: data on stdout, talk on stderr, and nothing in a log can move the cursor."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_BLANKS_AT_THE_END = re.compile(r"[ \t]+$", re.MULTILINE)
WIDE = 160


def clean(value: Any) -> str:
    """Return a value as text that a terminal shows and does not obey."""
    return _CONTROL.sub("\ufffd", "" if value is None else str(value))


def complain(message: str) -> None:
    """Say on stderr what is wrong."""
    print(f"autoremedy: {clean_lines(message)}", file=sys.stderr)


def clean_lines(text: str) -> str:
    """Clean a text of several lines."""
    return "\n".join(clean(line) for line in text.split("\n"))


@contextmanager
def quiet_logs() -> Iterator[None]:
    """Keep what the services' parts log out of the answers; only what is wrong is said, on stderr."""
    import logging

    import structlog

    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    try:
        yield
    finally:
        structlog.configure(**before)


def print_json(value: Any) -> None:
    """Write data for programs; ASCII only, so that no locale can break it."""
    print(json.dumps(value, indent=2))


def console() -> Console:
    """Return where tables and pages go; wide when nobody's window bounds it."""
    from rich.console import Console

    if sys.stdout.isatty():
        return Console(highlight=False, emoji=False, markup=False, soft_wrap=False)
    return Console(width=WIDE, file=_Trimmed(), highlight=False, emoji=False, markup=False, soft_wrap=False)


class _Trimmed(io.StringIO):
    """Standard output without the blanks with which tables fill their lines: who reads it is a program or a mail."""

    def write(self, text: str) -> int:
        sys.stdout.write(_BLANKS_AT_THE_END.sub("", text))
        return len(text)

    def flush(self) -> None:
        sys.stdout.flush()
