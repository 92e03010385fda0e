"""What a command or an answer said: bounded while it is read, and fit to be shown."""

from __future__ import annotations

import re
from typing import Protocol

from agentic.unseen import CONTROLS_BUT_TAB_AND_NEWLINE, DIRECTION_MARKS

KEEP_BYTES = 64 * 1024
SHOWN_LINES = 20
SHOWN_CHARACTERS = 4000

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROL = re.compile(f"[{CONTROLS_BUT_TAB_AND_NEWLINE}{DIRECTION_MARKS}]")


class TextRedactor(Protocol):
    """Takes secrets out of a text."""

    def text(self, s: str, /) -> str:
        """Return the text without its secrets."""
        ...


class NoRedaction:
    """Leaves texts as they are; for trying things out in a shell."""

    def text(self, s: str, /) -> str:
        """Return the text."""
        return s


def plain(text: str) -> str:
    """Return the text without colours and control characters; the last state of a redrawn line counts."""
    text = _ESCAPE.sub("", text.replace("\r\n", "\n"))
    if "\r" in text:
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _CONTROL.sub("", text)


def one_line(text: str, limit: int = 500) -> str:
    """Return the text on one line and not longer than the limit."""
    text = " ".join(plain(text).split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


class Tail:
    """Keeps the end of a stream and counts the rest."""

    def __init__(self, keep_bytes: int = KEEP_BYTES) -> None:
        self.total_bytes = 0
        self._keep_bytes = keep_bytes
        self._data = bytearray()

    def add(self, data: bytes) -> None:
        """Take the next piece of the stream."""
        self.total_bytes += len(data)
        self._data += data
        if len(self._data) > 2 * self._keep_bytes:  # cut now and then, not on every piece
            del self._data[: -self._keep_bytes]

    @property
    def kept(self) -> bytes:
        """The end of the stream."""
        return bytes(self._data[-self._keep_bytes :])

    def shown(self, redactor: TextRedactor) -> str:
        """Return the last lines, redacted and clean, saying how much came before."""
        kept = self.kept
        if self.total_bytes > len(kept):
            # The first line is cut somewhere, perhaps in the middle of a secret that nobody would recognise.
            kept = kept.partition(b"\n")[2] or b"(one very long line)"
        lines = redactor.text(plain(kept.decode("utf-8", "replace"))).rstrip().split("\n")
        text = "\n".join(lines[-SHOWN_LINES:])[-SHOWN_CHARACTERS:].strip()
        hidden = self.total_bytes - len(text.encode())
        if len(lines) > SHOWN_LINES or hidden > len(text) + SHOWN_CHARACTERS:
            text = f"(last lines of {self.total_bytes} bytes)\n{text}"
        return text
