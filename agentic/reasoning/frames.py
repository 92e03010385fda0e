"""Takes off what a log collector, a scheduler or a CI service writes before each line of the program itself.

The level in such a frame is the carrier's, not the program's, and `^` in a pattern is where the program's own line
begins.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?Z| UTC|[+-]\d\d:?\d\d)?"
_CARRIERS = "subprocess|bash|logging_mixin|pod_manager|pod_launcher|docker|ssh|spark_submit|kubernetes_pod"
_FRAMES = (
    # Any carrier's time, as in Jenkins; then what containerd and the GitLab runner add to it.
    rf"\[?{_TIME}\]? ?(?:(?:stdout|stderr) [FP] |\d\d[OE][+ ]|\| )?",
    rf"\[[\d-]{{10}}[^\]\n]{{1,32}}\] \{{(?:{_CARRIERS})\.py:\d+\}} [A-Z]+ - (?:\[\w+\] )?",  # Airflow
    r"#\d+ \d+\.\d+ ",  # BuildKit
    r"[\w.-]{1,60} +\| ",  # Docker Compose
    r"\[pod/[\w./-]+\] ",  # kubectl logs --prefix
)
_FRAME = re.compile("|".join(_FRAMES)).match
_ALL = re.compile(rf"\n(?:{'|'.join(_FRAMES)})").sub
"""With the line end before it, which is searched for faster than a beginning is."""
_SAMPLES = 8
_MOST_NESTED = 2
"""Frames before one another, as in a Compose log that Airflow collected."""


def unframed(lines: Sequence[str]) -> Sequence[str]:
    """Return the lines without their frames, where most of them have one; numbers do not change."""
    for _ in range(_MOST_NESTED):
        sample = [line for line in lines[:: max(1, len(lines) // _SAMPLES)] if line.strip()]
        if not _most_framed(sample):
            break
        lines = _ALL("\n", "\n".join(["", *lines])).split("\n")[1:]
    return lines


def _most_framed(sample: Sequence[str]) -> bool:
    """Say whether at least half of some lines have a frame; a few without one are enough to know better."""
    bare = 0
    for line in sample:
        if _FRAME(line) is None:
            bare += 1
            if bare * 2 > len(sample):
                return False
    return bool(sample)
