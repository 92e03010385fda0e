"""Cutting a Redis connection's bytes into whole requests and whole replies, both ways of RESP2."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """One command as it went over the wire; a pipeline is several of them."""

    raw: bytes
    words: tuple[bytes, ...]


class Splitter:
    """Collects bytes and gives out what is complete."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes in; yield each complete piece."""
        self._buffer += data
        while self._buffer:
            end = end_of(self._buffer, 0)
            if end is None:
                return
            piece, self._buffer = self._buffer[:end], self._buffer[end:]
            yield piece


def end_of(data: bytes, start: int) -> int | None:
    """Return where the value that begins at `start` ends, or None when it is not complete yet."""
    line = data.find(b"\r\n", start)
    if line < 0:
        return None
    kind, after = data[start : start + 1], line + 2
    if kind in (b"+", b"-", b":"):
        return after
    if kind not in (b"$", b"*"):
        raise ValueError(f"not RESP2: {data[start : start + 40]!r}")
    count = int(data[start + 1 : line])
    if kind == b"$":
        end = after if count < 0 else after + count + 2
        return end if end <= len(data) else None
    place = after
    for _ in range(max(0, count)):
        beyond = end_of(data, place)
        if beyond is None:
            return None
        place = beyond
    return place


def as_request(raw: bytes) -> Request:
    """Read the words of a complete request."""
    words = []
    place = raw.index(b"\r\n") + 2
    while place < len(raw):
        line = raw.index(b"\r\n", place)
        length = int(raw[place + 1 : line])
        words.append(raw[line + 2 : line + 2 + length])
        place = line + 2 + length + 2
    return Request(raw, tuple(words))
