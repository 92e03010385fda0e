"""What is kept of a log of any size: its head, its tail, and the surroundings of every line that may matter.

A log that is small is kept whole. Of a larger one only a bounded part is ever in memory; line numbers stay those of
the log as received.
"""

from __future__ import annotations

import codecs
import heapq
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agentic.digest.blocks import SOFT, Part, cleaned, good_cut, line_ends, lines_back, lines_on, softly_broken
from agentic.digest.cleaning import clean_lines, split_log
from agentic.digest.encoding import decode_line, decode_log, wide_encoding
from agentic.digest.severity import TELLING, severity

WHOLE_BYTES = 1 << 20
WHOLE_LINES = 50_000
_BLOCK = 1 << 20
_HEAD, _TAIL = 64 << 10, 192 << 10
_BEFORE, _AFTER = 4, 8
_SIGNIFICANT = 20
_DENSE, _SHORT_LINE = 32 << 10, 16
_MOST_TELLING = 400
_MOST_SEEN = 25_000
_LONGEST_WINDOW = 8 << 10
_MOST_LINES_AT_ENDS = 4_000
_MOST_OF_RULE = 6

_KEY_BEGIN, _KEY_END = b"PRIVATE KEY", b"-----END"
_KEY_LINES = 400
_FOLD = bytes.maketrans(b"123456789abcdefABCDEF", b"0" * 21)
"""Numbers and ids are alike: the first line of each form is looked at."""
_FOLD_ALL = bytes.maketrans(b"023456789abcdefABCDEF", b"1" * 21)


class Scout(Protocol):
    """Knows which lines of a log may prove something."""

    def runs(self, text: bytes) -> list[tuple[int, int]]:
        """Return where the lines stand that may matter, from line start to line start, neighbours together."""

    def names(self, lines: bytes, known: Container[str]) -> Mapping[str, Sequence[int]]:
        """Return what lines are proof of, each with their numbers among these; of what is known no more is needed."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The kept lines of a log, with the number that each has in the log as received."""

    lines: tuple[str, ...]
    numbers: tuple[int, ...]
    total_lines: int
    whole: bool

    @classmethod
    def of(cls, lines: Iterable[str]) -> Selection:
        """Return all of a log that is at hand as lines."""
        kept = tuple(lines)
        return cls(kept, tuple(range(len(kept))), len(kept), whole=True)

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
    """Takes a log piece by piece and keeps what is worth reading, in bounded memory.

    A scout takes a while to make, so it is only asked for once a log turns out to be large.
    """

    def __init__(self, make_scout: Callable[[], Scout] | None = None) -> None:
        self._make_scout = make_scout
        self._scout: Scout | None = None
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
        self._often_seen: set[int] = set()
        self._telling: list[tuple[int, int, _Kept]] = []
        self._by_name: dict[str, list[_Kept]] = {}
        self._well_known: set[str] = set()

    def feed(self, data: bytes) -> None:
        """Take the next piece of the log."""
        if self._whole:
            self._lines_in_whole += data.count(b"\n")
            self._buffer += data
            if len(self._buffer) <= WHOLE_BYTES and self._lines_in_whole <= WHOLE_LINES:
                return
            self._whole = False
            self._scout = self._make_scout() if self._make_scout is not None else None
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
            return Selection.of(split_log(decode_log(bytes(self._buffer))))
        if self._decoder is not None:
            self._buffer += self._decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")
        self._advance(final=True)
        return self._selected()

    def _advance(self, *, final: bool) -> None:
        """Clean what has come in and look through all of it whose surroundings are known."""
        end = len(self._buffer) if final else self._buffer.rfind(b"\n") + 1
        inside = not end and not final
        if inside:
            end = good_cut(self._buffer)
        ends_line = final and (bytes(self._buffer[-1:]) not in (b"", b"\n") or (self._inside_line and not end))
        self._inside_line = inside
        fresh = self._cleaned(bytes(self._buffer[:end])) + (SOFT if inside else b"\n" if ends_line else b"")
        del self._buffer[:end]
        self._remember_ends(fresh)
        self._block += fresh
        self._look_through(final=final)

    def _cleaned(self, data: bytes) -> bytes:
        data = cleaned(data)
        if self._in_key or _KEY_BEGIN in data:
            data = self._without_keys(data)
        return softly_broken(data)

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
        upto = len(block) if final else lines_back(block, len(block), _AFTER)
        if upto > self._scan_from:
            self._keep_what_matters(block, self._scan_from, upto)
            self._number += line_ends(block, self._scan_from, upto)
        keep = lines_back(block, upto, _BEFORE)
        self._block = block[keep:]
        self._block_at += keep
        self._scan_from = upto - keep

    def _keep_what_matters(self, block: bytes, start: int, upto: int) -> None:
        """Keep the surroundings of the lines that look like a fault, and of those that a signature knows."""
        text = block[start:upto]
        if not text.strip(b"\n"):
            return
        if len(text) > _DENSE and text.count(b"\n") > len(text) // _SHORT_LINE:
            # Very short lines are looked at in smaller portions: each costs more memory than its text.
            middle = text.rfind(b"\n", 0, len(text) // 2) + 1
            self._keep_what_matters(block, start, start + middle)
            self._keep_what_matters(block, start + middle, upto)
            return
        fresh = self._not_often_seen(text, start)
        self._keep_severe(block, fresh.runs([match.span() for match in TELLING.finditer(fresh.text)]))
        if self._scout is not None:
            self._keep_known(block, fresh.runs(self._scout.runs(fresh.text)))

    def _not_often_seen(self, text: bytes, at: int) -> Part:
        """Return the lines whose like has not been looked at in two blocks already."""
        forms = _folded(text).split(b"\n")
        forms.pop()
        keys = list(map(hash, forms))
        first = dict(zip(reversed(keys), range(len(keys) - 1, -1, -1), strict=True))
        fresh = first.keys() - self._often_seen
        if len(self._seen) + len(fresh) > _MOST_SEEN:
            self._seen.clear()
            self._often_seen.clear()
        self._often_seen |= fresh & self._seen
        self._seen |= fresh
        if len(fresh) > len(keys) // 2:
            return Part.of(text, at)
        return Part.lines(text, at, sorted(first[key] for key in fresh))

    def _keep_severe(self, block: bytes, part: Part) -> None:
        known: set[bytes] = set()
        for number, form in enumerate(part.text.translate(_FOLD).split(b"\n")):
            if form in known or not form:
                continue
            known.add(form)
            line, place = part.line(number)
            weight = severity(line)
            full = len(self._telling) >= _MOST_TELLING
            entry = (weight, -place - self._block_at)
            # Of equally strong signs the earliest is nearest to the cause.
            if weight < _SIGNIFICANT or (full and entry <= self._telling[0][:2]):
                continue
            (heapq.heappushpop if full else heapq.heappush)(self._telling, (*entry, self._around(block, place)))

    def _keep_known(self, block: bytes, part: Part) -> None:
        assert self._scout is not None
        if not part.text:
            return
        for name, numbers in self._scout.names(part.text, self._well_known).items():
            kept = self._by_name.setdefault(name, [])
            # The last ones of a run are in the tail.
            kept.extend(self._around(block, part.line(number)[1]) for number in numbers[: _MOST_OF_RULE - len(kept)])
            if len(kept) == _MOST_OF_RULE:
                self._well_known.add(name)

    def _around(self, block: bytes, begin: int) -> _Kept:
        """Return the lines around the one that begins here; where they are long, fewer of them."""
        end = first = begin
        for count in range(_AFTER):
            after = block.find(b"\n", end) + 1 or len(block)
            if count and after - begin > _LONGEST_WINDOW:
                break
            end = after
        before = lines_back(block, begin, _BEFORE)
        if end - before <= _LONGEST_WINDOW:
            first = before
        number = self._number + line_ends(block, self._scan_from, begin) - line_ends(block, first, begin)
        return _Kept(number, self._block_at + first, block[first:end])

    def _selected(self) -> Selection:
        total = self._number
        tail = b"".join(self._tail)
        begin = max(0, len(tail) - _TAIL)
        begin = tail.find(b"\n", begin) + 1 if begin else 0
        begin = max(begin, lines_back(tail, len(tail), _MOST_LINES_AT_ENDS))
        tail_at = self._block_at + len(self._block) - len(tail) + begin
        head = self._head[: self._head.rfind(b"\n") + 1]
        head = head[: lines_on(head, _MOST_LINES_AT_ENDS)]
        windows = [_Kept(0, 0, head), _Kept(total - line_ends(tail, begin, len(tail)), tail_at, tail[begin:])]
        windows += [entry[2] for entry in self._telling]
        windows += [one for kept in self._by_name.values() for one in kept]
        return _merged(windows, total)


def _folded(text: bytes) -> bytes:
    """Return a text in which numbers and ids are alike, but for those that begin with a zero.

    `exit code 0` a thousand times must not hide `exit code 1`.
    """
    for zero, apart in ((b" 0", b" \0"), (b"=0", b"=\0")):
        text = text.replace(zero, apart)
    return text.translate(_FOLD_ALL)


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
        texts.append(line.rstrip(b"\x1e\r"))
        numbers.append(number)
        end = max(end, at + len(line) + 1)
    lines = clean_lines([decode_line(text) for text in texts])
    return Selection(tuple(lines), tuple(numbers), total, whole=False)
