"""From bytes on a terminal to lines a person would see, with their numbers unchanged."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentic.digest.severity import severity

_ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\n\ud800-\udfff]")
_ESCAPE = re.compile(
    r"(?:\x1b\[[0-?]{0,64}[ -/]{0,16}[@-~]"  # CSI: colours, cursor movement
    r"|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?"  # OSC and the other strings: titles, links
    r"|\x1b[ -/]{0,4}[0-~]?"
    r"|\x9b[0-?]{0,64}[ -/]{0,16}[@-~])+"
)
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")
_DROPPED = re.compile("[^\n\ud800-\udfff]+")
_MOST_PARTS = 20_000
_FAULT = 20
_NO_DIGITS = dict.fromkeys(map(ord, "0123456789"))
_OVERSTRIKE = re.compile(".\x08")


def split_log(text: str) -> list[str]:
    """Cut a log at its line ends (LF or CRLF); a lone CR stays within its line, as on a terminal."""
    if not text:
        return []
    lines = text.removeprefix("\ufeff").split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines] if "\r" in text else lines


def clean_lines(lines: Sequence[str]) -> list[str]:
    """Return the lines without colours, control characters and overwritten progress bars."""
    # Most logs are clean: one search of the whole text says so. The joining line breaks are looked at apart.
    if " ".join(lines).isprintable() or not _ODD.search("\t".join(lines)):
        return list(lines)
    return [clean_line(line) if _ODD.search(line) else line for line in lines]


def clean_line(line: str) -> str:
    """Return one line as a person would see it once the terminal has come to rest."""
    if "\x1b" in line or "\x9b" in line:
        line = _ESCAPE.sub("", line)
    if "\r" in line:
        line = _after_carriage_returns(line)
    if "\x08" in line:
        line = _OVERSTRIKE.sub("", line)
    return _CONTROL.sub(_instead, line)


def _instead(match: re.Match[str]) -> str:
    # Half a surrogate pair cannot be written as UTF-8.
    return "".join(" " if sign == "\n" else "\ufffd" for sign in _DROPPED.sub("", match[0]))


def _after_carriage_returns(line: str) -> str:
    """Keep what a progress bar showed last, or the fault that was reported before and written over."""
    parts = line.split("\r")[-_MOST_PARTS:]
    # A bar is the same but for its numbers a thousand times over: the first of each form is looked at.
    forms = line.translate(_NO_DIGITS).split("\r")[-_MOST_PARTS:]
    first = dict(zip(reversed(forms), reversed(parts), strict=True))
    shown = next((part for part in reversed(parts) if part.strip()), "")
    if len(first) == 1 or not shown:
        return shown
    worst = max(reversed(first.values()), key=severity)
    return worst if severity(worst) > max(_FAULT, severity(shown)) else shown
