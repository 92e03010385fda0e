"""Reads failure signatures and tables of codes from YAML; every mistake is reported with its file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import re2
import yaml

from agentic.errors import ConfigError
from agentic.reasoning.particulars import KINDS
from agentic.reasoning.signatures import OPTIONAL, PLACEHOLDER, Role, Signature, compile_pattern, particular
from agentic.types import Category
from agentic.words import words

_KEYS = words(
    "name category role confidence patterns cause outranks command exit_codes requires unless any_level again "
    "matches not_matches"
)
_OF_A_TABLE = words("name patterns example not_matches rows")
_OF_A_ROW = words("category role confidence cause outranks command exit_codes requires unless any_level again")
_WITHOUT_CATEGORY = frozenset({Role.BENIGN, Role.RECOVERED, Role.SUCCESS})
_ALL_CODES, _MEANING = "{codes}", "{means}"
_ROLES = {role.value: role for role in Role}
_CATEGORIES = {category.value: category for category in Category}
_GROUP_NAME = re.compile(r"\(\?P<(\w+)>")
_NO_NAME = re.compile(r"[^a-z0-9]+")

Nodes = Mapping[str, yaml.Node]


def load(folder: Path, *, checked: bool = True) -> list[Signature]:
    """Read every signature of a folder, in the order of the file names.

    Without `checked` no pattern is compiled to see whether it is one; what is shipped was read with it in a test.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder of failure signatures")
    found: list[Signature] = []
    for path in sorted(folder.glob("*.yaml")):
        found.extend(load_file(path, checked=checked))
    # Patterns compiled only to be checked would stay in RE2's own cache.
    re2.purge()
    return found


def load_file(path: Path, *, checked: bool = True) -> list[Signature]:
    """Read the signatures and tables of one file; a file with neither key has none."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path.name}:{line}: not YAML: {error.problem}") from error
    top = _mapping(root, path.name) if root is not None else {}
    signatures: list[Signature] = []
    names: set[str] = set()
    for key, read in (("signatures", _read_signature), ("tables", _read_table)):
        listed = top.get(key)
        if listed is None:
            continue
        if not isinstance(listed, yaml.SequenceNode):
            raise ConfigError(f"{_at(path.name, listed)}: {key}: a list is needed")
        for node in listed.value:
            for signature in read(path, node, checked):
                if signature.name in names:
                    raise ConfigError(f"{signature.where}: {signature.name}: the name is taken already")
                names.add(signature.name)
                signatures.append(signature)
    return signatures


def check_examples(signature: Signature) -> None:
    """Raise ConfigError when an example contradicts its signature."""
    compiled = [compile_pattern(pattern) for pattern in signature.patterns]
    for example in signature.matches:
        if not _occurs(signature, compiled, example):
            raise ConfigError(f"{signature.where}: {signature.name}: does not match its own example {example[:80]!r}")
    unless = compile_pattern(signature.unless) if signature.unless else None
    for example in signature.not_matches:
        ruled_out = unless is not None and unless.search(example.encode()) is not None
        if not ruled_out and _occurs(signature, compiled, example):
            raise ConfigError(f"{signature.where}: {signature.name}: matches {example[:80]!r}, which it must not")


def _occurs(signature: Signature, compiled: Sequence[Any], text: str) -> bool:
    if not signature.code:
        return any(one.search(text.encode()) for one in compiled)
    return _found(compiled, text, signature.code)


def _found(compiled: Sequence[Any], text: str, code: str) -> bool:
    matches = (match for one in compiled for match in one.finditer(text.encode()))
    return any((match.groupdict().get(b"code") or b"").decode().lower() == code.lower() for match in matches)


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _at(name: str, node: yaml.Node) -> str:
    return f"{name}:{node.start_mark.line + 1}"


def _mapping(node: yaml.Node, name: str) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{_at(name, node)}: keys and values are needed here")
    return {str(key.value): value for key, value in node.value}


def _read_signature(path: Path, node: yaml.Node, checked: bool) -> Iterator[Signature]:
    reader = _Reader(path, node, _mapping(node, path.name), checked=checked)
    reader.name = f"{path.stem}.{reader.plain_name()}"
    reader.allow(_KEYS)
    patterns = reader.patterns()
    groups = [reader.groups(pattern, "patterns") for pattern in patterns]
    yield reader.signature(patterns, groups, matches=reader.list("matches"))


def _read_table(path: Path, node: yaml.Node, checked: bool) -> Iterator[Signature]:
    """Yield one signature for every code of a table; they share the patterns that find a code."""
    shared = _mapping(node, path.name)
    table = _Reader(path, node, shared, checked=checked)
    table.name = f"{path.stem}.{table.plain_name()}"
    table.allow({*_OF_A_TABLE, *_OF_A_ROW})
    example = table.text("example")
    rows = [_Reader(path, row, _mapping(row, path.name), table.name) for row in table.sequence("rows")]
    codes = [row.codes_and_meanings() for row in rows]
    patterns = _with_codes(table.patterns(), [code for listed in codes for code in listed], example)
    groups = [table.groups(pattern, "patterns") for pattern in patterns]
    if any("code" not in names for names in groups):
        table.fail("patterns", "patterns: each pattern of a table needs the group `code`")
    for row, listed in zip(rows, codes, strict=True):
        row.allow({*_OF_A_ROW, "codes"})
        keys = {k: v for k, v in shared.items() if k != "rows"} | dict(row.keys)
        reader = _Reader(path, row.node, keys, table.name, checked=checked)
        yield from _rows(reader, patterns, groups, example, listed)


def _rows(
    reader: _Reader,
    patterns: tuple[str, ...],
    groups: Sequence[frozenset[str]],
    example: str,
    codes: Mapping[str, str],
) -> Iterator[Signature]:
    """Yield a signature for each code of one row; all but a few of its fields are the same."""
    table = reader.name
    first: Signature | None = None
    # Spellings that differ only in case mean the same.
    for code, means in {code.lower(): (code, means) for code, means in codes.items()}.values():
        reader.name = f"{table}_{_NO_NAME.sub('_', code.lower()).strip('_')}"
        matches = (example.replace("{code}", code),)
        if first is None:
            first = reader.signature(patterns, groups, matches=matches, means=means)
            yield replace(first, table=table, code=code.lower())
            continue
        cause = reader.cause(first.role, groups, means)
        yield replace(first, name=reader.name, cause=cause, matches=matches, table=table, code=code.lower())


def _with_codes(patterns: Sequence[str], codes: Sequence[str], example: str) -> tuple[str, ...]:
    """Put into `{codes}` of a table's patterns the codes that none of its other patterns finds."""
    general = [compile_pattern(pattern) for pattern in patterns if _ALL_CODES not in pattern]
    named = [code for code in codes if not _found(general, example.replace("{code}", code), code)]
    every = "|".join(re.escape(code) for code in sorted(set(named or codes), key=lambda code: (-len(code), code)))
    return tuple(pattern.replace(_ALL_CODES, f"(?:{every})") for pattern in patterns)


class _Reader:
    """Reads one signature from its YAML node."""

    def __init__(self, path: Path, node: yaml.Node, keys: Nodes, name: str = "", *, checked: bool = True) -> None:
        self._checked = checked
        self.node = node
        self.keys = keys
        self.name = name
        self._file = path.name

    def allow(self, known: frozenset[str] | set[str] | Sequence[str]) -> None:
        """Refuse any key that is not known."""
        for key in self.keys:
            if key not in known:
                self.fail(key, f"unknown key {key!r}; there are: {', '.join(sorted(known))}")

    def plain_name(self) -> str:
        """Return the name inside the file."""
        name = str(self.text("name"))
        if not re.fullmatch(r"[a-z0-9_]{1,60}", name):
            self.fail("name", "a name is made of a-z, 0-9 and _")
        return name

    def patterns(self) -> tuple[str, ...]:
        """Return the patterns as written."""
        return self.list("patterns")

    def signature(
        self,
        patterns: tuple[str, ...],
        groups: Sequence[frozenset[str]],
        *,
        matches: tuple[str, ...],
        means: str = "",
    ) -> Signature:
        """Return what the node says, for one code of it when it is a row of a table."""
        role = self._role()
        for key in ("command", "requires", "unless"):
            if key in self.keys:
                self.groups(self.text(key), key)
        return Signature(
            name=self.name,
            category=self._category(role),
            role=role,
            confidence=self._number("confidence", 85),
            patterns=patterns,
            cause=self.cause(role, groups, means),
            outranks=frozenset(self.list("outranks", needed=False)),
            command=self.text("command", needed=False),
            exit_codes=frozenset(self._exit_codes()),
            requires=self.text("requires", needed=False),
            unless=self.text("unless", needed=False),
            any_level=self.text("any_level", needed=False) == "true" or role in _WITHOUT_CATEGORY,
            again=self.text("again", needed=False) == "true",
            matches=matches,
            not_matches=self.list("not_matches"),
            where=_at(self._file, self.node),
        )

    def fail(self, key: str, message: str) -> NoReturn:
        """Raise ConfigError with the place of a key."""
        node = self.keys.get(key, self.node)
        raise ConfigError(f"{_at(self._file, node)}: {self.name or key}: {message}")

    def text(self, key: str, *, needed: bool = True) -> Any:
        """Return a text, or None when it is missing and need not be there."""
        node = self.keys.get(key)
        if node is None:
            if needed:
                self.fail(key, f"the key {key!r} is missing")
            return None
        if not isinstance(node, yaml.ScalarNode):
            self.fail(key, f"{key}: a text is needed")
        return str(node.value)

    def sequence(self, key: str, *, needed: bool = True) -> list[yaml.Node]:
        """Return the nodes of a list that has at least one entry."""
        node = self.keys.get(key)
        if node is None:
            if needed:
                self.fail(key, f"the key {key!r} is missing; at least one entry is needed")
            return []
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self.fail(key, f"{key}: a list with at least one entry is needed")
        return list(node.value)

    def list(self, key: str, *, needed: bool = True) -> tuple[str, ...]:
        """Return the texts of a list that has at least one entry."""
        return tuple(str(item.value) for item in self.sequence(key, needed=needed))

    def codes_and_meanings(self) -> dict[str, str]:
        """Return the codes of a row of a table, each with what it means where the table says so."""
        node = self.keys.get("codes")
        if isinstance(node, yaml.MappingNode) and node.value:
            found: dict[str, str] = {}
            for key, value in node.value:
                if key.value in found:
                    self.fail("codes", f"codes: {key.value} is there twice")
                found[str(key.value)] = str(value.value)
            return found
        return dict.fromkeys(self.list("codes"), "")

    def groups(self, pattern: str, key: str) -> frozenset[str]:
        """Compile a pattern and return the names of its groups."""
        if not self._checked:
            return frozenset(map(particular, _GROUP_NAME.findall(pattern)))
        try:
            compiled = compile_pattern(pattern)
        except re2.error as error:
            reason = error.args[0] if error.args else error
            text = reason.decode() if isinstance(reason, bytes) else str(reason)
            self.fail(key, f"{key}: {pattern!r}: {text} (RE2: no look-around, no back-references)")
        if compiled.search(b"") is not None:
            self.fail(key, f"{key}: {pattern!r} matches the empty text, so it would match every log")
        return frozenset(particular(name) for name in compiled.groupindex)

    def _number(self, key: str, default: int) -> int:
        text = self.text(key, needed=False)
        if text is None:
            return default
        if not text.isdigit() or not 0 <= int(text) <= 100:
            self.fail(key, f"{key}: a number from 0 to 100 is needed")
        return int(text)

    def _exit_codes(self) -> Iterator[int]:
        for text in self.list("exit_codes", needed=False):
            if not re.fullmatch(r"-?\d{1,5}", text):
                self.fail("exit_codes", f"exit_codes: {text!r} is no exit code")
            yield int(text)

    def _role(self) -> Role:
        text = self.text("role", needed=False) or Role.CAUSE.value
        if text not in _ROLES:
            self.fail("role", f"role: {text!r} is none of {', '.join(Role)}")
        return _ROLES[text]

    def _category(self, role: Role) -> Category:
        if role in _WITHOUT_CATEGORY and "category" not in self.keys:
            return Category.NOT_A_FAILURE
        text = self.text("category")
        if text not in _CATEGORIES:
            self.fail("category", f"category: {text!r} is none of {', '.join(Category)}")
        return _CATEGORIES[text]

    def cause(self, role: Role, groups: Sequence[frozenset[str]], means: str) -> str:
        """Return the sentence of the cause, of one code of it when it is a row of a table."""
        text = self.text("cause", needed=role not in _WITHOUT_CATEGORY) or ""
        if _MEANING in text:
            if not means:
                self.fail("codes", f"codes: the cause speaks of {_MEANING}, so each code needs a meaning")
            text = text.replace(_MEANING, means)
            text = text[:1].upper() + text[1:]
        everywhere = frozenset.intersection(*groups)
        anywhere = frozenset.union(*groups)
        optional = {match[1] for part in OPTIONAL.finditer(text) for match in PLACEHOLDER.finditer(part[1])}
        for match in PLACEHOLDER.finditer(text):
            if match[1] not in anywhere | KINDS:
                self.fail("cause", f"cause: no pattern has a group {match[1]!r}")
            if match[2] is None and match[1] not in everywhere | optional:
                self.fail("cause", f"cause: {{{match[1]}}} needs a fallback, as in {{{match[1]}|a service}}")
        return text
