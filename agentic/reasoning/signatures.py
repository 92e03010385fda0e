"""Failure signatures: what is known about failures, as data with its proof beside it.

A signature is a name, a category, patterns, a sentence of cause, and examples that must and must not match.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import re2

from agentic.patterns import options as quiet
from agentic.types import Category

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
    """Names, tables or categories that yield to this one when both are found."""
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
    again: bool
    """Whether running again may help although the cause is not known."""
    matches: tuple[str, ...]
    not_matches: tuple[str, ...]
    where: str
    table: str = ""
    """Name of the table that this is a row of."""
    code: str = ""
    """In lower case, the one of the codes that the patterns find, for a row of a table."""
    own: bool = False
    """Whether the operator wrote it, who knows the logs it is for."""


def options() -> re2.Options:
    """Return the options of every pattern here: quiet, with room for many alternatives."""
    return quiet(4 << 20)


def compile_pattern(pattern: str) -> Any:
    """Compile a pattern as signatures mean it: case does not count, `^` and `$` are the ends of a line."""
    return re2.compile(b"(?im)" + pattern.encode(), options())


@cache
def particular(group: str | bytes) -> str:
    """Return what a group's name stands for: `host2` is a second place where the `host` can be found."""
    name = group.decode() if isinstance(group, bytes) else group
    return name.rstrip("0123456789")
