"""Run one job as a scheduler would: its own process group, a time limit, its output kept."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

EXIT_TIME_LIMIT = 124
"""What coreutils' `timeout` returns."""
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
    process = await asyncio.create_subprocess_exec(
        *command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, env=ENVIRONMENT, start_new_session=True
    )
    assert process.stdout is not None
    reader = asyncio.create_task(process.stdout.read())
    in_time = True
    try:
        await asyncio.wait_for(process.wait(), time_limit_seconds)
    except TimeoutError:
        in_time = False
    finally:
        await _end(process)
        output = await reader
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
    """End what is left of the group, kindly first; also when the lab itself is being stopped."""
    for signal_number, patience_seconds in ((signal.SIGTERM, 1.0), (signal.SIGKILL, 5.0)):
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal_number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), patience_seconds)
