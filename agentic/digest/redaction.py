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
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import re2

from agentic.digest.secret_blocks import BLOCK_HINTS, LONGEST_KEY, block_lines, has_key, without_blocks, without_keys
from agentic.digest.secret_names import PASSWORD_NAME, TOKEN_NAME
from agentic.digest.secret_places import PLACES
from agentic.digest.secret_tokens import TOKENS, SecretForm
from agentic.digest.secret_values import is_placeholder
from agentic.errors import ConfigError

FORMS = TOKENS + PLACES
Span = tuple[int, int, str]
"""Start and end of a secret in bytes, and its kind."""
_WHOLE = 1 << 20
_PART = 1 << 13
"""Where something may be found, it is looked for in parts of this size: what a form costs, it costs there only."""
_SHORT = 200
_MOST_CLEAN = 4096
_CONTEXT = 80
_RETRIED = 256
"""A value of at most so many bytes that was no secret may have hidden one that begins inside it."""
_COLOUR = re.compile(rb"\x1b\[[0-9;:?]*[A-Za-z]|\x1b\][^\x07\x1b\n]{0,200}(?:\x07|\x1b\\)")
_MARK = re.compile(rb"\[REDACTED:[a-z0-9_\-]{1,40}:[0-9a-f]{4}\]")
_LONGEST_NAME = 80
_HEADERS = ("authorization", "cookie", "set_cookie")
_SHORTEST_NUMBER = 4
"""Digits from which a number below a name such as `password` is taken for one; an exit code is not."""
_TRAILING = ",)]}."
_TRIMMED = ("password", "secret", "flag", "header", "authorization")


class Redactor:
    """Replaces secrets by `[REDACTED:kind:xxxx]`, where equal secrets get equal marks.

    `patterns` are the operator's own forms, kind to RE2 pattern: the group `s`, else the first group, else the
    whole match is the secret. `key` makes the four hex digits useless to who wants to guess a secret from them.
    """

    def __init__(self, patterns: Mapping[str, str] = {}, key: bytes = b"") -> None:
        self._key = key[:64]
        self._key_is_given = bool(key)
        self._clean: set[str] = set()
        self._hints = _Hints((*FORMS, *(_own_form(kind, pattern) for kind, pattern in patterns.items())))
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
        hints = self._hints.of(plain)
        if not key and not hints:
            return text
        if key:
            text = without_keys(text, self._mark)
        if self._hints.may_open(hints) and (blocks := block_lines(raw)):
            text = without_blocks(text, blocks, self._mark)
        if len(text) <= _PART:
            return self._redact_part(text)
        return "".join(self._redact_part(part) for part in _cut(text, _PART))

    def _redact_part(self, text: str) -> str:
        raw = text.encode("utf-8", "surrogatepass")
        colours = [found.span() for found in _COLOUR.finditer(raw)] if b"\x1b" in raw else []
        plain = _COLOUR.sub(b"", raw) if colours else raw
        marked = [mark.span() for mark in _MARK.finditer(plain)] if b"[REDACTED:" in plain else []
        spans: list[Span] = []
        for hint in self._hints.of(plain):
            if not hint.forms:
                continue
            lines = _Lines(plain, hint.pattern)
            for form in hint.forms:
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


class _Form:
    """A form of secrets, ready to be looked for; compiled when it is first needed."""

    def __init__(self, form: SecretForm) -> None:
        self._form = form

    @cached_property
    def _compiled(self) -> Any:
        return re2.compile((b"(?m)" if self._form.hint else b"") + self._form.pattern.encode(), options())

    @cached_property
    def _group(self) -> int:
        """The number of the group that holds the secret."""
        named = {_as_text(name): number for name, number in self._compiled.groupindex.items()}
        return int(named.get("s", 1 if self._compiled.groups else 0))

    def find(self, raw: bytes) -> list[Span]:
        """Return the places of all secrets of this form."""
        kind, check, compiled, group = self._form.kind, self._form.check, self._compiled, self._group
        spans: list[Span] = []
        place = 0
        while (match := compiled.search(raw, place)) is not None:
            start, end = match.span(group)
            place = max(match.end(), place + 1)
            if end <= start:
                continue
            if check is None:
                spans.append((start, end, kind))
                continue
            value, end, before, after = _value_at(raw, start, end, trim=kind in _TRIMMED)
            if check(value, before, after):
                spans.append((start, end, kind))
                place = max(end, match.start() + 1)
            elif end - start <= _RETRIED:
                place = start + 1
        return spans


def _value_at(raw: bytes, start: int, end: int, *, trim: bool) -> tuple[str, int, str, str]:
    """Return a value without what closes it, its end, and what stands before and after it on its line."""
    value = raw[start:end].decode("utf-8", "surrogatepass")
    trimmed = value.rstrip(_TRAILING)
    if trim and trimmed:
        end -= len(value) - len(trimmed)
        value = trimmed
    line = raw.rfind(b"\n", 0, start) + 1
    before = raw[max(line, start - _CONTEXT) : start].decode("utf-8", "replace")
    after = raw[end : end + _CONTEXT].partition(b"\n")[0].decode("utf-8", "replace")
    return value, end, before, after


class _Hint:
    """Letters without which none of some forms can be there."""

    def __init__(self, pattern: str) -> None:
        self.text = pattern
        self.forms: list[_Form] = []

    @cached_property
    def pattern(self) -> Any:
        """The letters as a pattern; None for forms that are looked for everywhere."""
        return re2.compile(self.text.encode(), options()) if self.text else None


class _Hints:
    """One pass over a text says which forms are worth looking for.

    The forms themselves in one pass would cost more: what stands before and behind the letters multiplies the
    states that such a pass has to know, and a text that is unlike all before makes it learn them anew.
    """

    def __init__(self, forms: Sequence[SecretForm]) -> None:
        self._all: list[_Hint] = []
        self._set = re2.Set.SearchSet(options())
        known: dict[str, _Hint] = {}
        for form in forms:
            name = form.hint or f"\0{form.pattern}"
            if name not in known:
                known[name] = _Hint(form.hint)
                self._all.append(known[name])
                self._set.Add((form.hint or form.pattern).encode())
            known[name].forms.append(_Form(form))
        for text in BLOCK_HINTS:
            if text not in known:
                self._all.append(_Hint(text))
                self._set.Add(text.encode())
        self._set.Compile()

    def of(self, raw: bytes) -> list[_Hint]:
        """Return the hints that are in a text."""
        return [self._all[index] for index in sorted(self._set.Match(raw) or ())]

    @staticmethod
    def may_open(hints: Sequence[_Hint]) -> bool:
        """Say whether a list, an object or a block below a secret name may be there."""
        return any(hint.text in BLOCK_HINTS for hint in hints)


class _Lines:
    """Those lines of a text that have a hint, as a text of their own; all of it where there is no hint."""

    def __init__(self, raw: bytes, hint: Any) -> None:
        self._starts: list[int] = []
        self._shift: list[int] = []
        if hint is None:
            self.text = raw
            return
        lines: list[bytes] = []
        place = at = 0
        while (found := hint.search(raw, place)) is not None:
            start = raw.rfind(b"\n", 0, found.start() + 1) + 1 if found.start() >= place else place
            end = raw.find(b"\n", max(found.end() - 1, start))
            end = len(raw) if end < 0 else end
            lines.append(raw[start:end])
            self._starts.append(at)
            self._shift.append(start - at)
            at += end - start + 1
            place = end + 1
            if place > len(raw):
                break
        self.text = b"\n".join(lines)

    def place(self, span: Span) -> Span:
        """Return where a span of these lines lies in the whole text."""
        if not self._starts:
            return span
        shift = self._shift[bisect.bisect_right(self._starts, span[0]) - 1]
        return span[0] + shift, span[1] + shift, span[2]


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


def options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 64 << 20
    return options


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


def _as_text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


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
