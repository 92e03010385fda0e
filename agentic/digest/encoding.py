"""From bytes to text, whichever program wrote them."""

from __future__ import annotations

import codecs

_LOOKED_AT = 4096
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is the first half of this one
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def wide_encoding(start: bytes) -> tuple[str, int] | None:
    """Return the UTF-16 or UTF-32 form that a log begins with and the length of its mark; None for all other bytes."""
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name, len(mark)
    return _unmarked(start[:_LOOKED_AT])


def _unmarked(sample: bytes) -> tuple[str, int] | None:
    """Recognise wide text without a mark by where its zero bytes are: logs are mostly ASCII."""
    sample = sample[: len(sample) // 4 * 4]
    if len(sample) < 8 or b"\0" not in sample:
        return None
    quarter = len(sample) // 4
    zeros = [sample[place::4].count(0) for place in range(4)]
    filled = [quarter - count >= quarter * 0.7 for count in zeros]
    empty = [count >= quarter * 0.7 for count in zeros]
    for name, shape in _SHAPES.items():
        if all(filled[n] if letter == "x" else empty[n] for n, letter in enumerate(shape)):
            return name, 0
    return None


_SHAPES = {"utf-32-le": "x000", "utf-32-be": "000x", "utf-16-le": "x0x0", "utf-16-be": "0x0x"}
"""Where ASCII characters have their byte (x) in each group of four."""


def decode_log(raw: bytes) -> str:
    """Return the text of a log. UTF-8 first; a line that is none is read as Windows-1252, which shows every letter."""
    wide = wide_encoding(raw)
    if wide is not None:
        name, mark = wide
        return raw[mark:].decode(name, "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "\n".join(decode_line(line) for line in raw.split(b"\n"))


def decode_line(raw: bytes) -> str:
    """Return the text of one line."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    mended = raw.decode("utf-8", "replace")
    # A multi-byte text that was cut is still UTF-8; one that is mostly broken never was.
    broken = mended.count("\ufffd")
    if broken <= 2 and sum(ch > "\x7f" for ch in mended) > 2 * broken:
        return mended
    return mended if _has_controls(raw) else raw.decode("cp1252", "replace")


def _has_controls(raw: bytes) -> bool:
    """Say whether this looks like binary data rather than text in an old encoding."""
    return len(raw.translate(None, _CONTROLS)) < len(raw)


_CONTROLS = bytes(set(range(32)) - {9, 10, 13, 27}) + b"\x7f"
