"""Measure how well templates tell one kind of line from another, and whether a failure keeps its signature.

usage: python benchmarks/grouping.py [FOLDER]

FOLDER holds LogHub's samples: `NAME_2k.log` with `NAME_2k.log_structured.csv`, which is not part of this repository.
Grouping accuracy is the share of lines that are in one group with exactly the lines of their event; "users alike" takes
events that differ only in the user they name for one. Without a folder only the signatures are measured.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

from agentic.digest import digest_log
from agentic.digest.masking import mask

_VARIATIONS = 1_000
_SHOWN = 5
_USER = re.compile(r"\buser=\S+")


def accuracy(predicted: Sequence[Hashable], events: Sequence[Hashable]) -> float:
    """Return the share of lines whose group has exactly the lines of their event."""
    return sum(len(lines) for lines in _right(predicted, events)) / len(events)


def _right(predicted: Sequence[Hashable], events: Sequence[Hashable]) -> list[list[int]]:
    """Return the groups that are those of an event, no line more and none less."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for number, group in enumerate(predicted):
        groups[group].append(number)
    sizes = Counter(events)
    return [lines for lines in groups.values() if {events[n] for n in lines} == {events[lines[0]]}
            and len(lines) == sizes[events[lines[0]]]]  # fmt: skip


def measure(structured: Path, *, verbose: bool) -> str:
    """Return a line of figures for one set."""
    with structured.open(encoding="utf-8", errors="replace", newline="") as source:
        rows = list(csv.DictReader(source))
    events = [row["EventId"] for row in rows]
    # Linux labels `user=root` and `user=guest` apart, OpenSSH takes them for one: no masking suits both.
    alike = [_USER.sub("user=<*>", row["EventTemplate"]) for row in rows]
    raw = structured.with_name(structured.name.removesuffix("_structured.csv")).read_text("utf-8", "replace")
    whole = raw.split("\n")[: len(rows)]
    by_line = [mask(line) for line in whole]
    by_content = [mask(row["Content"]) for row in rows]
    if verbose:
        _show_wrong(by_content, events, rows)
    return (
        f"{structured.name.partition('_')[0]:10} accuracy {accuracy(by_content, events):.3f} on messages,"
        f" {accuracy(by_content, alike):.3f} with users alike, {accuracy(by_line, events):.3f} on whole lines;"
        f" {len(set(events))} events, {len(set(by_content))} templates"
    )


def _show_wrong(predicted: Sequence[str], events: Sequence[str], rows: Sequence[dict[str, str]]) -> None:
    """Print the events that cost the most lines, with what they became."""
    right = {number for lines in _right(predicted, events) for number in lines}
    wrong = Counter(events[number] for number in range(len(events)) if number not in right)
    for event, lines in wrong.most_common(_SHOWN):
        template = next(row["EventTemplate"] for row in rows if row["EventId"] == event)
        found = Counter(predicted[number] for number in range(len(events)) if events[number] == event)
        print(f"    {lines} lines of {event}: {template[:90]}")
        for text, count in found.most_common(_SHOWN):
            others = sum(1 for number, group in enumerate(predicted) if group == text and events[number] != event)
            print(f"        {count:5} (and {others} of other events) {text[:100]}")


def disk_full(chance: random.Random) -> list[str]:
    """Return a failed backup as it looks on any host, on any night."""
    host, part = f"db-{chance.randrange(99)}.example.com", chance.randrange(9_999)
    day = f"2026-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}"
    clock = f"{day} 0{chance.randrange(10)}:{chance.randrange(60):02}"
    lines = [f"{clock}:{second:02} INFO copied {chance.randrange(10**6)} bytes to {host}" for second in range(9)]
    chance.shuffle(lines)
    run = f"{chance.getrandbits(64):016x}"
    return [
        *lines[: chance.randrange(3, 9)],
        f"{clock}:41 ERROR [worker-{chance.randrange(32)}] run {run} on {host}: cannot write part {part} after"
        f" {chance.randrange(10**9)} bytes: No space left on device",
        f"{clock}:42 INFO cleaned {chance.randrange(50)} temporary files in {chance.randrange(900)} ms",
    ]


def access_denied(chance: random.Random) -> list[str]:
    """Return the same backup that fails of another cause."""
    return [line.replace("No space left on device", "Permission denied") for line in disk_full(chance)]


def signatures(make: Callable[[random.Random], list[str]]) -> set[str]:
    """Return the signatures of many variations of one failure."""
    return {
        digest_log(make(random.Random(seed)), exit_code=1, command="backup.sh").signature for seed in range(_VARIATIONS)
    }


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--errors", action="store_true", help="show the events that cost the most lines")
    options = parser.parse_args()
    for structured in sorted(options.folder.glob("*_structured.csv")) if options.folder else ():
        print(measure(structured, verbose=options.errors))
    full, denied = signatures(disk_full), signatures(access_denied)
    print(
        f"{_VARIATIONS} variations of one failure: {len(full)} signature(s); of another cause in the same tool: "
        f"{len(denied)}"
    )
    print(f"signatures that both causes have: {len(full & denied)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
