"""Megabytes a second through redaction, in processor time: logs never seen, hostile ones, and some full of secrets.

usage: python benchmarks/redaction.py [--kilobytes 500]

"First" is a text unlike all before it, with a redactor just made: RE2 learns its states while it reads. "Again" is
the best of three more passes over the same text.
"""

from __future__ import annotations

import argparse
import random
import string
import time
from collections.abc import Callable

from diagnose import hostile_logs, ordinary_log

from agentic.digest import Redactor
from agentic.words import words

WORDS = words(
    "starting loaded batch rows from partition committed offset retry shard connection refused timeout waiting for "
    "lock file not found permission denied failed config reading writing host port exit code on of the in with bytes "
    "after worker service queue stage table index user request response cache upload merge commit node disk memory"
)


def varied(lines: int, chance: random.Random) -> list[str]:
    """Return lines of words, paths, numbers and ids in no order, each unlike the others."""
    return [" ".join(_piece(chance) for _ in range(chance.randint(4, 16))) for _ in range(lines)]


def _piece(chance: random.Random) -> str:
    kind = chance.randrange(6)
    if kind == 0:
        return f"{chance.getrandbits(64):016x}"
    if kind == 1:
        return "/" + "/".join(chance.choices(WORDS, k=3)) + f"-{chance.randrange(9999)}.log"
    if kind == 2:
        return f"{chance.choice(WORDS)}={chance.randrange(99999)}"
    return chance.choice(WORDS)


def noise(lines: int, chance: random.Random) -> list[str]:
    """Return lines as of a file encoded in base64."""
    return ["".join(chance.choices(string.ascii_letters + string.digits + "+/", k=76)) for _ in range(lines)]


def logs(size: int) -> dict[str, list[str]]:
    """Return logs of about that many bytes each."""
    chance = random.Random(11)
    made: dict[str, Callable[[int, random.Random], list[str]]] = {
        "ordinary": lambda lines, chance: ordinary_log(lines),
        "varied": varied,
        "about passwords": lambda lines, chance: [
            f"Failed password for user{n} from {line}" for n, line in enumerate(varied(lines, chance))
        ],
        "base64": noise,
        "a secret in each tenth line": lambda lines, chance: [
            f"{line} password=x{n}Yz" if n % 10 == 0 else line for n, line in enumerate(varied(lines, chance))
        ],
        "a secret in each line": lambda lines, chance: [
            f"{line} password=x{line[:3]}9" for line in varied(lines, chance)
        ],
    }
    found = {name: make(size // 90, chance) for name, make in made.items()}
    return found | {f"hostile, {name}": log for name, log in hostile_logs().items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kilobytes", type=int, default=500)
    size = 1000 * parser.parse_args().kilobytes
    print(f"{'MB per second of processor time':34}{'first':>9}{'again':>9}{'lines changed':>16}")
    for name, log in logs(size).items():
        redactor = Redactor()
        bytes_in = sum(len(line) + 1 for line in log) / 1e6
        times = [_seconds(lambda: redactor.lines(log)) for _ in range(4)]  # noqa: B023 - called at once
        changed = sum(a != b for a, b in zip(log, redactor.lines(log), strict=True))
        print(f"{name:34}{bytes_in / times[0]:9.1f}{bytes_in / min(times[1:]):9.1f}{changed:16}")


def _seconds(action: Callable[[], object]) -> float:
    began = time.process_time()
    action()
    return time.process_time() - began


if __name__ == "__main__":
    main()
