"""What is kept of a command's output: its head and its tail, in bounded memory."""

from __future__ import annotations

import mmap
import os

HEAD_BYTES = 256 * 1024
TAIL_BYTES = 256 * 1024
_COUNTERS = 16


class Output:
    """Head and tail of one stream of output, and how many bytes were left out between them."""

    __slots__ = ("cut", "head", "tail")

    def __init__(self, head: bytes, cut: int = 0, tail: bytes = b"") -> None:
        self.head = head
        self.cut = cut
        self.tail = tail

    def shortened(self, head_bytes: int, tail_bytes: int) -> Output:
        """Return it with a smaller head and tail."""
        whole = self.head + self.tail
        if len(whole) <= head_bytes + tail_bytes:
            return self
        cut = self.cut + len(whole) - head_bytes - tail_bytes
        return Output(whole[:head_bytes], cut, whole[len(whole) - tail_bytes :])

    def lines(self) -> list[str]:
        """Return it as lines of text, with a line of ours where something was cut."""
        if not self.cut:
            return _lines(self.head + self.tail)
        note = f"[autoremedy: {self.cut} bytes of output were left out here]"
        return [*_lines(self.head), note, *_lines(self.tail)]


def _lines(data: bytes) -> list[str]:
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        lines = [_text(line) for line in data.split(b"\n")]
    if not lines[-1]:
        lines.pop()
    return lines


_CONTROLS = bytes(set(range(32)) - {9, 13, 27}) + b"\x7f"


def _text(line: bytes) -> str:
    """Read one line as UTF-8, else as the old encoding that shows most letters right; binary data stays as it is."""
    mended = line.decode("utf-8", "replace")
    if "\ufffd" not in mended or len(line.translate(None, _CONTROLS)) < len(line):
        return mended
    return line.decode("cp1252", "replace")


class Capture:
    """Head and tail of everything added, in memory shared by the processes forked after it was made.

    The relay adds, the parent reads: so the relay's copy needs no way back and survives its end.
    """

    def __init__(self, head_bytes: int = HEAD_BYTES, tail_bytes: int = TAIL_BYTES) -> None:
        self._head_bytes = head_bytes
        self._tail_bytes = tail_bytes
        self._memory = mmap.mmap(-1, _COUNTERS + head_bytes + tail_bytes)

    def _number(self, at: int) -> int:
        return int.from_bytes(self._memory[at : at + 8], "little")

    @property
    def total(self) -> int:
        """How many bytes were added in all."""
        return self._number(0)

    @property
    def passed(self) -> int:
        """How many bytes the relay has passed on; it grows as long as the relay gets somewhere."""
        return self._number(8)

    def add(self, data: bytes) -> None:
        """Add output; one caller at a time."""
        total = self.total
        into_head = max(0, min(len(data), self._head_bytes - total))
        if into_head:
            self._put(_COUNTERS + total, data[:into_head])
        rest = data[into_head:][-self._tail_bytes :]
        if rest:
            tail = _COUNTERS + self._head_bytes
            position = (total + len(data) - len(rest) - self._head_bytes) % self._tail_bytes
            first = rest[: self._tail_bytes - position]
            self._put(tail + position, first)
            self._put(tail, rest[len(first) :])
        self._put(0, (total + len(data)).to_bytes(8, "little"))

    def add_passed(self, count: int) -> None:
        """Count bytes that were passed on; one caller at a time."""
        self._put(8, (self.passed + count).to_bytes(8, "little"))

    def _put(self, at: int, data: bytes) -> None:
        self._memory[at : at + len(data)] = data

    def output(self) -> Output:
        """Return what is kept so far."""
        total = self.total
        head = self._memory[_COUNTERS : _COUNTERS + min(total, self._head_bytes)]
        beyond = total - len(head)
        ring = self._memory[_COUNTERS + self._head_bytes :]
        if beyond <= self._tail_bytes:
            return Output(head, 0, ring[:beyond])
        position = beyond % self._tail_bytes
        return Output(head, beyond - self._tail_bytes, ring[position:] + ring[:position])


def read_back(file: int, start: int, head_bytes: int = HEAD_BYTES, tail_bytes: int = TAIL_BYTES) -> Output:
    """Return head and tail of what a file gained since it was `start` bytes long."""
    end = os.fstat(file).st_size
    if end < start:  # someone emptied it meanwhile, as log rotation does
        start = 0
    if end - start <= head_bytes + tail_bytes:
        return Output(os.pread(file, end - start, start))
    return Output(
        os.pread(file, head_bytes, start),
        end - start - head_bytes - tail_bytes,
        os.pread(file, tail_bytes, end - tail_bytes),
    )
