"""Starts workers by forking a process that has imported everything, so that a thousand of them cost little.

Orders come as JSON lines on stdin: {"config", "log"}. Answers: {"pid"} for each, {"pid", "code"} when one has
ended (negative for a signal). When stdin ends, every worker still alive is killed.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import random
import select
import signal
import sys

import agentic_worker.main
from agentic.reasoning.rules import Rules

PR_SET_PDEATHSIG = 1
ON_FIRST_USE = (
    "agentic.effectors.command",
    "agentic.effectors.http",
    "agentic.effectors.notify",
    "agentic.effectors.rerun",
    "agentic.reasoning.precedent",
    "notifications.console",
)
"""What a worker imports only when it is named; imported before the fork, it costs nothing in each worker."""


def main() -> None:
    """Fork on order until stdin ends."""
    for module in ON_FIRST_USE:
        importlib.import_module(module)
    Rules()  # what they know is read once, too
    wake, wake_end = os.pipe()
    os.set_blocking(wake_end, False)
    signal.set_wakeup_fd(wake_end)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    alive: set[int] = set()
    pending = b""
    while True:
        ready, _, _ = select.select([0, wake], [], [])
        if wake in ready:
            os.read(wake, 512)
            reap(alive)
        if 0 not in ready:
            continue
        data = os.read(0, 65536)
        if not data:
            break
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            pid = start(json.loads(line))
            alive.add(pid)
            say({"pid": pid})
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


def start(order: dict[str, str]) -> int:
    """Fork a worker that runs as `python -m agentic_worker.main` would."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ["AUTOREMEDY_CONFIG"] = order["config"]
        random.seed()
        code = agentic_worker.main.main()
    finally:
        sys.stderr.flush()
        os._exit(code)


def reap(alive: set[int]) -> None:
    """Collect the dead and say how they ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        alive.discard(pid)
        say({"pid": pid, "code": os.waitstatus_to_exitcode(status)})


def say(answer: dict[str, int]) -> None:
    """Write one answer."""
    os.write(1, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
