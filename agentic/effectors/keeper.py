"""Starts one command, watches over everything it starts, and leaves none of it behind.

A script of its own, run as `python -I -S keeper.py STATUS_FD` with the order on standard input (see
`process.py`). It exists because a worker can neither find a process that has left its group (a double fork
with a new session) nor clean up after itself once it has been killed. The keeper can do both: on Linux
orphans of the command become its own children, and the end of its standard input tells it that the worker
is gone or wants the command ended.

Elsewhere than on Linux only the command's process group is ended.
"""

# pathlib and contextlib would double the time this script takes to start.
# ruff: noqa: PTH123, PTH208, SIM105

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
KILL_SECONDS = 3.0
"""How long to go on killing what a SIGKILL did not end at once (a fork bomb, a process in a system call)."""
PAUSE_SECONDS = 0.01


def read_order() -> tuple[str, float, bool, list[str], dict[str, str]]:
    """Read cwd, grace, whether background processes may stay, argv and environment from standard input."""
    size = int(_read_exactly(8), 16)
    cwd, grace, leave, argc, *rest = os.fsdecode(_read_exactly(size)).split("\0")
    argv, pairs = rest[: int(argc)], rest[int(argc) :]
    return cwd, float(grace), leave == "1", argv, dict(pair.split("=", 1) for pair in pairs)


def _read_exactly(size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = os.read(0, size - len(data))
        if not chunk:
            os._exit(0)  # the worker died before it gave the order: nothing has happened
        data += chunk
    return data


def adopt_orphans() -> None:
    """Make every orphaned descendant a child of this process instead of init's."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def start(argv: list[str], env: dict[str, str], cwd: str, status: int) -> int:
    """Start the command in a session of its own and return its process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        # Python ignores these two, and what is ignored stays ignored in the program that is started.
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if cwd:
            os.chdir(cwd)
        os.execve(argv[0], argv, env)  # noqa: S606 - there is no shell, on purpose
    except OSError as error:
        where = error.filename or argv[0]
        os.write(status, b"error %s: %s\n" % (os.fsencode(where), os.fsencode(error.strerror or str(error))))
    os._exit(127)


def reap(main: int) -> tuple[int | None, bool]:
    """Collect the dead: the command's wait status if it is among them, and whether children are left."""
    result = None
    while True:
        try:
            pid, wait_status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return result, False
        if pid == 0:
            return result, True
        if pid == main:
            result = wait_status


def descendants() -> list[int]:
    """Return every living process below this one; only Linux can tell."""
    if sys.platform != "linux":
        return []
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                # The name in parentheses may itself hold spaces and parentheses.
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if fields and fields[0] not in (b"Z", b"X"):
            children.setdefault(int(fields[1]), []).append(int(name))
    found: list[int] = []
    pending = [os.getpid()]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += below
    return found


def signal_all(group: int, number: int) -> int:
    """Signal the command's group and every descendant; return how many processes were reached."""
    found = descendants()
    reached = len(found)
    try:
        os.killpg(group, number)
        reached = max(reached, 1)
    except (ProcessLookupError, PermissionError):
        pass
    for pid in found:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            pass
    return reached


def anything_left(group: int, children: bool) -> bool:
    """Say whether a process of the command still lives."""
    if sys.platform == "linux":
        return children
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return children
    return True


def end_all(main: int, grace: float) -> tuple[int | None, int, int]:
    """End every process: asked first, then killed.

    Returns the command's wait status if it ended now, how many were told to end, how many are still there.
    """
    result, children = reap(main)
    if not anything_left(main, children):
        return result, 0, 0
    told = signal_all(main, signal.SIGTERM)
    signal_all(main, signal.SIGCONT)  # a stopped process cannot act on SIGTERM
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline:
        now, children = reap(main)
        result = now if now is not None else result
        if not anything_left(main, children):
            return result, told, 0
        time.sleep(PAUSE_SECONDS)
    deadline = time.monotonic() + KILL_SECONDS
    while time.monotonic() < deadline:
        signal_all(main, signal.SIGSTOP)  # first freeze: what forks faster than we count cannot fork on
        signal_all(main, signal.SIGKILL)
        now, children = reap(main)
        result = now if now is not None else result
        if not anything_left(main, children):
            return result, told, 0
        time.sleep(PAUSE_SECONDS)
    return result, told, len(descendants())


def watch(main: int, wake: int) -> tuple[int | None, bool]:
    """Wait for the command's end (its wait status) or for the worker's wish or death (None, True)."""
    while True:
        ready, _, _ = select.select([0, wake], [], [])
        if wake in ready:
            woken = os.read(wake, 512)
            result, _ = reap(main)
            if result is not None:
                return result, False
            if signal.SIGTERM in woken:
                return None, True
        if 0 in ready and not os.read(0, 512):
            return None, True


def main() -> None:
    """Read the order, run it, say on the status pipe how it went."""
    status = int(sys.argv[1])
    os.set_inheritable(status, False)
    cwd, grace, leave, argv, env = read_order()
    adopt_orphans()
    wake, wake_end = os.pipe()
    os.set_blocking(wake_end, False)
    signal.set_wakeup_fd(wake_end)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pid = start(argv, env, cwd, status)
    os.write(status, b"started %d\n" % pid)
    os.close(1)
    os.close(2)
    result, stopped = watch(pid, wake)
    told = left = 0
    if stopped or not leave:
        late, told, left = end_all(pid, grace)
        result = late if result is None else result
    code = -1 if result is None else os.waitstatus_to_exitcode(result)
    os.write(status, b"ended %d %d %d %d\n" % (result is not None, code, told, left))
    os._exit(0)


if __name__ == "__main__":
    main()
