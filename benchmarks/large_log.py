"""Measure `autoremedy diagnose` on large logs: speed, memory, and whether the proving line is found in the middle.

usage: python benchmarks/large_log.py [--megabytes N]

Each log goes through a process of its own, by file and by pipe; the memory is that process's own maximum.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.diagnose import ordinary_log

PROOF = b"2024-05-01 03:11:12,004 ERROR [worker-3] loader could not extend file: No space left on device\n"
_ROOT = Path(__file__).resolve().parents[1]


def ordinary(chance: random.Random) -> bytes:
    """A log in which nothing fails."""
    return "\n".join(ordinary_log(9_500, chance.randrange(1 << 30))[:-4]).encode() + b"\n"


def complaining(chance: random.Random) -> bytes:
    """A log in which every third line looks like a fault and none is."""
    lines = []
    for number in range(9_500):
        stamp = f"2024-05-01 02:{number % 60:02}:11,{chance.randrange(1000):03}"
        if number % 3:
            lines.append(f"{stamp} INFO  [worker-{number % 8}] loader step {chance.randrange(900)} went on as planned")
        else:
            lines.append(
                f"{stamp} WARN  [worker-{number % 8}] attempt 1 failed, retrying part {chance.randrange(9999)}"
            )
    return "\n".join(lines).encode() + b"\n"


def failing(chance: random.Random) -> bytes:
    """A log in which every line reports a fault that stopped nothing."""
    return b"".join(
        b"2024-05-01 10:00:%02d ERROR step %d of host-%x skipped: value out of range\n"
        % (number % 60, number, chance.getrandbits(40))
        for number in range(12_000)
    )


def colourful(chance: random.Random) -> bytes:
    """A log for a terminal."""
    return b"".join(
        b"\x1b[32m\x1b[1m[%d/12000]\x1b[0m compiling unit-%x\x1b[K\n" % (number, chance.getrandbits(32))
        for number in range(18_000)
    )


def one_line(chance: random.Random) -> bytes:
    """A log without any line end, as of a progress bar."""
    return b"".join(b"\r%3d%%|####    | %d/1000 [00:01<00:02]" % (n % 100, n) for n in range(25_000))


LOGS: dict[str, Callable[[random.Random], bytes]] = {
    "ordinary": ordinary,
    "complaining": complaining,
    "failing": failing,
    "colourful": colourful,
    "one line": one_line,
}


def pieces(make: Callable[[random.Random], bytes], megabytes: int) -> Iterator[bytes]:
    """Yield a log of that size with the proving line in its middle."""
    chance = random.Random(5)
    made = [make(chance) for _ in range(8)]
    size = number = 0
    while size < megabytes * 1_000_000:
        piece = made[number % len(made)]
        if size <= megabytes * 500_000 < size + len(piece):
            yield b"\n" + PROOF
        yield piece
        size += len(piece)
        number += 1


def measure(name: str, log: Path, *, piped: bool) -> str:
    """Diagnose a log in a process of its own and return a line of figures."""
    argv = [sys.executable, "-m", "cli", "diagnose", "-" if piped else str(log), "--json"]
    started = time.perf_counter()
    with log.open("rb") as source:
        child = subprocess.Popen(argv, cwd=_ROOT, stdin=source if piped else subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert child.stdout is not None
        answer = json.loads(child.stdout.read())
        _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = used.ru_utime + used.ru_stime
    size = log.stat().st_size / 1e6
    shown = dict(zip(answer["line_numbers"], answer["redacted"], strict=True))
    proof = shown.get(answer["evidence"][0], "") if answer["evidence"] else ""
    found = "found" if answer["category"] == "disk_full" and proof.encode() + b"\n" == PROOF else "MISSED"
    return (
        f"{name + (' (piped)' if piped else ''):22} {size:5.0f} MB  {size / seconds:5.0f} MB a CPU second with start"
        f" ({time.perf_counter() - started:.1f} s), at most {used.ru_maxrss / 1024:.0f} MB of memory, proof {found}"
    )


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, make in LOGS.items():
            log = Path(folder) / "log"
            with log.open("wb") as target:
                target.writelines(pieces(make, options.megabytes))
            print(measure(name, log, piped=False), flush=True)
            if name == "ordinary":
                print(measure(name, log, piped=True), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
