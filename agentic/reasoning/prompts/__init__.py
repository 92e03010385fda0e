"""The words that are sent to a model: files beside this one, each replaceable by one of the operator's own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from agentic.errors import ConfigError
from agentic.types import Category

_FOLDER = Path(__file__).parent
_BLANK = re.compile(r"\{\{(\w+)\}\}")

BLANKS: dict[str, frozenset[str]] = {
    "system.md": frozenset({"categories"}),
    "categories.md": frozenset(),
    "question.md": frozenset({"menu", "hints", "mark", "facts", "log"}),
    "probe.md": frozenset({"probe", "mark", "result", "left"}),
}
"""Every prompt file and the blanks in it that are filled in."""
NEEDED: dict[str, frozenset[str]] = {
    "system.md": frozenset({"categories"}),
    "question.md": frozenset({"menu", "mark", "log"}),
    "probe.md": frozenset({"mark", "result"}),
}


class Prompts:
    """The prompt texts in force: the operator's where there are any, else the shipped ones."""

    def __init__(self, folder: Path | str | None = None) -> None:
        self._texts = {name: _read(name, Path(folder) if folder else None) for name in BLANKS}
        if folder and not any((Path(folder) / name).is_file() for name in BLANKS):
            raise ConfigError(f"{folder}: no prompt file in it; the names are {', '.join(BLANKS)}")
        _check_categories(self._texts["categories.md"])
        self.system = _fill(self._texts["system.md"], {"categories": self._texts["categories.md"]})
        self.version = hashlib.sha256("\0".join(self._texts.values()).encode()).hexdigest()[:8]
        """Changes when any text does."""

    def question(self, **parts: str) -> str:
        """Return the question about one event."""
        return _fill(self._texts["question.md"], parts)

    def probe(self, **parts: str) -> str:
        """Return what is said after a check that the model asked for."""
        return _fill(self._texts["probe.md"], parts)


def _fill(text: str, parts: Mapping[str, str]) -> str:
    # One pass: a log that contains a blank's name stays what it is.
    return _BLANK.sub(lambda match: parts[match[1]], text)


def _read(name: str, folder: Path | None) -> str:
    own = folder / name if folder else None
    file = own if own is not None and own.is_file() else _FOLDER / name
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error
    found = set(_BLANK.findall(text))
    for blank in sorted(found - BLANKS[name]):
        known = ", ".join(f"{{{{{known}}}}}" for known in sorted(BLANKS[name])) or "none"
        raise ConfigError(f"{file}: unknown blank {{{{{blank}}}}}; known here: {known}")
    for blank in sorted(NEEDED.get(name, frozenset()) - found):
        raise ConfigError(f"{file}: {{{{{blank}}}}} is missing")
    return text


def _check_categories(text: str) -> None:
    explained = {line.partition(":")[0].strip() for line in text.splitlines() if line.strip()}
    missing = [category.value for category in Category if category.value not in explained]
    if missing:
        raise ConfigError(f"categories.md: no line for {', '.join(missing)}")
