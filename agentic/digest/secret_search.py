"""Looking for the forms of secrets in a text: hints first, and the forms only on lines that have them."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import re2

from agentic.digest.secret_blocks import BLOCK_HINTS, options
from agentic.digest.secret_tokens import SecretForm

Span = tuple[int, int, str]
"""Start and end of a secret in bytes, and its kind."""

_MANY = 4
"""So many forms with one hint are looked for together first."""
_CONTEXT = 80
_RETRIED = 256
"""A value of at most so many bytes that was no secret may have hidden one that begins inside it."""
_TRAILING = ",)]}."
_TRIMMED = ("password", "secret", "flag", "header", "authorization")


class Form:
    """A form of secrets, ready to be looked for; compiled when it is first needed."""

    def __init__(self, form: SecretForm) -> None:
        self._form = form

    @property
    def pattern(self) -> bytes:
        """The pattern; in ours, `^` and `$` are the ends of a line."""
        return (b"(?m)" if self._form.hint else b"") + self._form.pattern.encode()

    @cached_property
    def _compiled(self) -> Any:
        return re2.compile(self.pattern, options())

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


class Hint:
    """Letters without which none of some forms can be there."""

    def __init__(self, pattern: str) -> None:
        self.text = pattern
        self.forms: list[Form] = []

    @cached_property
    def pattern(self) -> Any:
        """The letters as a pattern; None for forms that are looked for everywhere."""
        return re2.compile(self.text.encode(), options()) if self.text else None

    def possible(self, raw: bytes) -> list[Form]:
        """Return the forms that may be in these lines; where there are many, one pass looks for all of them."""
        if len(self.forms) < _MANY:
            return self.forms
        return [self.forms[index] for index in self._set.Match(raw) or ()]

    @cached_property
    def _set(self) -> Any:
        return _set_of(form.pattern for form in self.forms)


def _set_of(patterns: Iterable[bytes]) -> Any:
    """Return a set that says in one pass which patterns are in a text."""
    found = re2.Set.SearchSet(options())
    for pattern in patterns:
        found.Add(pattern)
    found.Compile()
    return found


class Hints:
    """One pass over a text says which forms are worth looking for.

    The forms themselves in one pass would cost more: what stands before and behind the letters multiplies the
    states that such a pass has to know, and a text that is unlike all before makes it learn them anew. For the same
    reason a hint counts nothing: `[0-9a-f]{32}` has a state for each count at each place where it may have begun.
    """

    def __init__(self, forms: Sequence[SecretForm], blocks: Sequence[str] = ()) -> None:
        self._all: list[Hint] = []
        texts: list[bytes] = []
        known: dict[str, Hint] = {}
        for form in forms:
            name = form.hint or f"\0{form.pattern}"
            if name not in known:
                known[name] = Hint(form.hint)
                self._all.append(known[name])
                texts.append((form.hint or form.pattern).encode())
            known[name].forms.append(Form(form))
        for text in blocks:
            if text not in known:
                self._all.append(Hint(text))
                texts.append(text.encode())
        self._set = _set_of(texts) if texts else None

    def of(self, raw: bytes) -> list[Hint]:
        """Return the hints that are in a text."""
        if self._set is None:
            return []
        return [self._all[index] for index in sorted(self._set.Match(raw) or ())]

    @staticmethod
    def may_open(hints: Sequence[Hint]) -> bool:
        """Say whether a list, an object or a block below a secret name may be there."""
        return any(hint.text in BLOCK_HINTS for hint in hints)


class Lines:
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


def _as_text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
