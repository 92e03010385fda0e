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


def hostile_logs(lines: int = 10_000) -> dict[str, list[str]]:
    """Return logs made to hurt a careless pattern."""
    few = lines // 10
    return {
        "spaces": [" " * 200 + "error"] * lines,
        "one word": ["a" * 200] * lines,
        "brackets": ["([{" * 70] * lines,
        "almost urls": ["http://" * 30] * lines,
        "almost keys": ["password" * 25] * lines,
        "dots": ["a." * 100] * lines,
        "digits": ["1234567890" * 20] * lines,
        "escapes": ["\x1b[" * 100] * lines,
        "colours": ["\x1b[31merror\x1b[0m fine " * 8] * lines,
        "quotes": ["\"'\\" * 70] * lines,
        "nested records": ['{"a":[' * 30] * lines,
        "records": [f'{{"level":"error","msg":"step {n} failed","error":{{"stack":"a"}}}}' for n in range(lines)],
        "deep records": ['{"a":' * 200 + "1" + "}" * 200] * few,
        "pairs": ["a=b " * 50 + "msg=" * 10] * lines,
        "repeats": ["ab" * 100 + "!"] * lines,
        "every line another error": [f"ERROR {n:x} cannot open {n * 7919:x}: refused" for n in range(lines)],
        "carriage returns": ["1%\r" * 60] * lines,
        "zero width": ["\u200b\u202e" * 60] * lines,
        "one long line": ["error connection to host " * 80_000],
        "one long record": ['{"msg":"' + "error " * 300_000 + '"}'],
        "empty lines": [""] * 1_000_000,
    }


def median_ms(action: Callable[[], object], repeats: int) -> float:
    """Return the median time of an action in milliseconds."""
    action()
    times = []
    for _ in range(repeats):
        started = time.process_time()
        action()
        times.append(time.process_time() - started)
    return 1000 * statistics.median(times)


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=10)
    options = parser.parse_args()
    started = time.process_time()
    rules, redactor = Rules(), Redactor()
    print(f"start: {1000 * (time.process_time() - started):.0f} ms, {len(rules.signatures)} signatures")

    def diagnose(log: list[str]) -> Decision | None:
        event = Event(event_id="e", job_id="nightly", status=EventStatus.FAILED, exit_code=1)
        digest = digest_log(log, exit_code=1, context="nightly")
        return rules.decide(Situation(event=event, digest=digest, job=Job(id="nightly")))

    small = ordinary_log(200)
    logs = iter([ordinary_log(200, seed) for seed in range(1_000, 1_202)] * 2)
    print(f"200 lines never seen: digest and rules {median_ms(lambda: diagnose(next(logs)), 200):.2f} ms")
    print(f"200 lines again: digest {median_ms(lambda: digest_log(small), 50):.2f} ms", end=", ")
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

    _print_hostile(lambda log: (redactor.lines(log), diagnose(log)))
    return 0


def _print_hostile(read: Callable[[list[str]], object]) -> None:
    """Print for each hostile log how much slower or faster a byte of it is than one of a clean log."""
    clean = ordinary_log(10_000)
    clean_size = sum(len(line) + 1 for line in clean)
    ratios = []
    for name, log in hostile_logs().items():
        size = sum(len(line.encode()) + 1 for line in log)
        # In turn, so that a busy machine is busy for both.
        ours, theirs = median_ms(lambda log=log: read(log), 1) / size, median_ms(lambda: read(clean), 1) / clean_size  # type: ignore[misc]
        ratios.append(ours / theirs)
        print(f"hostile, {name}: {ratios[-1]:.2f} of the time of a clean byte")
    print(f"median of the hostile: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    sys.exit(main())
