"""The worker's health check: is its heartbeat reaching the store?

The worker calls `touch` after each heartbeat that the store took; `python -m agentic_worker.health FILE`
exits 0 while that was lately, else 1 with the reason. It runs every few seconds in every container, so it
imports nothing: settings and a Redis client would cost a second of CPU each time.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

MAX_AGE_SECONDS = 60.0
"""Several heartbeats with the default lease of 30 s; a restart of the store takes less."""


def touch(file: Path) -> None:
    """Note that the store has just taken a heartbeat; raises OSError when the file cannot be written."""
    file.touch()


def problem(file: Path, max_age_seconds: float = MAX_AGE_SECONDS) -> str | None:
    """Say what is wrong with the worker that touches this file, or None when it is well."""
    try:
        age = time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return f"{file}: the worker has not reached the store yet"
    except OSError as error:
        return f"{file}: {error.strerror}"
    if age > max_age_seconds:
        return f"the last heartbeat reached the store {age:.0f} s ago"
    return None


def main(arguments: list[str]) -> int:
    """Check the file named first; a second argument is the greatest age in seconds."""
    if not arguments:
        sys.stderr.write("usage: python -m agentic_worker.health FILE [MAX_AGE_SECONDS]\n")
        return 2
    found = problem(Path(arguments[0]), float(arguments[1]) if len(arguments) > 1 else MAX_AGE_SECONDS)
    if found:
        sys.stderr.write(found + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
