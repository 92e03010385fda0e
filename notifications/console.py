"""Writes messages to the terminal or the log of the service."""

from __future__ import annotations

import re
import sys
import threading
from typing import Literal, TextIO

from notifications.base import Message, Notifier, NotifyError, Severity

COLOURS = {Severity.INFO: "36", Severity.WARNING: "33", Severity.ERROR: "31"}
# Controls could rewrite what stands on the screen, and direction marks what is read there.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")


class Console(Notifier):
    """Writes a readable block per message; coloured only on a terminal."""

    def __init__(self, stream: Literal["stderr", "stdout"] = "stderr") -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        """Write the message in one piece."""
        stream: TextIO | None = sys.stdout if self._stream == "stdout" else sys.stderr
        if stream is None:  # so it is in a program without a terminal on some systems
            raise NotifyError(f"there is no {self._stream}", permanent=True)
        try:
            block = render(message, colour=stream.isatty())
            encoding = stream.encoding or "utf-8"
            with self._lock:  # blocks of two incidents must not run into each other
                stream.write(block.encode(encoding, "replace").decode(encoding))
                stream.flush()
        except (OSError, ValueError) as error:
            raise NotifyError(f"{self._stream} cannot be written: {error}", permanent=True) from error


def render(message: Message, *, colour: bool) -> str:
    """Return the message as a block of lines."""
    mark, end = (f"\x1b[1;{COLOURS[message.severity]}m", "\x1b[0m") if colour else ("", "")
    lines = [f"{mark}● {message.severity.value.upper()}  {_line(message.title)}{end}"]
    lines += [f"  {line}" for line in _text(message.body).splitlines()]
    facts = {"job": message.job_id, "category": message.category, "event": message.event_id, **message.fields}
    lines += [f"  {_line(name)}: {_line(value)}" for name, value in facts.items() if value]
    lines += [f"  {_line(words)}: {_line(address)}" for words, address in message.links.items()]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    return CONTROLS.sub("", ESCAPES.sub("", text)).rstrip()


def _line(text: str) -> str:
    return " ".join(_text(text).split())
