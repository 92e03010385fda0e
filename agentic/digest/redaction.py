"""Secrets leave a text before anything else sees it.

One pass of an RE2 set over the whole text says which forms of secrets can be there at all; only those are then
located. An ordinary log costs that one pass. Everything is linear in the size of the text, user patterns included.
"""

from __future__ import annotations

import bisect
import hashlib
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import re2

from agentic.digest.secrets import FORMS, PASSWORD_NAME, TOKEN_NAME, SecretForm, is_placeholder
from agentic.errors import ConfigError

_CHUNK = 1 << 20
_SHORT = 200
_MOST_CLEAN = 4096
_PEM_BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d")
_PEM_END = re.compile(r"-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|Private-MAC:")
_PEM_INLINE = re.compile(r"(-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----)([^\n-]+)(-----END|\Z|(?=[\"'\n]))")
_PEM_BODY = re.compile(r"[A-Za-z0-9+/=]+\s*$")
_PEM_LONGEST = 400
_MARK = re.compile(rb"\[REDACTED:[a-z0-9_\-]{1,40}:[0-9a-f]{4}\]")
_LONGEST_NAME = 80
_HEADERS = ("authorization", "cookie", "set_cookie")
_SHORTEST_NUMBER = 4
"""Digits from which a number below a name such as `password` is taken for one; an exit code is not."""
_TRAILING = ",)]}."


class Redactor:
    """Replaces secrets by `[REDACTED:kind:xxxx]`, where equal secrets get equal marks.

    `patterns` are the operator's own forms, kind to RE2 pattern: the group `s`, else the first group, else the
    whole match is the secret. `key` makes the four hex digits useless to who wants to guess a secret from them.
    """

    def __init__(self, patterns: Mapping[str, str] = {}, key: bytes = b"") -> None:
        self._key = key[:64]
        self._clean: set[str] = set()
        self._forms = FORMS + tuple(_own_form(kind, pattern) for kind, pattern in patterns.items())
        self._compiled = [re2.compile(form.pattern.encode(), _options()) for form in self._forms]
        self._groups = [_secret_group(compiled) for compiled in self._compiled]
        self._set = re2.Set.SearchSet(_options())
        for form in self._forms:
            self._set.Add(form.pattern.encode())
        self._set.Compile()
        self._password_name = re2.compile(PASSWORD_NAME, _options())
        self._token_name = re2.compile(TOKEN_NAME, _options())

    def text(self, text: str) -> str:
        """Return the text without its secrets; the number of lines stays."""
        if len(text) <= _SHORT and text in self._clean:
            return text
        if len(text) <= _CHUNK:
            redacted = self._redact(text)
            if len(text) <= _SHORT and redacted == text:
                self._remember_clean(text)
            return redacted
        return "".join(self._redact(part) for part in _chunks(text))

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
        counts = isinstance(value, (int, float))  # `max_tokens: 4096` says how many there may be
        for form in (plain, plain[:-1]) if plain.endswith("s") and not counts else (plain,):
            if self._password_name.fullmatch(form):
                return "password"
            if self._token_name.fullmatch(form) or form.lower() in _HEADERS:
                return "secret"
        return None

    def _mark(self, kind: str, secret: str) -> str:
        digest = hashlib.blake2b(secret.encode("utf-8", "surrogatepass"), digest_size=2, key=self._key)
        return f"[REDACTED:{kind}:{digest.hexdigest()}]"

    def _redact(self, text: str) -> str:
        if "PRIVATE KEY" in text or "PuTTY-User-Key" in text:
            text = self._private_keys(text)
        raw = text.encode("utf-8", "surrogatepass")
        found = self._set.Match(raw)
        if not found:
            return text
        marked = [mark.span() for mark in _MARK.finditer(raw)] if b"[REDACTED:" in raw else []
        spans: list[tuple[int, int, str]] = []
        for index in sorted(found):
            spans.extend(span for span in self._find(index, raw) if not _overlaps(span, marked))
        if not spans:
            return text
        spans.sort(key=lambda span: (span[0], -span[1]))
        parts: list[bytes] = []
        at = 0
        for start, end, kind in spans:
            if start < at:
                continue
            parts += (raw[at:start], self._mark(kind, raw[start:end].decode("utf-8", "surrogatepass")).encode())
            at = end
        parts.append(raw[at:])
        return b"".join(parts).decode("utf-8", "surrogatepass")

    def _find(self, index: int, raw: bytes) -> list[tuple[int, int, str]]:
        form, group = self._forms[index], self._groups[index]
        spans = []
        for match in self._compiled[index].finditer(raw):
            start, end = match.span(group)
            if end <= start:
                continue
            secret = raw[start:end].decode("utf-8", "surrogatepass")
            if form.check is not None:
                trimmed = secret.rstrip(_TRAILING)
                if trimmed and form.kind in ("password", "secret"):
                    end -= len(secret) - len(trimmed)
                    secret = trimmed
                if not form.check(secret):
                    continue
            spans.append((start, end, form.kind))
        return spans

    def _private_keys(self, text: str) -> str:
        """Empty private key blocks, line by line so that no line is lost."""
        text = _PEM_INLINE.sub(lambda m: m[1] + self._mark("private_key", m[2]) + m[3], text)
        lines = text.split("\n")
        inside = 0
        for number, line in enumerate(lines):
            if not inside:
                # A block on a single line was emptied above; it has its mark already.
                if _PEM_BEGIN.search(line) and "[REDACTED:private_key" not in line:
                    inside = _PEM_LONGEST
                continue
            inside -= 1
            if _PEM_END.search(line):
                inside = 0
            elif (body := _PEM_BODY.search(line.rstrip("\r"))) is not None:
                lines[number] = line[: body.start()] + self._mark("private_key", body[0].strip())
        return "\n".join(lines)


def _overlaps(span: tuple[int, int, str], marked: list[tuple[int, int]]) -> bool:
    """Say whether a find touches an earlier mark; marks are sorted and apart."""
    after = bisect.bisect_right(marked, (span[0], sys.maxsize))
    return (after > 0 and marked[after - 1][1] > span[0]) or (after < len(marked) and marked[after][0] < span[1])


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 64 << 20
    return options


def _own_form(kind: str, pattern: str) -> SecretForm:
    """Check a pattern from the configuration; a wrong one stops the start."""
    if not re.fullmatch(r"[a-z0-9_\-]{1,40}", kind):
        raise ConfigError(f"redaction pattern {kind!r}: a name of a-z, 0-9, _ and - is needed")
    try:
        compiled = re2.compile(pattern.encode(), _options())
    except re2.error as error:
        reason = error.args[0] if error.args else error
        text = reason.decode() if isinstance(reason, bytes) else str(reason)
        raise ConfigError(
            f"redaction pattern {kind!r}: {text} (RE2 syntax: no look-around, no back-references)"
        ) from error
    if compiled.search(b"") is not None:
        raise ConfigError(f"redaction pattern {kind!r}: it matches the empty text, so it would redact everything")
    return SecretForm(kind, pattern)


def _secret_group(compiled: Any) -> int:
    """Return the number of the group that holds the secret."""
    named = {_as_text(name): number for name, number in compiled.groupindex.items()}
    return int(named.get("s", 1 if compiled.groups else 0))


def _as_text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _chunks(text: str) -> list[str]:
    """Cut a long text at line ends near every mebibyte, never inside a private key."""
    parts: list[str] = []
    start = 0
    while start < len(text):
        end = min(len(text), start + _CHUNK)
        if end < len(text):
            line_end = text.rfind("\n", start, end)
            begin = text.rfind("-----BEGIN", max(start, end - _PEM_LONGEST * 80), end)
            if (
                begin > start
                and text.find("-----END", begin, end) < 0
                and text.find("-----END", end, end + 40_000) >= 0
            ):
                line_end = text.rfind("\n", start, begin)
            if line_end > start:
                end = line_end + 1
        parts.append(text[start:end])
        start = end
    return parts
