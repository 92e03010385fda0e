"""What an exit code says by itself: sysexits, signals, and the codes of well-known programs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import re2
import yaml

from agentic.reasoning.signatures import BUILT_IN
from agentic.types import Category
from agentic.words import words

_TABLE = BUILT_IN / "exit_codes.yaml"
_LONGEST_COMMAND = 400


@dataclass(frozen=True, slots=True)
class ExitMeaning:
    """What one exit code of one program means."""

    name: str
    category: Category
    confidence: int
    cause: str


@dataclass(frozen=True, slots=True)
class _Program:
    name: str
    command: Any
    codes: dict[int, ExitMeaning]


def meaning(exit_code: int | None, command: str | None) -> ExitMeaning | None:
    """Return what an exit code means: the program's own table first, then what every program shares."""
    if exit_code is None or exit_code == 0:
        return None
    # Shells report 128+n, Python and systemd -n, Windows its 32 bits with or without a sign.
    code = exit_code - (1 << 32) if (1 << 31) <= exit_code < (1 << 32) else exit_code
    code = 128 - code if -64 <= code < 0 else code
    for program in _programs_called(_program((command or "")[:_LONGEST_COMMAND])):
        found = program.codes.get(code)
        if found is not None:
            return found
    return None


@lru_cache(maxsize=1024)
def _programs_called(name: str) -> tuple[_Program, ...]:
    return tuple(p for p in _programs() if p.command is None or (name and p.command.fullmatch(name)))


@lru_cache(maxsize=1024)
def _program(command: str) -> str:
    """Return the program that a command line starts, past assignments, wrappers and folders."""
    wrapped = skip = False
    for word in command.split():
        bare = word.strip("\"'")
        if skip or _NO_PROGRAM.match(bare):
            # `sudo -u backup rsync`: the option of a wrapper takes the next word with it.
            skip = wrapped and not skip and bare in _TAKES_A_WORD
            continue
        name = bare.rsplit("/", 1)[-1]
        if name not in _WRAPPERS:
            return name
        wrapped = True
    return ""


_NO_PROGRAM = re.compile(r"\w+=|-|[\d.]+[smhd]?$")
_TAKES_A_WORD = frozenset(words("-u -g -n -p -k -s -w -E"))
_WRAPPERS = frozenset(
    words("sudo env nice ionice nohup exec time timeout stdbuf setsid chronic flock doas unbuffer sh bash dash ksh")
)


@cache
def _programs() -> tuple[_Program, ...]:
    data = yaml.load(_TABLE.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    programs = []
    for row in data["programs"]:
        codes = {}
        for code, (category, confidence, cause) in row["codes"].items():
            name = f"{Path(_TABLE).stem}.{row['name']}_{code}"
            codes[int(code)] = ExitMeaning(name, Category(category), int(confidence), str(cause))
        command = re2.compile(row["command"]) if "command" in row else None
        programs.append(_Program(row["name"], command, codes))
    return tuple(programs)
