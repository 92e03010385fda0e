"""Takes off what a log collector, a scheduler or a CI service writes before each line of the program itself.

The level in such a frame is the carrier's, not the program's, and `^` in a pattern is where the program's own line
begins.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_TIME = r"\d{4}-\d\d-\d\d[T\ ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:[ ]?Z|[ ]UTC|[+-]\d\d:?\d\d)?"
_FRAME = re.compile(
    rf"""
      {_TIME}\ (?:stdout|stderr)\ [FP]\                                        # containerd, CRI-O
    | {_TIME}\ \d\d[OE][+ ]?                                                   # GitLab runner
    | \[[\d-]{{10}}[^\]]{{1,32}}\]\ \{{(?:subprocess|bash|logging_mixin|pod_manager|pod_launcher|docker|ssh|
        standard_task_runner|spark_submit|kubernetes_pod)\.py:\d+\}}\ [A-Z]+\ -\ (?:\[\w+\]\ )?   # Airflow's carriers
    | \[?{_TIME}\]?\ ?(?:\|\ )?                                                # any carrier's time, Jenkins
    | \#\d+\ \d+\.\d+\                                                         # BuildKit
    | [\w.-]{{1,60}}\ +\|\                                                     # Docker Compose
    | \[pod/[\w./-]+\]\                                                        # kubectl logs --prefix
    """,
    re.VERBOSE,
)
_SAMPLES = 8
_BEGINS = ("[", "#", "20")
_WIDEST = 64


def unframed(lines: Sequence[str]) -> Sequence[str]:
    """Return the lines without their frames, where most of them have one; numbers do not change."""
    sample = [line for line in lines[:: max(1, len(lines) // _SAMPLES)] if line.strip()]
    framed = sum(_FRAME.match(line) is not None for line in sample)
    if not sample or framed * 2 < len(sample):
        return lines
    return [_without_frame(line) for line in lines]


def _without_frame(line: str) -> str:
    match = _FRAME.match(line)
    if match is None:
        return line
    rest = line[match.end() :]
    # A carrier's frame may stand before that of another one, as in a Compose log collected by Airflow.
    inner = _FRAME.match(rest) if rest.startswith(_BEGINS) or " | " in rest[:_WIDEST] else None
    return rest[inner.end() :] if inner else rest
