"""Failure signatures: what is known about failures, as data with its proof beside it.

A signature is a name, a category, patterns, a sentence of cause, and examples that must and must not match.
Every mistake in a file is reported with the file's name and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import re2
import yaml

from agentic.errors import ConfigError
from agentic.reasoning.particulars import KINDS
from agentic.types import Category
from agentic.words import words

BUILT_IN = Path(__file__).parent / "knowledge"

PLACEHOLDER = re.compile(r"\{(\w+)(?:\|([^{}]*))?\}")
OPTIONAL = re.compile(r"\[([^\[\]]*\{[^\[\]]*)\]")
"""A part of a cause that is left out when the log does not name what it speaks of."""


class Role(StrEnum):
    """What a match of a signature means for the verdict."""

    CAUSE = "cause"
    """A fault that can be the reason of the failure."""
    GENERIC = "generic"
    """A fault named in general terms; a cause that says more goes before it."""
    SYMPTOM = "symptom"
    """What a fault leads to; it stands only when nothing better is found."""
    SUCCESS = "success"
    """The run says that it ended well."""
    BENIGN = "benign"
    """The line looks like a fault and is none; nothing is concluded from it."""
    RECOVERED = "recovered"
    """A passing fault seen before was overcome."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One thing known about failures."""

    name: str
    """File stem and name, as in `disk_full.enospc`."""
    category: Category
    role: Role
    confidence: int
    patterns: tuple[str, ...]
    cause: str
    outranks: frozenset[str]
    """Names or categories that yield to this one when both are found."""
    command: str | None
    """RE2 pattern that the job's name or command must match, or None for any job."""
    exit_codes: frozenset[int]
    """Exit codes with which alone this counts, or empty for any."""
    requires: str | None
    """Pattern that must be somewhere else in the log, too."""
    unless: str | None
    """Pattern whose presence within two lines of the match rules it out."""
    any_level: bool
    """Whether it says as much on a line of level INFO as on one of level ERROR."""
    matches: tuple[str, ...]
    not_matches: tuple[str, ...]
    where: str


_KEYS = words(
    "name category role confidence patterns cause outranks command exit_codes requires unless any_level "
    "matches not_matches"
)
_WITHOUT_CATEGORY = frozenset({Role.BENIGN, Role.RECOVERED, Role.SUCCESS})


def options() -> re2.Options:
    """Return the options of every pattern here: quiet, with room for many alternatives."""
    chosen = re2.Options()
    chosen.log_errors = False
    chosen.max_mem = 256 << 20
    return chosen


def compile_pattern(pattern: str) -> Any:
    """Compile a pattern as signatures mean it: case does not count, `^` and `$` are the ends of a line."""
    return re2.compile(b"(?im)" + pattern.encode(), options())


def particular(group: str | bytes) -> str:
    """Return what a group's name stands for: `host2` is a second place where the `host` can be found."""
    name = group.decode() if isinstance(group, bytes) else group
    return name.rstrip("0123456789")


def load(folder: Path) -> list[Signature]:
    """Read every signature of a folder, in the order of the file names."""
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder of failure signatures")
    found: list[Signature] = []
    for path in sorted(folder.glob("*.yaml")):
        found.extend(load_file(path))
    return found


def load_file(path: Path) -> list[Signature]:
    """Read the signatures of one file; a file without the key `signatures` has none."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path.name}:{line}: not YAML: {error.problem}") from error
    if root is None:
        return []
    top = _mapping(root, path.name)
    if "signatures" not in top:
        return []
    listed = top["signatures"]
    if not isinstance(listed, yaml.SequenceNode):
        raise ConfigError(f"{_at(path.name, listed)}: signatures: a list is needed")
    signatures: list[Signature] = []
    names: set[str] = set()
    for node in listed.value:
        signature = _Reader(path, node).read()
        if signature.name in names:
            raise ConfigError(f"{signature.where}: {signature.name}: the name is taken already")
        names.add(signature.name)
        signatures.append(signature)
    return signatures


def check_examples(signature: Signature) -> None:
    """Raise ConfigError when an example contradicts its signature."""
    compiled = [compile_pattern(pattern) for pattern in signature.patterns]
    for example in signature.matches:
        if not any(one.search(example.encode()) for one in compiled):
            raise ConfigError(f"{signature.where}: {signature.name}: does not match its own example {example[:80]!r}")
    unless = compile_pattern(signature.unless) if signature.unless else None
    for example in signature.not_matches:
        ruled_out = unless is not None and unless.search(example.encode()) is not None
        if not ruled_out and any(one.search(example.encode()) for one in compiled):
            raise ConfigError(f"{signature.where}: {signature.name}: matches {example[:80]!r}, which it must not")


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _at(name: str, node: yaml.Node) -> str:
    return f"{name}:{node.start_mark.line + 1}"


def _mapping(node: yaml.Node, name: str) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{_at(name, node)}: keys and values are needed here")
    return {str(key.value): value for key, value in node.value}


class _Reader:
    """Reads one signature from its YAML node."""

    def __init__(self, path: Path, node: yaml.Node) -> None:
        self._file = path.name
        self._node = node
        self._keys = _mapping(node, path.name)
        self._where = _at(path.name, node)
        self._name = f"{path.stem}.{self._text('name')}"

    def read(self) -> Signature:
        for key in self._keys:
            if key not in _KEYS:
                self._fail(key, f"unknown key {key!r}; there are: {', '.join(sorted(_KEYS))}")
        if not re.fullmatch(r"[a-z0-9_]{1,60}", self._text("name")):
            self._fail("name", "a name is made of a-z, 0-9 and _")
        role = self._role()
        patterns = self._list("patterns")
        groups = [self._groups(pattern, "patterns") for pattern in patterns]
        for key in ("command", "requires", "unless"):
            if key in self._keys:
                self._groups(self._text(key), key)
        return Signature(
            name=self._name,
            category=self._category(role),
            role=role,
            confidence=self._number("confidence", 85),
            patterns=patterns,
            cause=self._cause(role, groups),
            outranks=frozenset(self._list("outranks", needed=False)),
            command=self._text("command", needed=False),
            exit_codes=frozenset(self._codes()),
            requires=self._text("requires", needed=False),
            unless=self._text("unless", needed=False),
            any_level=self._text("any_level", needed=False) == "true" or role in _WITHOUT_CATEGORY,
            matches=self._list("matches"),
            not_matches=self._list("not_matches"),
            where=self._where,
        )

    def _fail(self, key: str, message: str) -> None:
        node = self._keys.get(key, self._node)
        raise ConfigError(f"{_at(self._file, node)}: {self._name_or_key(key)}: {message}")

    def _name_or_key(self, key: str) -> str:
        return getattr(self, "_name", key)

    def _text(self, key: str, *, needed: bool = True) -> Any:
        node = self._keys.get(key)
        if node is None:
            if needed:
                self._fail(key, f"the key {key!r} is missing")
            return None
        if not isinstance(node, yaml.ScalarNode):
            self._fail(key, f"{key}: a text is needed")
        return str(node.value)

    def _list(self, key: str, *, needed: bool = True) -> tuple[str, ...]:
        node = self._keys.get(key)
        if node is None:
            if needed:
                self._fail(key, f"the key {key!r} is missing; at least one entry is needed")
            return ()
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self._fail(key, f"{key}: a list with at least one entry is needed")
        assert isinstance(node, yaml.SequenceNode)
        return tuple(str(item.value) for item in node.value)

    def _number(self, key: str, default: int) -> int:
        text = self._text(key, needed=False)
        if text is None:
            return default
        if not text.isdigit() or not 0 <= int(text) <= 100:
            self._fail(key, f"{key}: a number from 0 to 100 is needed")
        return int(text)

    def _codes(self) -> Iterator[int]:
        for text in self._list("exit_codes", needed=False):
            if not re.fullmatch(r"-?\d{1,5}", text):
                self._fail("exit_codes", f"exit_codes: {text!r} is no exit code")
            yield int(text)

    def _role(self) -> Role:
        text = self._text("role", needed=False) or Role.CAUSE.value
        if text not in set(Role):
            self._fail("role", f"role: {text!r} is none of {', '.join(Role)}")
        return Role(text)

    def _category(self, role: Role) -> Category:
        if role in _WITHOUT_CATEGORY and "category" not in self._keys:
            return Category.NOT_A_FAILURE
        text = self._text("category")
        if text not in set(Category):
            self._fail("category", f"category: {text!r} is none of {', '.join(Category)}")
        return Category(text)

    def _groups(self, pattern: str, key: str) -> frozenset[str]:
        """Compile a pattern and return the names of its groups."""
        try:
            compiled = compile_pattern(pattern)
        except re2.error as error:
            reason = error.args[0] if error.args else error
            text = reason.decode() if isinstance(reason, bytes) else str(reason)
            self._fail(key, f"{key}: {pattern!r}: {text} (RE2: no look-around, no back-references)")
        if compiled.search(b"") is not None:
            self._fail(key, f"{key}: {pattern!r} matches the empty text, so it would match every log")
        return frozenset(particular(name) for name in compiled.groupindex)

    def _cause(self, role: Role, groups: Sequence[frozenset[str]]) -> str:
        text = self._text("cause", needed=role not in _WITHOUT_CATEGORY) or ""
        everywhere = frozenset.intersection(*groups)
        anywhere = frozenset.union(*groups)
        optional = {match[1] for part in OPTIONAL.finditer(text) for match in PLACEHOLDER.finditer(part[1])}
        for match in PLACEHOLDER.finditer(text):
            if match[1] not in anywhere | KINDS:
                self._fail("cause", f"cause: no pattern has a group {match[1]!r}")
            if match[2] is None and match[1] not in everywhere | optional:
                self._fail("cause", f"cause: {{{match[1]}}} needs a fallback, as in {{{match[1]}|a service}}")
        return text
