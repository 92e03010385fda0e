"""Makes text from a log or an event harmless to show to a model: it stays on its line and inside its marks."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

from agentic.types import Line

LONGEST_LINE = 320

# Words that chat templates give a meaning; a server may read them as the end of our message.
_TEMPLATE_WORDS = re.compile(
    r"<\|[^|<>\s]{1,40}\|>|<｜[^<>]{1,40}｜>|<</?SYS>>|\[/?INST\]|</?s>|</?think>|<(?:start|end)_of_turn>"
    r"|\[/?(?:TOOL_REQUEST|END_TOOL_REQUEST|TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS)\]",
    re.IGNORECASE,
)
_SPACES = re.compile(r"\s+")
_KEPT_OUT = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def harmless(text: str, longest: int = LONGEST_LINE) -> str:
    """Return foreign text as one bounded line: no control or invisible characters, no template words.

    The middle is cut, because both ends of a long line tend to tell more.
    """
    text = text[: longest * 8]
    if not (text.isascii() and text.isprintable()):
        text = "".join(" " if unicodedata.category(char) in _KEPT_OUT else char for char in text)
    text = _TEMPLATE_WORDS.sub(lambda match: f"({match[0].strip('<>[]|｜')})", text)
    text = _SPACES.sub(" ", text).strip()
    if len(text) <= longest:
        return text
    tail = longest // 4
    return f"{text[: longest - tail - 3]} … {text[-tail:]}"


def numbered(lines: Iterable[Line]) -> str:
    """Return lines, each after its number and a bar; a jump in the numbers shows that lines were left out."""
    return "\n".join(f"{line.line}| {line.text}" for line in lines)


def mark_for(*texts: str) -> str:
    """Return a mark that none of the texts contains.

    It is made from the texts themselves: the same question gets the same mark, and one who writes a log
    cannot know it before.
    """
    seed = "\0".join(texts).encode("utf-8", "replace")
    while True:
        seed = hashlib.sha256(seed).digest()
        mark = f"=====UNTRUSTED-{seed.hex()[:10].upper()}====="
        if not any(mark in text for text in texts):
            return mark


def same_words(text: str) -> str:
    """Return text for comparing a quotation: case, spaces and the kind of quotes do not count."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = re.sub(r"[\"'`´‘’“”«»]", "", text)
    return _SPACES.sub(" ", text).strip(" .…|,;:")
