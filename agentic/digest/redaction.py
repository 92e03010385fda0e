"""Secrets leave a text before anything else sees it.

One pass over the whole text looks for hints, some letters that the forms of secrets must have; only on lines with a
hint its forms are looked for. An ordinary log costs that one pass. Everything is linear in the size of the text, user
patterns included.
"""

from __future__ import annotations

import bisect
import hashlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import re2

from agentic.digest.secret_blocks import (
    BLOCK_HINTS,
    LONGEST_KEY,
    block_lines,
    has_key,
    options,
    without_blocks,
    without_keys,
)
from agentic.digest.secret_makers import MAKERS
from agentic.digest.secret_names import PASSWORD_NAME, TOKEN_NAME
from agentic.digest.secret_places import PLACES
from agentic.digest.secret_search import Hint, Hints, Lines, Span
from agentic.digest.secret_tokens import TOKENS, SecretForm
from agentic.digest.secret_values import is_placeholder
from agentic.errors import ConfigError

FORMS = TOKENS + MAKERS + PLACES
_WHOLE = 1 << 20
_PART = 1 << 13
"""Where something may be found, it is looked for in parts of this size: what a form costs, it costs there only."""
_SHORT = 200
_MOST_CLEAN = 4096
_COLOUR = re.compile(rb"\x1b\[[0-9;:?]*[A-Za-z]|\x1b\][^\x07\x1b\n]{0,200}(?:\x07|\x1b\\)")
_MARK = re.compile(rb"\[REDACTED:[a-z0-9_\-]{1,40}:[0-9a-f]{4}\]")
_LONGEST_NAME = 80
_HEADERS = ("authorization", "cookie", "set_cookie")
_SHORTEST_NUMBER = 4
"""Digits from which a number below a name such as `password` is taken for one; an exit code is not."""


class Redactor:
    """Replaces secrets by `[REDACTED:kind:xxxx]`, where equal secrets get equal marks.

    `patterns` are the operator's own forms, kind to RE2 pattern: the group `s`, else the first group, else the
    whole match is the secret. `key` makes the four hex digits useless to who wants to guess a secret from them.
    """

    def __init__(self, patterns: Mapping[str, str] = {}, key: bytes = b"") -> None:
        self._key = key[:64]
        self._key_is_given = bool(key)
        self._clean: set[str] = set()
        self._hints = _shipped()
        self._own = Hints([_own_form(kind, pattern) for kind, pattern in patterns.items()])
        self._password_name = re2.compile(PASSWORD_NAME, options())
        self._token_name = re2.compile(TOKEN_NAME, options())

    def take_key(self, key: bytes) -> None:
        """Use the key of this installation, which its store keeps, unless the settings gave one."""
        if not self._key_is_given:
            self._key = key[:64]

    def text(self, text: str) -> str:
        """Return the text without its secrets; the number of lines stays."""
        if len(text) <= _SHORT and text in self._clean:
            return text
        if len(text) <= _WHOLE:
            redacted = self._redact(text)
            if len(text) <= _SHORT and redacted == text:
                self._remember_clean(text)
            return redacted
        return "".join(self._redact(part) for part in _cut(text, _WHOLE))

    def _remember_clean(self, text: str) -> None:
        """Keep a short text that holds no secret: hosts, users and commands are the same in event after event."""
        if len(self._clean) >= _MOST_CLEAN:
            self._clean.clear()
        self._clean.add(text)

    def lines(self, lines: Sequence[str]) -> list[str]:
        """Return as many lines as came in, without their secrets."""
        joined = "\n".join(lines)
        whole = self.text(joined)
        if whole is joined:
            return list(lines)
        redacted = whole.split("\n")
        if len(redacted) == len(lines):
            return redacted
        return [self.text(line) for line in lines]

    def value(self, value: Any) -> Any:
        """Return JSON-like data without its secrets.

        A name such as `password` or `api_keys` makes secrets of the texts and numbers below it, however deep.
        """
        return self._value(value, None)

    def named(self, value: Any, secret: bool = False) -> Iterator[str]:
        """Yield the texts in JSON-like data that `value` would take for secrets by the names above them."""
        if isinstance(value, str):
            if secret and not is_placeholder(value):
                yield value
        elif isinstance(value, Mapping):
            for key, item in value.items():
                yield from self.named(item, secret or self._kind_of_name(key, item) is not None)
        elif isinstance(value, (list, tuple)):
            for item in value:
                yield from self.named(item, secret)

    def _value(self, value: Any, kind: str | None) -> Any:
        if isinstance(value, str):
            if kind and not is_placeholder(value):
                return self._mark(kind, value)
            return self.text(value)
        if isinstance(value, Mapping):
            return {
                self._name(key): self._value(item, self._kind_of_name(key, item) or kind) for key, item in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self._value(item, kind) for item in value]
        if kind and isinstance(value, (int, float)) and not isinstance(value, bool):
            text = str(value)
            return value if len(text) < _SHORTEST_NUMBER else self._mark(kind, text)
        return value

    def _name(self, name: Any) -> Any:
        return self.text(name) if isinstance(name, str) else name

    def _kind_of_name(self, name: Any, value: Any) -> str | None:
        """Say what the value below a name is by the name, or by its singular."""
        if not isinstance(name, str) or len(name) > _LONGEST_NAME:
            return None
        plain = name.replace("-", "_")
        if self._password_name.fullmatch(plain):
            return "password"
        if plain.endswith("s") and isinstance(value, (int, float)):
            return None  # `max_tokens: 4096` says how many there may be
        for form in (plain, plain.removesuffix("s")):
            if self._token_name.fullmatch(form) or form.lower() in _HEADERS:
                return "secret"
        return None

    def _mark(self, kind: str, secret: str) -> str:
        digest = hashlib.blake2b(secret.encode("utf-8", "surrogatepass"), digest_size=2, key=self._key)
        return f"[REDACTED:{kind}:{digest.hexdigest()}]"

    def _redact(self, text: str) -> str:
        raw = text.encode("utf-8", "surrogatepass")
        key = has_key(text)
        plain = _COLOUR.sub(b"", raw) if b"\x1b" in raw else raw
        hints = self._hints_of(plain)
        if not key and not hints:
            return text
        if key:
            text = without_keys(text, self._mark)
        if self._hints.may_open(hints) and (blocks := block_lines(raw)):
            text = without_blocks(text, blocks, self._mark)
        if len(text) <= _PART:
            return self._redact_part(text)
        return "".join(self._redact_part(part) for part in _cut(text, _PART))

    def _hints_of(self, plain: bytes) -> list[Hint]:
        return self._hints.of(plain) + self._own.of(plain)

    def _redact_part(self, text: str) -> str:
        raw = text.encode("utf-8", "surrogatepass")
        colours = [found.span() for found in _COLOUR.finditer(raw)] if b"\x1b" in raw else []
        plain = _COLOUR.sub(b"", raw) if colours else raw
        marked = [mark.span() for mark in _MARK.finditer(plain)] if b"[REDACTED:" in plain else []
        spans: list[Span] = []
        for hint in self._hints_of(plain):
            if not hint.forms:
                continue
            lines = Lines(plain, hint.pattern)
            for form in hint.possible(lines.text):
                spans += (span for span in map(lines.place, form.find(lines.text)) if not _overlaps(span, marked))
        if not spans:
            return text
        spans.sort(key=lambda span: (span[0], -span[1]))
        place = _Places(colours)
        parts: list[bytes] = []
        at = done = 0
        for start, end, kind in spans:
            if start < at:
                continue
            first, last = place.of(start, after=True), place.of(end, after=False)
            secret = plain[start:end].decode("utf-8", "surrogatepass")
            parts += (raw[done:first], self._mark(kind, secret).encode())
            at, done = end, last
        parts.append(raw[done:])
        return b"".join(parts).decode("utf-8", "surrogatepass")


@cache
def _shipped() -> Hints:
    """Return the hints of the forms that everybody has; what they learn from one text serves all redactors."""
    return Hints(FORMS, BLOCK_HINTS)


class _Places:
    """Where a place of the text without colours lies in the text with them."""

    def __init__(self, colours: list[tuple[int, int]]) -> None:
        self._plain: list[int] = []
        self._shift: list[int] = []
        gone = 0
        for start, end in colours:
            self._plain.append(start - gone)
            gone += end - start
            self._shift.append(gone)

    def of(self, place: int, *, after: bool) -> int:
        """Return the place; a colour that stands right there is before it (`after`) or behind it."""
        seen = (bisect.bisect_right if after else bisect.bisect_left)(self._plain, place)
        return place + (self._shift[seen - 1] if seen else 0)


def _overlaps(span: Span, marked: list[tuple[int, int]]) -> bool:
    """Say whether a find touches an earlier mark; marks are sorted and apart."""
    after = bisect.bisect_right(marked, (span[0], sys.maxsize))
    return (after > 0 and marked[after - 1][1] > span[0]) or (after < len(marked) and marked[after][0] < span[1])


def _own_form(kind: str, pattern: str) -> SecretForm:
    """Check a pattern from the configuration; a wrong one stops the start."""
    if not re.fullmatch(r"[a-z0-9_\-]{1,40}", kind):
        raise ConfigError(f"redaction pattern {kind!r}: a name of a-z, 0-9, _ and - is needed")
    try:
        compiled = re2.compile(pattern.encode(), options())
    except re2.error as error:
        reason = error.args[0] if error.args else error
        text = reason.decode() if isinstance(reason, bytes) else str(reason)
        raise ConfigError(
            f"redaction pattern {kind!r}: {text} (RE2 syntax: no look-around, no back-references)"
        ) from error
    if compiled.search(b"") is not None:
        raise ConfigError(f"redaction pattern {kind!r}: it matches the empty text, so it would redact everything")
    return SecretForm(kind, pattern)


def _cut(text: str, size: int) -> list[str]:
    """Cut a long text at line ends near every `size` characters, never inside a private key."""
    parts: list[str] = []
    start = 0
    while start < len(text):
        end = min(len(text), start + size)
        if end < len(text):
            line_end = text.rfind("\n", start, end)
            begin = text.rfind("-----BEGIN", max(start, end - LONGEST_KEY * 80), end) if size == _WHOLE else -1
            if (
                begin > start
                and text.find("-----END", begin, end) < 0
                and text.find("-----END", end, end + 40_000) >= 0
            ):
                line_end = text.rfind("\n", start, begin)
            # A line that is longer than a part stays whole.
            end = line_end + 1 if line_end > start else _end_of_line(text, end, start + _WHOLE)
        parts.append(text[start:end])
        start = end
    return parts


def _end_of_line(text: str, start: int, furthest: int) -> int:
    found = text.find("\n", start, furthest)
    return found + 1 if found >= 0 else min(len(text), furthest)
