"""Secrets that lie over several lines: private keys, lists and objects below a secret name, here-documents.

Everything works line by line and replaces within lines, so that none is added or lost.
"""

# ruff: noqa: E501  a pattern is read whole; names of secrets are none

from __future__ import annotations

import bisect
import re
from collections.abc import Callable
from dataclasses import dataclass

import re2

from agentic.digest.secret_names import FOREIGN, PASSWORD, PASSWORD_HINT, PREFIX, SHORT_PASSWORD, TOKEN, TOKEN_HINT
from agentic.digest.secret_values import (
    is_lone_password,
    is_placeholder,
    is_said_password,
    looks_secret,
)
from agentic.patterns import options as quiet
from agentic.words import words

Mark = Callable[[str, str], str]
Edit = tuple[int, int, str]
"""Start and end of a secret within its line, and its kind."""

LONGEST_KEY = 400
"""Lines of a private key at most; an RSA key of 16,384 bits has 200."""
LONGEST_BLOCK = 200
_LONGEST_LINE = 100_000
_LONGEST_YAML = 2_000
_REACH = 60
"""Lines between `data:` and the `kind: Secret` that makes it one."""

_PEM_BEGIN = re.compile(r"-{4,5} ?BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)? ?-{4,5}|PuTTY-User-Key-File-\d")
_PEM_END = re.compile(r"-{4,5} ?END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)? ?-{4,5}|Private-MAC:")
_PEM_INLINE = re.compile(
    r"(-{4,5} ?BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)? ?-{4,5}(?!-))((?:[^\n-]|-(?!-))+)(-{4,5} ?END|\Z|(?=[\"'\n]))"
)
_PEM_LINE = re.compile(r"[A-Za-z0-9+/=]{16,}")
_PEM_LAST = re.compile(r"(?:^|[\s\"'|>])([A-Za-z0-9+/]{1,76}={0,2})(?:\\n)?[\"',;+\s\\]*$")
_PEM_WHOLE = re.compile(r"(?:^|[\s\"'|>])([A-Za-z0-9+/]{40,76}={0,2})(?:\\n)?[\"',;+\s\\]*$")

_NAME = rf"(?P<password>(?:{PASSWORD}|{SHORT_PASSWORD}|{FOREIGN})s?)|(?P<token>{TOKEN}s?)|(?P<secret>\b(?:data|stringData|binaryData))"
_NAMED = (
    rf"(?:name|key)\\*[\"']?[ \t]*[:=>][ \t]*\\*[\"']?(?:(?P<called_password>{PREFIX}(?:{PASSWORD}|{SHORT_PASSWORD}))|(?P<called_token>{PREFIX}{TOKEN}))"
    r"\\*[\"']?(?:,|</name>|</key>)?[ \t]*\r?$"
)
OPENER = (
    rf"(?im)(?:{_NAMED}|(?:{_NAME})\\*[\"']?\]?[ \t]*(?:::?=|=>|[:=])[ \t]*"
    r"(?:\\*(?P<bracket>[\[{(])|(?P<scalar>[|>][+\-]?[0-9]?[ \t]*\r?$)|<<[-~]?[ \t]*\\?[\"']?(?P<word>\w+)[\"']?|"
    r"(?P<quotes>\"\"\"|''')|(?P<below>\r?$)))"
)
_META = frozenset(
    words(
        "name ref path file type kind version user username login email host url uri description required optional "
        "external format length min max policy algorithm algo scope scopes created updated expires expiry expiration at "
        "rotation ttl id field status enabled driver label labels mode region namespace environment env target source "
        "from engine mount role roles count title message error pattern minlength maxlength key"
    )
)
"""Last words of names that speak of a secret without holding one."""
_WORDS = re.compile(r"[_\-.]|(?<=[a-z])(?=[A-Z])")
_VALUE_BELOW = re.compile(
    r"(^|.*?[\s{\"'<])(?:value|default|defaultvalue|string)\\*[\"']?[ \t]*[:=>][ \t]*\\*[\"']?([^\s\"'\\,}<]+)",
    re.IGNORECASE,
)
_STRING = re.compile(
    r"(?<!\\)\\*\"((?:[^\"\\]|\\(?!\").)*?)\\*\"|(?<!\\)\\*'([^'\\]*)\\*'|(?<![\w.\"'\-])(\d{4,}(?:\.\d+)?)(?![\w\"'])"
)
_DIGITS = re.compile("[0-9]")
_NO_NAME = re.compile(r"[^\w.\-]")
_YAML_VALUE = re.compile(
    r"^[\s>|]*(?:- +)*(?:([\w.\-/]+)[\"']?[ \t]*:(?:[ \t]+|$))?[\"']?([^\s\"'#][^\"'#]*?)?[\"']?[ \t]*(?:#.*)?$"
)
_MARK = re.compile(r"\[REDACTED:[a-z0-9_\-]{1,40}:[0-9a-f]{4}\]")
_WHOLE_LINE = re.compile(r"([ \t]*)(\S.*?)\s*$")
_SECRET_KIND = re.compile(r"[\"']?kind[\"']?[ \t]*:[ \t]*[\"']?(?:Secret|SealedSecret)\b")


def options() -> re2.Options:
    """Return how all patterns here are compiled."""
    return quiet(64 << 20)


_OPENS = re2.compile(OPENER, options())
_OPENS_BYTES = re2.compile(OPENER.encode(), options())
_BELOW = _OPENS.groupindex["below"]
_GROUPS: dict[str, int] = dict(_OPENS.groupindex)


BLOCK_HINTS = (PASSWORD_HINT, TOKEN_HINT, FOREIGN, r"(?:data|Data)[\"']?[ \t]*:")
"""One of these is in every text that has a block."""


def has_key(text: str) -> bool:
    """Say whether a private key may be in a text."""
    return "PRIVATE KEY" in text or "PuTTY-User-Key" in text


def block_lines(raw: bytes) -> list[int]:
    """Return the lines where a name stands in front of a list, an object, a block or the line's end."""
    numbers: list[int] = []
    place = number = 0
    for found in _OPENS_BYTES.finditer(raw):
        if (
            found.group(_BELOW) is not None
            and raw[found.start() : found.start() + 1] == b"\n"
            and _stands_alone(raw, found.end())
        ):
            continue
        number += raw.count(b"\n", place, found.end())
        place = found.end()
        if not numbers or numbers[-1] != number:
            numbers.append(number)
    return numbers


def _stands_alone(raw: bytes, end: int) -> bool:
    """Say whether a line that ends in a name has nothing below it: the next one is not indented."""
    return raw[end : end + 1] in (b"\n", b"") and raw[end + 1 : end + 2] not in (b" ", b"\t", b"-", b"\n", b"\r")


def without_keys(text: str, mark: Mark) -> str:
    """Empty private keys: those with both ends, those cut off behind, and those whose beginning is missing."""
    text = _PEM_INLINE.sub(lambda m: m[1] + _inline(m[2], mark) + m[3], text)
    lines = text.split("\n")
    inside = 0
    for number, line in enumerate(lines):
        ends = _PEM_END.search(line)
        if inside:
            inside -= 1
            if ends:
                inside = 0
            else:
                lines[number] = _without_base64(line, mark)
        elif begins := _PEM_BEGIN.search(line):
            # A block on a single line was emptied above; it has its mark already.
            if "[REDACTED:private_key" not in line[begins.end() :] and not ends:
                inside = LONGEST_KEY
        elif ends:
            _empty_backwards(lines, number - 1, mark)
    return "\n".join(lines)


def _inline(body: str, mark: Mark) -> str:
    """Empty what stands on the line of the beginning, unless that is only how the line is written."""
    has_body = "[REDACTED:" not in body and re.search(r"[A-Za-z0-9+/=]{4}", body.replace("\\n", " "))
    return mark("private_key", body) if has_body else body


def _without_base64(line: str, mark: Mark) -> str:
    if "[REDACTED:" in line:
        return line
    emptied = _PEM_LINE.sub(lambda m: mark("private_key", m[0]), line)
    if emptied != line:
        return emptied
    last = _PEM_LAST.search(line.rstrip("\r"))
    return line if last is None else line[: last.start(1)] + mark("private_key", last[1]) + line[last.end(1) :]


def _empty_backwards(lines: list[str], number: int, mark: Mark) -> None:
    """Empty the lines before the end of a key whose beginning was cut off."""
    first = True
    for at in range(number, max(-1, number - LONGEST_KEY), -1):
        line = lines[at].rstrip("\r")
        found = (_PEM_LAST if first else _PEM_WHOLE).search(line)
        if found is None or "[REDACTED:" in line:
            return
        lines[at] = lines[at][: found.start(1)] + mark("private_key", found[1]) + lines[at][found.end(1) :]
        first = False


def without_blocks(text: str, numbers: list[int], mark: Mark) -> str:
    """Hide the values below a secret name: in brackets, in a YAML block, in a here-document, on the next line.

    `numbers` are those of `block_lines`.
    """
    blocks = _Blocks(text.split("\n"))
    for number in numbers:
        for opener in _OPENS.finditer(blocks.lines[number][:_LONGEST_LINE]):
            blocks.open(number, opener)
    for at, edits in blocks.edits.items():
        blocks.lines[at] = _edited(blocks.lines[at], sorted(edits), mark)
    return "\n".join(blocks.lines)


def _edited(line: str, edits: list[Edit], mark: Mark) -> str:
    parts: list[str] = []
    done = 0
    for start, end, kind in edits:
        if start >= done and "[REDACTED:" not in line[start:end]:
            parts += (line[done:start], mark(kind, line[start:end]))
            done = end
    return "".join((*parts, line[done:]))


@dataclass(frozen=True, slots=True)
class _Judge:
    """Which values below a name are secrets: all of them below a password's, those that look like keys else."""

    kind: str
    all: bool
    names: bool = True
    """Whether the name right before a value may say that it is none."""

    def of(self, name: str) -> str:
        """Return the kind for what stands below a name, or nothing where the name speaks of something else."""
        return "" if self.names and _WORDS.split(name)[-1].lower() in _META else self.kind

    def hides(self, value: str) -> bool:
        """Say whether a value is to be hidden."""
        if is_placeholder(value) or "REDACTED:" in value:
            return False
        if self.all:
            return len(value) >= 3
        return looks_secret(value) or (is_said_password(value) and " " not in value and not value.isdigit())


class _Blocks:
    """The lines of a text and what is to be hidden in them; no place is read twice for the same reason."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.edits: dict[int, set[Edit]] = {}
        self._read = {True: (-1, 0), False: (-1, 0)}
        """How far blocks were read whose values are all hidden, and those where they are judged by their look."""
        self._manifests: list[int] | None = None

    def open(self, number: int, opener: re.Match[str]) -> None:
        """Read the block that begins with a name."""
        here = (number, opener.end())
        if here <= self._read[True]:
            return
        groups = {name: opener.span(group)[0] for name, group in _GROUPS.items()}
        is_password = groups["password"] >= 0 or groups["called_password"] >= 0
        is_token = groups["token"] >= 0 or groups["called_token"] >= 0
        judge = _Judge("password" if is_password else "secret", all=not is_token, names=is_password or is_token)
        if groups["called_password"] >= 0 or groups["called_token"] >= 0:
            self._below(number + 1, judge)
            return
        if not judge.all and here <= self._read[False]:
            return
        if groups["secret"] >= 0 and not self._in_manifest(number):
            return
        if groups["bracket"] >= 0 and self.lines[number].startswith("REDACTED:", opener.end()):
            return
        if groups["bracket"] >= 0:
            end = self._brackets(number, opener.end(), judge)
        elif groups["word"] >= 0 or groups["quotes"] >= 0:
            end = self._until(number, opener["word"] or opener["quotes"], judge)
        else:
            line = self.lines[number]
            column = max(groups["password"], groups["token"], groups["secret"])  # -1 for those that are not there
            end = self._indented(number, _column(line, column), judge, whole=groups["scalar"] >= 0)
        self._read[judge.all] = max(self._read[judge.all], end)

    def _hide(self, number: int, start: int, end: int, kind: str) -> None:
        self.edits.setdefault(number, set()).add((start, end, kind))

    def _in_manifest(self, number: int) -> bool:
        """Say whether `data:` belongs to a Secret of a cluster: its kind stands in the same document."""
        if self._manifests is None:
            self._manifests = [at for at, line in enumerate(self.lines) if _SECRET_KIND.search(line[:_LONGEST_YAML])]
        place = bisect.bisect_left(self._manifests, number)
        for at in self._manifests[max(0, place - 1) : place + 1]:
            low, high = sorted((at, number))
            if high - low <= _REACH and not any(line.startswith("---") for line in self.lines[low + 1 : high]):
                return True
        return False

    def _brackets(self, number: int, start: int, judge: _Judge) -> tuple[int, int]:
        """Hide the strings and numbers up to the closing bracket."""
        depth = 1
        at = number
        for at in range(number, min(len(self.lines), number + LONGEST_BLOCK)):
            line = _MARK.sub(lambda mark: "x" * len(mark[0]), self.lines[at])
            place = start
            for found in _STRING.finditer(line, start, start + _LONGEST_LINE):
                depth += _depth(line[place : found.start()])
                if depth <= 0:
                    return at, place
                place = found.end()
                if line[place : place + 3].lstrip().startswith((":", "=")):
                    continue  # a name, not a value
                kind = judge.of(_name_before(line[max(0, found.start() - 100) : found.start()]))
                group = found.lastindex or 1
                if kind and judge.hides(found[group]):
                    self._hide(at, found.start(group), found.end(group), kind)
            depth += _depth(line[place:])
            if depth <= 0:
                return at, len(line)
            start = 0
        return at, len(self.lines[at])

    def _below(self, number: int, judge: _Judge) -> None:
        """Hide the value on the line below `name: DB_PASSWORD`."""
        found = _VALUE_BELOW.match(self.lines[number][:_LONGEST_YAML]) if number < len(self.lines) else None
        if found is not None and judge.hides(found[2]):
            self._hide(number, found.start(2), found.end(2), judge.kind)

    def _until(self, number: int, word: str, judge: _Judge) -> tuple[int, int]:
        """Hide the lines of a here-document, or of a text in three quotes, each as one secret."""
        at = number
        for at in range(number + 1, min(len(self.lines), number + LONGEST_BLOCK)):
            text = self.lines[at].strip(" \t\r>|+")
            if text == word or (word in ('"""', "'''") and text.endswith(word)):
                break
            if len(text) >= 3:
                start = self.lines[at].index(text)
                self._hide(at, start, start + len(text), judge.kind)
        return at, 0

    def _indented(self, number: int, column: int, judge: _Judge, *, whole: bool) -> tuple[int, int]:
        """Hide the values of lines that are indented more than the name, counted from where the name stands.

        What comes before that column (a time, a container's name) may differ from line to line in all but its width.
        """
        before = self.lines[number][:column]
        at = number
        for at in range(number + 1, min(len(self.lines), number + LONGEST_BLOCK)):
            line = self.lines[at][:_LONGEST_YAML].rstrip("\r")
            rest = line[column:]
            if not line.strip():
                continue
            if not _same_carrier(before, line[:column]):
                return at, 0
            if not rest.strip():
                continue
            listed = not whole and rest.startswith("- ")
            if not listed and rest[0] not in " \t":
                return at, 0
            found = _WHOLE_LINE.match(rest) if whole else _YAML_VALUE.match(rest)
            if found is None or not found[2] or found[2] in "|>[{":
                continue
            name, value = found[1] or "", found[2]
            if whole or (judge.of(name) and _is_yaml_secret(value, judge, name, listed)):
                self._hide(at, column + found.start(2), column + found.end(2), judge.kind)
        return at, 0


def _same_carrier(one: str, other: str) -> bool:
    """Say whether what stands before a block is written by whatever carries the lines, not part of a sentence."""
    one, other = one.rstrip(), other.rstrip()
    if not one or not other:
        return one == other
    if _DIGITS.sub("0", one) == _DIGITS.sub("0", other):
        return True
    return one[-1] == other[-1] and not one[-1].isalnum()


def _column(line: str, start: int) -> int:
    """Return where the whole name begins of which a part, or what stands before that part, begins at `start`."""
    if not (line[start].isalnum() or line[start] == "_"):
        start += 1
    while start and (line[start - 1].isalnum() or line[start - 1] in "_.-\"'"):
        start -= 1
    return start


def _name_before(text: str) -> str:
    """Return the name that a value after this text has, or nothing where it stands in a list."""
    text = text.rstrip(" \t")
    if not text.endswith((":", "=", "=>")):
        return ""
    return _NO_NAME.split(text.rstrip(":=> \t").rstrip("\"'\\"))[-1]


def _depth(text: str) -> int:
    return sum(1 if ch in "[{(" else -1 for ch in text if ch in "[{()}]")


def _is_yaml_secret(value: str, judge: _Judge, name: str, listed: bool) -> bool:
    if " " in value.strip() and not name and not listed:
        return False  # a sentence of the log, indented below a prompt
    return judge.hides(value) and (not judge.all or is_lone_password(value) or value.isdigit())
