"""Where each setting was written: YAML with line and column per path, and the environment over it.

Scalars follow YAML 1.2: `no` and `off` stay words, `012` is twelve, `1:30` is text.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from agentic.errors import ConfigError

Path = tuple[str | int, ...]
KEY = re.compile(r"([A-Za-z_][\w.-]*): ")
VARIABLE = re.compile(r"\$(\$|\{([A-Za-z_][A-Za-z0-9_]*)\})")


class _Loader(yaml.CSafeLoader):
    """The C loader with the resolvers of YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's protocol


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf)|\.(nan|NaN)",
        "-+.0123456789",
    ),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))


def _decimal(loader: _Loader, node: yaml.ScalarNode) -> int:
    return int(node.value, 0) if re.match(r"0[ox]", node.value) else int(node.value)


_Loader.add_constructor("tag:yaml.org,2002:int", _decimal)


@dataclass
class Source:
    """Settings as plain data, and the place each path was written at."""

    name: str
    data: dict[str, Any] = field(default_factory=dict)
    places: dict[Path, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    written: bool = True
    """Whether there is a file at all."""
    filled: list[tuple[Path, str, str]] = field(default_factory=list)
    """What was taken from the environment by `${NAME}`: where, the name, the value."""

    def place(self, path: Path) -> str:
        """Return `file:line:column` of a path, or of the nearest part of it that was written."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return f"{self.name}:1:1"

    def complain(self, path: Path, message: str) -> None:
        """Add one problem, with its place."""
        self.problems.append(self.located(path, message))

    def located(self, path: Path, message: str) -> str:
        """Return `file:line:column: path: message`.

        Where the message begins with a key that was written below the path (`cwd: …`), its place is meant.
        """
        key = KEY.match(message)
        if key and (below := (*path, *key[1].split("."))) in self.places:
            path, message = below, message[key.end() :]
        where = dotted(path)
        return f"{self.place(path)}: {where + ': ' if where else ''}{message}"


def dotted(path: Path) -> str:
    """Write a path as people do: `jobs.0.rerun.argv`."""
    return ".".join(str(part) for part in path)


def read_yaml(text: str, name: str, environ: Mapping[str, str]) -> Source:
    """Read settings with `${NAME}` taken from the environment; raises ConfigError when it is not YAML."""
    source = Source(name)
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return source
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(f"{name}:1:1: settings are written as `key: value` lines")
        _walk(node, (), source, loader, environ)
        source.data = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else f"{name}:1:1"
        raise ConfigError(f"{place}: not valid YAML: {error.problem or error.context}") from error
    except (yaml.reader.ReaderError, RecursionError) as error:
        raise ConfigError(f"{name}:1:1: not valid YAML: {error}") from error
    finally:
        loader.dispose()
    return source


def _walk(node: yaml.Node, path: Path, source: Source, loader: _Loader, environ: Mapping[str, str]) -> None:
    place = f"{source.name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
    source.places.setdefault(path, place)
    if isinstance(node, yaml.MappingNode):
        seen: set[Hashable] = set()
        for key, value in node.value:
            below = (*path, str(key.value))
            source.places[below] = f"{source.name}:{key.start_mark.line + 1}:{key.start_mark.column + 1}"
            if key.value in seen:
                source.complain(below, "written twice; keep one")
            seen.add(key.value)
            if key.tag != "tag:yaml.org,2002:merge":
                key.tag = "tag:yaml.org,2002:str"
            _walk(value, below, source, loader, environ)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, (*path, index), source, loader, environ)
    elif isinstance(node, yaml.ScalarNode) and "$" in node.value:
        _fill(node, path, source, loader, environ)


def _fill(node: yaml.ScalarNode, path: Path, source: Source, loader: _Loader, environ: Mapping[str, str]) -> None:
    def value_of(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        if match[2] not in environ:
            source.complain(path, f"environment variable {match[2]} is not set; set it or write the value here")
            return ""
        source.filled.append((path, match[2], environ[match[2]]))
        return environ[match[2]]

    node.value = VARIABLE.sub(value_of, node.value)
    if node.style is None:  # unquoted: `port: ${PORT}` is to become a number
        node.tag = loader.resolve(  # type: ignore[no-untyped-call]
            yaml.ScalarNode, node.value, (True, False)
        )


def put_environment(
    source: Source,
    environ: Mapping[str, str],
    prefix: str,
    not_settings: frozenset[str],
    short: Mapping[str, str],
) -> None:
    """Lay `PREFIX_A__B` and the short names over the file; later problems then name the variable."""
    for variable, value in _settings_in(environ, prefix, not_settings, short):
        *parents, last = variable.path
        target: Any = source.data
        for part in parents:
            target = _step_into(target, part)
            if target is None:
                source.complain((), f"{variable.name}: {dotted(variable.path)}: nothing of that name to set")
                break
        else:
            if isinstance(target, list) and str(last).isdigit() and int(last) < len(target):
                target[int(last)] = value
            elif isinstance(target, dict):
                target[str(last)] = value
            else:
                source.complain((), f"{variable.name}: {dotted(variable.path)}: nothing of that name to set")
            source.places[tuple(int(p) if str(p).isdigit() else p for p in variable.path)] = (
                f"environment:{variable.name}"
            )


@dataclass(frozen=True)
class _Variable:
    name: str
    path: tuple[str, ...]


def _settings_in(
    environ: Mapping[str, str], prefix: str, not_settings: frozenset[str], short: Mapping[str, str]
) -> Iterator[tuple[_Variable, Any]]:
    for name, dotted_path in short.items():
        if environ.get(name):
            yield _Variable(name, tuple(dotted_path.split("."))), _scalar(environ[name])
    for name, text in environ.items():
        if name.startswith(prefix) and name.removeprefix(prefix) not in not_settings:
            yield _Variable(name, tuple(name.removeprefix(prefix).lower().split("__"))), _scalar(text)


def _scalar(text: str) -> Any:
    """Read a value as YAML where that gives a scalar or a flow collection, else as it stands."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader by inheritance
    except yaml.YAMLError:
        return text


def _step_into(target: Any, part: str) -> Any:
    if isinstance(target, list):
        return target[int(part)] if part.isdigit() and int(part) < len(target) else None
    if isinstance(target, dict):
        if target.get(part) is None:
            target[part] = {}
        return target[part]
    return None
