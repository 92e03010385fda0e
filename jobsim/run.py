"""Run one job as a scheduler would: its own process group, a time limit, its output kept."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

EXIT_TIME_LIMIT = 124
"""What coreutils' `timeout` returns."""
PATIENCE_SECONDS = 1.0
"""Between asking a process group to end and ending it."""
ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True, slots=True)
class Run:
    """How one run of a job went."""

    status: str
    """succeeded, failed or timeout."""
    exit_code: int
    log: list[str]
    started_at: datetime
    finished_at: datetime


async def run_job(command: Sequence[str], time_limit_seconds: float) -> Run:
    """Run a command to its end; beyond its time limit the whole process group is ended."""
    started_at = datetime.now(UTC)
    in_time = True
    # A file, not a pipe: a child that outlives the job would hold a pipe open, and everyone would wait for it.
    with tempfile.TemporaryFile() as output_file:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=output_file, stderr=STDOUT, env=ENVIRONMENT, start_new_session=True
        )
        try:
            await asyncio.wait_for(process.wait(), time_limit_seconds)
        except TimeoutError:
            in_time = False
        finally:
            await _end(process)
        output_file.seek(0)
        output = output_file.read()
    log = output.decode(errors="replace").splitlines()
    if not in_time:
        log.append(f"runner: time limit of {time_limit_seconds:g} s exceeded, the job was terminated")
        return Run("timeout", EXIT_TIME_LIMIT, log, started_at, datetime.now(UTC))
    code = process.returncode if process.returncode is not None else -1
    return Run(
        "succeeded" if code == 0 else "failed",
        code if code >= 0 else 128 - code,
        log,
        started_at,
        datetime.now(UTC),
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    """End what is left of the group, kindly first: the job itself, and children that outlived it."""
    if process.returncode is None:
        _signal_group(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)
    _signal_group(process.pid, signal.SIGKILL)
    await process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        os.killpg(group, number)
