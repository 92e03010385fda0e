"""The errors of the core: one base, few leaves, each saying when it is raised.

AutoRemedyError
├── InvalidEvent      a report cannot be understood; `problems` names each field
├── ConfigError       a setting is missing or wrong; the message says where and what to write
├── PluginError       a part named in the configuration cannot be loaded
├── EffectorError     an effect could not be carried out; `never_sent` decides whether a repeat is harmless
└── Fenced            another worker took the incident over; stop at once and write nothing
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class AutoRemedyError(Exception):
    """Base of every error that AutoRemedy raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a report: where (JSON pointer), what, and a stable code."""

    pointer: str
    message: str
    code: str = "invalid"


class InvalidEvent(AutoRemedyError):
    """A report cannot be understood; `problems` names each field."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(f"{p.pointer or '/'}: {p.message}" for p in problems))
        self.problems = problems


class Fault(NamedTuple):
    """One mistake in the settings: the path of the setting, and what to write."""

    path: tuple[str | int, ...]
    message: str


class ConfigError(AutoRemedyError):
    """A setting is missing or wrong; the message says where and what to write.

    `faults` has the same for whoever knows the file: each mistake with the path of its setting.
    """

    def __init__(self, message: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class PluginError(AutoRemedyError):
    """A part named in the configuration cannot be loaded."""


class EffectorError(AutoRemedyError):
    """An effect could not be carried out; `never_sent` means that it certainly did not happen."""

    def __init__(self, message: str, *, never_sent: bool = False) -> None:
        super().__init__(message)
        self.never_sent = never_sent


class Fenced(AutoRemedyError):
    """Another worker took the incident over; stop at once and write nothing."""
