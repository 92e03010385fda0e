"""What a line names: the file, host, port, user, package and the like that a cause should mention.

A signature knows that a line reports a missing file, in whichever language; where such lines put the name of the
file is known here, once for all signatures.
"""

# ruff: noqa: E501  a pattern is read whole

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import re2

from agentic.patterns import options
from agentic.words import words

_LONGEST_LINE = 2_000
_NAME = r"[A-Za-z0-9](?:[\w-]*[A-Za-z0-9])?"
_HOST = rf"(?:{_NAME}(?:\.{_NAME})*|\[[0-9a-fA-F:]+\])"
_QUOTED = r"[\"'`]([^\"'`]{1,200})[\"'`]"

# Ends of dotted names that are files, classes or functions rather than hosts.
_NO_TOP_DOMAIN = frozenset(
    words(
        "py pyc java go js mjs ts rb rs c cc cpp h php pl pm sh sql log txt csv tsv json xml yaml yml toml ini cfg conf "
        "gz tgz zip tar bz2 xz zst jar war exe dll so md html htm lock pid sock service timer mount socket target "
        "properties parquet avro orc dat bin tmp bak"
    )
)
_NO_FIRST_LABEL = frozenset(words("java javax org.apache sun requests urllib3 socket ssl http httpx aiohttp urllib os"))
_NO_FILES = frozenset(
    words(
        "line error fatal warning info debug cannot could can't failed panic stdin stdout err e w n/a i/o tcp/ip and/or"
    )
)
_FUNCTION_WORDS = frozenset(
    words(
        "a an the of to in on at as by for from with via and or nor not no is are was were be been has have had does do "
        "did it its this that these those if when while than then so but into over under after before because without "
        "name key type value error failed failure unknown invalid missing required null none true false any all some"
    )
)
"""Words that stand where a name would stand, in a sentence of another form."""


_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|us|ns|h|m|s|d|[KMGT]i?B?))+")


def _is_file(text: str) -> bool:
    """Say whether a word can be the name of a file: no sentence, no class, no number, no URL of the web."""
    word = text.strip()
    if not word or word.lower() in _NO_FILES or word.startswith(("http://", "https://", "-")):
        return False
    if word.lower().endswith(("error", "exception", "exceptions")) or word.replace(".", "").replace(":", "").isdigit():
        return False
    return any(ch.isalnum() for ch in word) and not _DURATION.fullmatch(word)


def _is_host(text: str) -> bool:
    labels = text.lower().split(".")
    if len(labels) == 4 and all(label.isdigit() for label in labels):
        return True
    if labels[-1].isdigit() or labels[-1] in _NO_TOP_DOMAIN or labels[-1].endswith(("error", "exception")):
        return False
    if labels[0] in _NO_FIRST_LABEL and len(labels) > 1:
        return False
    return text == text.lower() or text.startswith("[")


def _anything(text: str) -> bool:
    return True


_Kind = tuple[Callable[[str], bool], tuple[str, ...]]

_KINDS: dict[str, _Kind] = {
    "path": (
        _is_file,
        (
            # In quotes and with a folder or an ending, then after the word that says what was tried.
            r"[\"'`]((?:[A-Za-z]:[\\/])?[^\"'`\s:]*(?:[/\\][^\"'`\s]*|\.\w{1,8}))[\"'`]",
            r"(?:open|stat|access|read|write(?: to)?|touch|create|remove|load|copy|cd to|chdir|directory|folder|file|ownership of|permissions of) "
            + _QUOTED,
            r"(?:rb_sysopen - |can't open |cannot open |could not open |failed to open |unable to open )([^\s:\"'`,;()]+)",
            # `cat: orders: the error`, `bash: line 4: /srv/out: the error`, and the word before the error.
            r"^(?:[\w.+/-]+(?:\[\d+\])?: )(?:line \d+: |\d+: )?(?:[a-z' ]{4,24}: )?([^\s:\"'`()]+): [^\s:]",
            r"^([^\s:\"'`()]+\.[a-z]\w{0,7}) ?: [^\s:]",
            r"[\s:=(@]((?:[A-Za-z]:[\\/]|~?/|\.{1,2}/)[^\s:\"'`,;()<>\[\]]+)",
            r"[\s:=(@]([a-z0-9]{2,8}://[^\s\"'`,;()<>\[\]]+)",
            r"[\s:=(]([\w-]+(?:\.[a-z]\w{0,7}){1,2})(?:[\s:,;)]|$)",
        ),
    ),
    "host": (
        _is_host,
        (
            rf"://(?:[^/@\s\"']*@)?({_HOST})",
            rf"\b(?:host|server)(?:name)?(?:=|: | for |=?[\"'`])[\"'`]?({_HOST})(?:[\"'`,:;) ]|$)",
            rf"\b(?:lookup|resolv(?:e|ing)|ENOTFOUND|EAI_AGAIN|host ?name|host address|translate host name|ping:)[ :=]+[\"'`(]?({_HOST})(?:[\s\"'`,:;)]|$)",
            r"\b(\d{1,3}(?:\.\d{1,3}){3})\b",
            rf"[\s\"'`(@=]((?:{_NAME}\.)+[a-z]{{2,24}})(?:[\s\"'`,:;)/]|$)",
        ),
    ),
    "target": (
        _anything,
        (
            rf"[\"'`]({_HOST})[\"'`](?: \([\d.:a-f]+\))?, (?:port[ =])(\d{{1,5}})",
            rf"host=[\"'`]?({_HOST})[\"'`]?, port=(\d{{1,5}})",
            rf"\b({_HOST}) port (\d{{1,5}})\b",
            r"(?:^|[\s\"'`(/@>\[])((?:[a-z][\w-]*\.)*[a-z][\w-]*|\d{1,3}(?:\.\d{1,3}){3}):(\d{2,5})(?:[\s\"'`),:;./?\]]|$)",
            r"\b(unix:/[^\s\"'`]*[^\s\"'`.,;:])",
            r"[\"'`(](/[^\s\"'`]+\.sock(?:et)?)",
            rf"://(?:[^/@\s\"']*@)?({_HOST})",
            rf"\b(?:Connection to|host) [\"'`]?({_HOST}) (?:timed out|port)",
            r"\b(\d{1,3}(?:\.\d{1,3}){3})\b",
        ),
    ),
    "port": (_anything, (r"(?:[\d.\]*]|localhost|::):(\d{2,5})\b", r"\bport[ :=]+(\d{1,5})\b", r"[\s:]:?:?(\d{2,5})$")),
    "user": (
        _anything,
        (
            r"\b(?:user(?:name)?|role|account|login|principal|benutzer|usuario|utilisateur)[ :=]+[\"'`]?([\w.\\@-]*\w)",
            r"\b([\w.-]+)@[\w.-]+: ",
        ),
    ),
    "table": (
        _anything,
        (r"\b(?:table|relation|view|index|topic|into|collection)[ :]+[\"'`]?([\w.$-]*\w)[\"'`]?(?:[\s,;:)]|$)",),
    ),
    "constraint": (
        _anything,
        (
            r"\bconstraint[ :]+[\"'`(]?([\w.]*\w)",
            r"constraint failed: ([\w.]*\w)",
            r"\bfor key [\"'`]([^\"'`]+)",
            r"null value in column [\"'`]([^\"'`]+)",
            r"[Cc]olumn [\"'`](\w+)[\"'`] cannot be null",
        ),
    ),
    "place": (
        _anything,
        (
            r"(?:^|\s)([\w./-]+\.\w{1,5}:\d+(?::\d+)?)\b",
            r"\b(line \d+,? col(?:umn)?\.? \d+)",
            r"\b(line \d+)\b",
            r"\b(row \d+)\b",
            r"(?:^|\s)([\w./\\-]+\.\w{1,5}\(\d+(?:,\d+)?\)):",
            r"(?:^|\s)([\w./-]+\.\w{1,5}:\[\d+(?:,\d+)?\])",
            r"\b(position \d+)\b",
        ),
    ),
    "value": (
        _anything,
        (r": [\"'`]([^\"'`]{1,60})[\"'`]$", r"(?:value|string|date|number)[ :]+[\"'`]([^\"'`]{1,60})[\"'`]"),
    ),
    "unit": (_anything, (r"\b([\w@.:-]+\.(?:service|timer|mount|socket|target|path|slice))\b",)),
    "device": (
        _anything,
        (
            r"(/dev/[\w/-]*\w)",
            r"\bdev(?:ice)? \(?([a-z][\w-]*\d|sd[a-z]+)\b",
            r"\b(ata\d+(?:\.\d+)?|nvme\d\w*|md\d+)\b",
        ),
    ),
    "test": (
        _anything,
        (
            r"^(?:FAILED|ERROR) (\S+::\S+)",
            r"(?:--- )?FAIL: (\S+)",
            r"not ok \d+ -? ?(.{1,80})$",
            r"\[ +FAILED +\] ([\w./]+)",
            r"FAIL +(\S+\.\w+)",
        ),
    ),
    "symbol": (
        _anything,
        (
            r"undefined: ([\w.]*\w)",
            r"cannot find (?:name|value|type|function) [\"'`](\w+)",
            r"undefined reference to [\"'`]?([\w:~]*\w)",
            r"[\"'`](\w+)[\"'`] (?:was not declared|undeclared)",
            r"undeclared identifier [\"'`](\w+)",
        ),
    ),
}


class _Places:
    """The places where lines put one kind of particular, the most telling first."""

    def __init__(self, check: Callable[[str], bool], patterns: Sequence[str]) -> None:
        self.check = check
        self._patterns = [re2.compile(pattern, options()) for pattern in patterns]
        self._set = re2.Set.SearchSet(options())
        for pattern in patterns:
            self._set.Add(pattern)
        self._set.Compile()

    def there(self, raw: bytes) -> list[Any]:
        """Return the patterns that match a line: one look at it says which."""
        return [self._patterns[number] for number in sorted(self._set.Match(raw) or ())]


_COMPILED = {kind: _Places(check, patterns) for kind, (check, patterns) in _KINDS.items()}
KINDS = frozenset(_KINDS)
"""Names that a cause may use without a group in any pattern."""


def is_particular(text: str) -> bool:
    """Say whether a text can name something: no word of an ordinary sentence, no secret's mark."""
    return bool(text) and text.strip("\"'`,;:. ").lower() not in _FUNCTION_WORDS and "[REDACTED:" not in text


def find_particular(kind: str, line: str) -> str:
    """Return what the line names of this kind, or the empty text."""
    places = _COMPILED.get(kind)
    if places is None:
        return ""
    # As bytes: given a text, each pattern would turn it into bytes anew.
    raw = line[:_LONGEST_LINE].encode("utf-8", "replace")
    for pattern in places.there(raw):
        for match in pattern.finditer(raw):
            found = b":".join(filter(None, match.groups())).decode().rstrip(".,;:")
            if is_particular(found) and places.check(found.partition(":")[0] if kind == "target" else found):
                return found
    return ""
