"""Pieces of a large log as bytes: cleaned, broken where a line is too long, and with a way back to their place."""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence
from itertools import accumulate

LONG_LINE = 4 << 10
SOFT = b"\x1e\n"
"""Stands inside a line too long to be kept in one piece; control characters of the log itself are gone by then."""
_PART = 64 << 10
_DROPPED = bytes(set(range(32)) - {8, 9, 10, 13, 27}) + b"\x7f"
_ESCAPE = re.compile(
    rb"\x1b(?:\[[0-?]{0,64}[ -/]{0,16}[@-~]|[\]PX^_][^\x07\x1b\n]{0,4096}(?:\x07|\x1b\\)?|[ -/]{0,4}[0-~]?)"
)


class Part:
    """Some of the text of a block, joined, with the place in the block that each piece is from."""

    def __init__(self, text: bytes, joined: Sequence[int], places: Sequence[int]) -> None:
        self.text = text
        self._joined = joined
        self._places = places
        self._starts: list[int] = []

    @classmethod
    def of(cls, text: bytes, at: int) -> Part:
        """Return a text that stands in one piece at this place of the block."""
        return cls(text, (0,), (at,))

    @classmethod
    def lines(cls, text: bytes, at: int, numbers: Sequence[int]) -> Part:
        """Return some lines of a text that stands at this place of the block."""
        lines = text.split(b"\n")
        starts = list(accumulate((len(line) + 1 for line in lines), initial=at))
        chosen = [lines[number] for number in numbers]
        joined = list(accumulate((len(line) + 1 for line in chosen), initial=0))
        return cls(b"\n".join([*chosen, b""]), joined[:-1] or (0,), [starts[number] for number in numbers] or (at,))

    def runs(self, spans: Sequence[tuple[int, int]]) -> Part:
        """Return the whole lines of this text that lie in spans."""
        pieces: list[bytes] = []
        joined: list[int] = []
        places: list[int] = []
        done = length = 0
        for start, end in sorted(spans):
            start = max(start, done)
            while start < end:
                piece_end = min(end, self._piece_end(start))
                piece = self.text[start:piece_end]
                joined.append(length)
                places.append(self.place(start))
                pieces.append(piece)
                length += len(piece)
                start = done = piece_end
        return Part(b"".join(pieces), joined or (0,), places or (0,))

    def place(self, offset: int) -> int:
        """Return where in the block this part of the text is from."""
        index = bisect.bisect_right(self._joined, offset) - 1
        return self._places[index] + offset - self._joined[index]

    def line(self, number: int) -> tuple[bytes, int]:
        """Return a line and where in the block it begins."""
        if not self._starts:
            self._starts = list(accumulate((len(line) + 1 for line in self.text.split(b"\n")), initial=0))
        start, end = self._starts[number], self._starts[number + 1]
        return self.text[start : end - 1], self.place(start)

    def _piece_end(self, offset: int) -> int:
        index = bisect.bisect_right(self._joined, offset)
        return self._joined[index] if index < len(self._joined) else len(self.text)


def cleaned(data: bytes) -> bytes:
    """Return a piece of a log without colours and control characters."""
    if b"\x1b" in data:
        data = _without_escapes(data)
    return data.translate(None, _DROPPED)


def _without_escapes(data: bytes) -> bytes:
    """Remove colours and the like, in parts: thousands of matches at once would take many times the text's memory."""
    parts = []
    start = 0
    while start < len(data):
        # An escape sequence begins where the next part does, so none is cut.
        end = data.find(b"\x1b", start + _PART)
        end = len(data) if end < 0 else end
        parts.append(_ESCAPE.sub(b"", data[start:end]))
        start = end
    return b"".join(parts)


def line_ends(text: bytes, start: int, end: int) -> int:
    """Count the line ends of the log; breaks of ours within a long line are none."""
    return text.count(b"\n", start, end) - text.count(SOFT, start, end)


def lines_back(text: bytes, place: int, count: int) -> int:
    """Return the beginning of the line that stands so many lines before a place."""
    for _ in range(count + 1):
        place = text.rfind(b"\n", 0, place)
        if place < 0:
            return 0
    return place + 1


def lines_on(text: bytes, count: int) -> int:
    """Return where so many lines from the beginning end."""
    place = 0
    for _ in range(count):
        place = text.find(b"\n", place) + 1
        if not place:
            return len(text)
    return place


def softly_broken(text: bytes) -> bytes:
    """Break very long lines into pieces."""
    parts: list[bytes] = []
    start = done = 0
    while len(text) - start > LONG_LINE:
        line_end = text.rfind(b"\n", start, start + LONG_LINE)
        if line_end >= 0:
            start = line_end + 1
            continue
        start += good_cut(text[start : start + LONG_LINE])
        parts += (text[done:start], SOFT)
        done = start
    return b"".join([*parts, text[done:]]) if parts else text


def good_cut(text: bytes | bytearray) -> int:
    """Return where to cut a text without a line end: past what was overwritten, else where a statement ends."""
    for mark in (b"\r", b"}", b";", b",", b" "):
        place = text.rfind(mark, len(text) - len(text) // 8)
        if place > 0:
            return place + 1
    return len(text)
