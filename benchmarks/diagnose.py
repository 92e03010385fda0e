"""Measure how long redaction, digest and rules take, on clean, long and hostile logs.

usage: python benchmarks/diagnose.py [--megabytes N]
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable

from agentic.digest import Redactor, digest_log
from agentic.reasoning.rules import Rules
from agentic.types import Decision, Event, EventStatus, Job, Situation

_TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "/srv/etl/load.py", line 81, in <module>',
    "    main()",
    "OSError: [Errno 28] No space left on device: '/srv/spool/part-0007'",
]


def ordinary_log(lines: int, seed: int = 7) -> list[str]:
    """Return a log as a nightly job writes it, with its fault near the end."""
    chance = random.Random(seed)
    words = ["loaded", "batch", "rows", "from", "partition", "committed", "offset", "retry", "in", "shard"]
    log = [
        f"2024-05-{1 + n % 28:02} 02:{n % 60:02}:11,{chance.randrange(1000):03} INFO  [worker-{n % 8}] loader "
        f"{' '.join(chance.choices(words, k=6))} id={chance.getrandbits(64):016x} took {chance.randrange(900)} ms"
        for n in range(lines - len(_TRACEBACK))
    ]
    return log + _TRACEBACK


def hostile_logs() -> dict[str, list[str]]:
    """Return logs made to hurt a careless pattern."""
    return {
        "spaces": [" " * 2000 + "error"] * 100,
        "one word": ["a" * 2000] * 100,
        "brackets": ["([{" * 700] * 100,
        "almost urls": ["http://" * 300] * 100,
        "almost keys": ["password" * 250] * 100,
        "dots": ["a." * 1000] * 100,
        "digits": ["1234567890" * 200] * 100,
        "escapes": ["\x1b[" * 1000] * 100,
        "quotes": ["\"'\\" * 700] * 100,
        "one long line": ["error connection to host " * 10_000],
    }


def median_ms(action: Callable[[], object], repeats: int) -> float:
    """Return the median time of an action in milliseconds."""
    action()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=10)
    options = parser.parse_args()
    started = time.perf_counter()
    rules, redactor = Rules(), Redactor()
    print(f"start: {1000 * (time.perf_counter() - started):.0f} ms, {len(rules.signatures)} signatures")

    def diagnose(log: list[str]) -> Decision | None:
        event = Event(event_id="e", job_id="nightly", status=EventStatus.FAILED, exit_code=1)
        digest = digest_log(log, exit_code=1, context="nightly")
        return rules.decide(Situation(event=event, digest=digest, job=Job(id="nightly")))

    small = ordinary_log(200)
    print(f"200 lines: digest {median_ms(lambda: digest_log(small), 50):.2f} ms", end=", ")
    print(f"digest and rules {median_ms(lambda: diagnose(small), 50):.2f} ms", end=", ")
    print(f"redaction {median_ms(lambda: redactor.lines(small), 50):.2f} ms")

    large = ordinary_log(options.megabytes * 9_500)
    size = sum(len(line) + 1 for line in large) / 1e6
    for name, action in (
        ("redaction", lambda: redactor.lines(large)),
        ("digest", lambda: digest_log(large)),
        ("digest and rules", lambda: diagnose(large)),
    ):
        print(f"{size:.0f} MB: {name} {size / median_ms(action, 1) * 1000:.0f} MB/s")
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")

    for name, log in hostile_logs().items():
        size = sum(len(line) + 1 for line in log) / 1e6
        both = median_ms(lambda log=log: (redactor.lines(log), diagnose(log)), 3)  # type: ignore[misc]
        print(f"hostile, {name}: {1000 * size / both:.1f} MB/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
