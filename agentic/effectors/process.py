"""Runs one program under a keeper: bounded in time and output, and nothing of it survives."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agentic.effectors.output import Tail

KEEPER = Path(__file__).with_name("keeper.py")
CHUNK_BYTES = 64 * 1024
DRAIN_BYTES = 1024 * 1024
"""No pipe holds more than this, so it is enough to get everything that was written before the end."""
GRACE_SECONDS = 2.0
PATIENCE_SECONDS = 5.0
"""More than a keeper needs after the grace time to kill what is left."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    code: int | None = None
    """Exit code, negative for a signal; None when it never ran or nobody can tell."""
    error: str | None = None
    """Why it could not be started."""
    timed_out: bool = False
    lost: bool = False
    """The keeper itself was killed; how the program ended is not known."""
    told_to_end: int = 0
    """Processes that had to be ended: all of them on a timeout, those left behind otherwise."""
    survivors: int = 0
    """Processes that could not even be killed."""
    output: Tail = field(default_factory=Tail)


async def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str = "",
    timeout_seconds: float,
    grace_seconds: float = GRACE_SECONDS,
    leave_children: bool = False,
) -> Ended:
    """Run a program to its end, or end it when the time is over.

    When the caller is cancelled, every process of the program is ended before the cancellation goes on; when
    this whole process dies, the keeper ends them.
    """
    kept = _Kept(argv, env=env, cwd=cwd, grace_seconds=grace_seconds, leave_children=leave_children)
    try:
        try:
            async with asyncio.timeout(timeout_seconds):
                await kept.finished.wait()
            timed_out = False
        except TimeoutError:
            timed_out = True
            await kept.stopped()
    except asyncio.CancelledError:
        await asyncio.shield(kept.stopped())
        raise
    finally:
        kept.close()
    return kept.ended(timed_out=timed_out)


def _order(argv: Sequence[str], env: Mapping[str, str], cwd: str, grace_seconds: float, leave_children: bool) -> bytes:
    parts = [cwd, str(grace_seconds), "1" if leave_children else "0", str(len(argv)), *argv]
    parts += [f"{name}={value}" for name, value in env.items()]
    order = os.fsencode("\0".join(parts))
    return b"%08x" % len(order) + order


class _Kept:
    """One keeper with its three pipes: control (we write), status and output (we read).

    Plain descriptors on the event loop rather than asyncio's subprocesses: those take a background process
    that holds the output open for the program itself, and depend on the loop's child watcher.
    """

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: str, grace_seconds: float, leave_children: bool
    ) -> None:
        self.finished = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._status = b""
        self._tail = Tail()
        self._closed = False
        self._patience_seconds = grace_seconds + PATIENCE_SECONDS
        order = _order(argv, env, cwd, grace_seconds, leave_children)
        control, self._control = os.pipe()
        self._status_fd, status = os.pipe()
        self._output_fd, output = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(KEEPER), str(status)],
                stdin=control,
                stdout=output,
                stderr=output,
                pass_fds=(status,),
                start_new_session=True,  # Ctrl-C in a terminal is for the worker, which then ends us in order
            )
        except BaseException:
            for fd in (self._control, self._status_fd, self._output_fd):
                os.close(fd)
            raise
        finally:
            for fd in (control, status, output):
                os.close(fd)
        os.set_blocking(self._status_fd, False)
        os.set_blocking(self._output_fd, False)
        self._loop.add_reader(self._status_fd, self._on_status)
        self._loop.add_reader(self._output_fd, self._on_output)
        with contextlib.suppress(BrokenPipeError):  # the keeper is gone: the status pipe will say so
            while order:
                order = order[os.write(self._control, order) :]

    async def stopped(self) -> None:
        """End every process and wait until that is done.

        A command may have stopped its keeper (it is the same user's); such a keeper is killed, and how the
        command ended is then not known.
        """
        self.stop()
        try:
            async with asyncio.timeout(self._patience_seconds):
                await self.finished.wait()
        except TimeoutError:
            self._process.kill()
            await self.finished.wait()

    def stop(self) -> None:
        """Ask the keeper to end every process; it also does so when this process dies."""
        if self._control >= 0:
            os.close(self._control)
            self._control = -1

    def _on_status(self) -> None:
        data = os.read(self._status_fd, CHUNK_BYTES)
        if data:
            self._status += data
        else:
            self._loop.remove_reader(self._status_fd)
            self.finished.set()

    def _on_output(self) -> None:
        data = os.read(self._output_fd, CHUNK_BYTES)
        if data:
            self._tail.add(data)
        else:
            self._loop.remove_reader(self._output_fd)

    def close(self) -> None:
        """Take what output is left and give everything back."""
        if self._closed:
            return
        self._closed = True
        self.stop()
        self._loop.remove_reader(self._status_fd)
        self._loop.remove_reader(self._output_fd)
        with contextlib.suppress(BlockingIOError):
            taken = 0
            while taken < DRAIN_BYTES and (data := os.read(self._output_fd, CHUNK_BYTES)):
                self._tail.add(data)
                taken += len(data)
        os.close(self._status_fd)
        os.close(self._output_fd)
        with contextlib.suppress(subprocess.TimeoutExpired):
            # It closed its pipe as its last act, so this does not wait; after a second cancellation it may
            # still be at work, and is collected when the next program is started.
            self._process.wait(1.0 if self.finished.is_set() else 0.0)
        self.finished.set()

    def ended(self, *, timed_out: bool) -> Ended:
        """Read the keeper's report."""
        started = None
        for line in self._status.decode("utf-8", "replace").splitlines():
            word, _, rest = line.partition(" ")
            if word == "error":
                return Ended(error=rest, output=self._tail)
            if word == "started":
                started = int(rest)
            if word == "ended":
                known, code, told, left = (int(number) for number in rest.split())
                return Ended(
                    code=code if known else None,
                    timed_out=timed_out,
                    told_to_end=told,
                    survivors=left,
                    output=self._tail,
                )
        if started is None:
            return Ended(error="the program that watches over commands could not be started", output=self._tail)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(started, signal.SIGKILL)
        return Ended(timed_out=timed_out, lost=True, output=self._tail)
