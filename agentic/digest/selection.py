"""What is kept of a log of any size: its head, its tail, and the surroundings of every line that may matter.

A log that is small is kept whole. Of a larger one only a bounded part is ever in memory; line numbers stay those of
the log as received.
"""

from __future__ import annotations

import codecs
import heapq
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agentic.digest.cleaning import clean_lines, split_log
from agentic.digest.encoding import decode_line, decode_log, wide_encoding
from agentic.digest.severity import TELLING, severity

WHOLE_BYTES = 1 << 20
WHOLE_LINES = 50_000
_BLOCK = 1 << 20
_HEAD, _TAIL = 64 << 10, 192 << 10
_BEFORE, _AFTER = 4, 8
_SIGNIFICANT = 20
_MOST_TELLING = 400
_MOST_SEEN = 50_000
_LONG_LINE = 16 << 10
_LONGEST_KEPT = 4 << 10
_FIRST_OF_RULE, _LAST_OF_RULE = 6, 3

_SOFT = b"\x1e\n"
"""Stands inside a line too long to be kept in one piece; control characters of the log itself are gone by then."""
_DROPPED = bytes(set(range(32)) - {8, 9, 10, 13, 27}) + b"\x7f"
_ESCAPE = re.compile(
    rb"\x1b(?:\[[0-?]{0,64}[ -/]{0,16}[@-~]|[\]PX^_][^\x07\x1b\n]{0,4096}(?:\x07|\x1b\\)?|[ -/]{0,4}[0-~]?)"
)
_KEY_BEGIN, _KEY_END = b"PRIVATE KEY", b"-----END"
_KEY_LINES = 400
_FOLD = bytes.maketrans(b"123456789", b"000000000")


class Scout(Protocol):
    """Knows which lines of a log may prove something."""

    def places(self, block: bytes) -> Iterable[int]:
        """Return places in a block of text, one at least in each line that may matter."""

    def names(self, lines: bytes) -> Mapping[str, Sequence[int]]:
        """Return what lines are proof of, each with their numbers among these."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The kept lines of a log, cleaned, with the number that each has in the log as received."""

    lines: tuple[str, ...]
    numbers: tuple[int, ...]
    total_lines: int
    whole: bool

    @property
    def number_of(self) -> tuple[int, ...] | None:
        """The numbers of the lines, or None when nothing was left out."""
        return None if self.whole else self.numbers


@dataclass(slots=True)
class _Kept:
    """Some lines around a place that matters."""

    number: int
    at: int
    text: bytes


class Selector:
    """Takes a log piece by piece and keeps what is worth reading, in bounded memory."""

    def __init__(self, scout: Scout | None = None) -> None:
        self._scout = scout
        self._decoder: Any = None
        self._buffer = bytearray()
        self._whole = True
        self._lines_in_whole = 0
        self._block = b""
        self._scan_from = 0
        self._block_at = 0
        self._number = 0
        self._head = b""
        self._tail: list[bytes] = []
        self._in_key = 0
        self._inside_line = False
        self._seen: set[int] = set()
        self._telling: list[tuple[int, int, _Kept]] = []
        self._by_name: dict[str, list[_Kept]] = {}
        self._last_by_name: dict[str, list[_Kept]] = {}

    def feed(self, data: bytes) -> None:
        """Take the next piece of the log."""
        if self._whole:
            self._lines_in_whole += data.count(b"\n")
            self._buffer += data
            if len(self._buffer) <= WHOLE_BYTES and self._lines_in_whole <= WHOLE_LINES:
                return
            self._whole = False
            data, self._buffer = bytes(self._buffer), bytearray()
            wide = wide_encoding(data)
            if wide is not None:
                self._decoder = codecs.getincrementaldecoder(wide[0])("replace")
                data = data[wide[1] :]
        for start in range(0, len(data), _BLOCK):
            piece = data[start : start + _BLOCK]
            if self._decoder is not None:
                piece = self._decoder.decode(piece).encode("utf-8", "surrogatepass")
            self._buffer += piece
            while len(self._buffer) >= _BLOCK:
                self._advance(final=False)

    def close(self) -> Selection:
        """Return what was kept of everything that was taken."""
        if self._whole:
            lines = tuple(split_log(decode_log(bytes(self._buffer))))
            return Selection(lines, tuple(range(len(lines))), len(lines), whole=True)
        if self._decoder is not None:
            self._buffer += self._decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")
        self._advance(final=True)
        return self._selected()

    def _advance(self, *, final: bool) -> None:
        """Clean what has come in and look through all of it whose surroundings are known."""
        end = len(self._buffer) if final else self._buffer.rfind(b"\n") + 1
        inside = not end and not final
        if inside:
            end = _good_cut(self._buffer)
        ends_line = final and (self._buffer[-1:] not in (b"", b"\n") or (self._inside_line and not end))
        self._inside_line = inside
        fresh = self._cleaned(bytes(self._buffer[:end])) + (_SOFT if inside else b"\n" if ends_line else b"")
        del self._buffer[:end]
        self._remember_ends(fresh)
        self._block += fresh
        self._look_through(final=final)

    def _cleaned(self, data: bytes) -> bytes:
        if b"\x1b" in data:
            data = _ESCAPE.sub(b"", data)
        data = data.translate(None, _DROPPED)
        if self._in_key or _KEY_BEGIN in data:
            data = self._without_keys(data)
        return _softly_broken(data)

    def _without_keys(self, data: bytes) -> bytes:
        """Empty the lines of private keys: a window may show the middle of one, where nobody would know it as such."""
        lines = data.split(b"\n")
        for number, line in enumerate(lines):
            if self._in_key:
                self._in_key = 0 if _KEY_END in line else self._in_key - 1
                if self._in_key and line and b" " not in line.strip():
                    lines[number] = b"[REDACTED:private_key]"
            elif _KEY_BEGIN in line and _KEY_END not in line:
                self._in_key = _KEY_LINES
        return b"\n".join(lines)

    def _remember_ends(self, fresh: bytes) -> None:
        if len(self._head) < _HEAD:
            self._head += fresh[: _HEAD - len(self._head)]
        self._tail.append(fresh)
        while len(self._tail) > 1 and sum(map(len, self._tail[1:])) >= _TAIL:
            del self._tail[0]

    def _look_through(self, *, final: bool) -> None:
        block = self._block
        upto = len(block) if final else _lines_back(block, len(block), _AFTER)
        if upto > self._scan_from:
            self._keep_what_matters(block, self._scan_from, upto)
            self._number += _line_ends(block, self._scan_from, upto)
        keep = _lines_back(block, upto, _BEFORE)
        self._block = block[keep:]
        self._block_at += keep
        self._scan_from = upto - keep

    def _keep_what_matters(self, block: bytes, start: int, upto: int) -> None:
        """Keep the surroundings of the lines that look like a fault, and of those that a signature knows."""
        text = block[start:upto]
        counted = _LineCounter(block, start, self._number)
        self._keep_severe(block, counted, (start + place for place in _telling_places(text)))
        if self._scout is not None:
            counted = _LineCounter(block, start, self._number)
            places = sorted(start + place for place in self._scout.places(text))
            self._keep_known(block, counted, _line_spans(block, places))

    def _keep_severe(self, block: bytes, counted: _LineCounter, places: Iterable[int]) -> None:
        if len(self._seen) > _MOST_SEEN:
            self._seen.clear()
        for begin, place, line in _line_spans(block, places):
            form = hash(line.translate(_FOLD))
            if form in self._seen:
                continue
            self._seen.add(form)
            weight = severity(line)
            full = len(self._telling) >= _MOST_TELLING
            # Of equally strong signs the earliest is nearest to the cause.
            if weight < _SIGNIFICANT or (full and weight <= self._telling[0][0]):
                continue
            entry = (weight, -begin - self._block_at, self._around(block, counted.number(begin), begin, place))
            (heapq.heappushpop if full else heapq.heappush)(self._telling, entry)

    def _keep_known(self, block: bytes, counted: _LineCounter, spans: Iterable[tuple[int, int, bytes]]) -> None:
        assert self._scout is not None
        found = list(spans)
        if not found:
            return
        names = self._scout.names(b"\n".join(line for _, _, line in found))
        numbers: dict[int, _Kept] = {}
        for index in sorted({index for places in names.values() for index in places}):
            begin, place, _ = found[index]
            numbers[index] = self._around(block, counted.number(begin), begin, place)
        for name, places in names.items():
            first = self._by_name.setdefault(name, [])
            last = self._last_by_name.setdefault(name, [])
            room = max(0, _FIRST_OF_RULE - len(first))
            first.extend(numbers[index] for index in places[:room])
            last.extend(numbers[index] for index in places[room:])
            del last[:-_LAST_OF_RULE]

    def _around(self, block: bytes, number: int, begin: int, sign: int) -> _Kept:
        end = begin
        for _ in range(_AFTER):
            end = block.find(b"\n", end) + 1 or len(block)
        first = _lines_back(block, begin, _BEFORE)
        if end - first > _LONGEST_KEPT * 2:
            first = max(first, begin, sign - _LONGEST_KEPT // 2)
            end = min(end, first + _LONGEST_KEPT)
        return _Kept(number - _line_ends(block, first, begin), self._block_at + first, block[first:end])

    def _selected(self) -> Selection:
        total = self._number
        tail = b"".join(self._tail)
        begin = max(0, len(tail) - _TAIL)
        begin = tail.find(b"\n", begin) + 1 if begin else 0
        tail_at = self._block_at + len(self._block) - len(tail) + begin
        windows = [_Kept(0, 0, self._head), _Kept(total - _line_ends(tail, begin, len(tail)), tail_at, tail[begin:])]
        windows += [entry[2] for entry in self._telling]
        for by_name in (self._by_name, self._last_by_name):
            windows += [one for kept in by_name.values() for one in kept]
        return _merged(windows, total)


class _LineCounter:
    """Tells the numbers of lines whose places come in order."""

    def __init__(self, block: bytes, start: int, number: int) -> None:
        self._block = block
        self._at = start
        self._number = number

    def number(self, begin: int) -> int:
        self._number += _line_ends(self._block, self._at, begin)
        self._at = begin
        return self._number


def _telling_places(text: bytes) -> Iterator[int]:
    for match in TELLING.finditer(text):
        start, end = match.span()
        # A sign may begin with white space that reaches back over line ends.
        while start < end - 1 and text[start] in b" \t\r\n":
            start += 1
        yield start


def _line_spans(block: bytes, places: Iterable[int]) -> Iterator[tuple[int, int, bytes]]:
    """Return the beginning, the first place and the text of each line in which a place lies; places are in order."""
    end = -1
    for place in places:
        if place < end:
            continue
        begin = block.rfind(b"\n", 0, place) + 1
        end = block.find(b"\n", place)
        if end < 0:
            end = len(block)
        line = block[begin:end]
        if len(line) > _LONGEST_KEPT:
            line = line[max(0, place - begin - _LONGEST_KEPT // 4) :][:_LONGEST_KEPT]
        yield begin, place, line


def _merged(windows: Sequence[_Kept], total: int) -> Selection:
    """Bring windows that overlap into one sequence of lines, with an empty line where something was left out."""
    pieces: dict[int, tuple[int, bytes]] = {}
    for window in windows:
        number, at = window.number, window.at
        for line in window.text.split(b"\n")[: -1 if window.text.endswith(b"\n") else None]:
            known = pieces.get(at)
            if known is None or len(known[1]) < len(line):
                pieces[at] = (number, line)
            at += len(line) + 1
            number += not line.endswith(b"\x1e")
    texts: list[bytes] = []
    numbers: list[int] = []
    end = 0
    for at in sorted(pieces):
        number, line = pieces[at]
        if at > end and numbers:
            texts.append(b"")
            numbers.append(numbers[-1])
        texts.append(line.rstrip(b"\x1e\r")[:_LONG_LINE])
        numbers.append(number)
        end = max(end, at + len(line) + 1)
    lines = clean_lines([decode_line(text) for text in texts])
    return Selection(tuple(lines), tuple(numbers), total, whole=False)


def _line_ends(text: bytes, start: int, end: int) -> int:
    """Count the line ends of the log; breaks of ours within a long line are none."""
    return text.count(b"\n", start, end) - text.count(_SOFT, start, end)


def _lines_back(text: bytes, place: int, count: int) -> int:
    """Return the beginning of the line that stands so many lines before a place."""
    for _ in range(count + 1):
        place = text.rfind(b"\n", 0, place)
        if place < 0:
            return 0
    return place + 1


def _softly_broken(text: bytes) -> bytes:
    """Break very long lines into pieces."""
    parts: list[bytes] = []
    start = done = 0
    while len(text) - start > _LONG_LINE:
        line_end = text.rfind(b"\n", start, start + _LONG_LINE)
        if line_end >= 0:
            start = line_end + 1
            continue
        start += _good_cut(text[start : start + _LONG_LINE])
        parts += (text[done:start], _SOFT)
        done = start
    return b"".join([*parts, text[done:]]) if parts else text


def _good_cut(text: bytes | bytearray) -> int:
    """Return where to cut a text without a line end: past what was overwritten, else between words."""
    for mark in (b"\r", b" ", b","):
        place = text.rfind(mark, len(text) - len(text) // 8)
        if place > 0:
            return place + 1
    return len(text)
