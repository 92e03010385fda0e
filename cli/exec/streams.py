"""Where the command's stdout and stderr go, and how each can be read along without the command noticing."""

from __future__ import annotations

import os
import stat
import sys

from cli.exec.output import Output, read_back

STDOUT, STDERR = 1, 2
NAMES = {STDOUT: "stdout", STDERR: "stderr"}


class Through:
    """A stream that is read along: the command writes to `entry`, the relay copies from `source` to `target`."""

    __slots__ = ("entry", "is_terminal", "source", "target")

    def __init__(self, target: int, source: int, entry: int, *, is_terminal: bool) -> None:
        self.target = target
        self.source = source
        self.entry = entry
        self.is_terminal = is_terminal


class ToFile:
    """A stream that the command writes straight into a file, which is read afterwards."""

    __slots__ = ("_file", "_start", "name")

    def __init__(self, name: str, file: int | None, start: int) -> None:
        self.name = name
        self._file = file
        self._start = start

    def output(self) -> Output | None:
        """Return what the file gained, or None when it may not be read."""
        if self._file is None:
            return None
        try:
            return read_back(self._file, self._start)
        except OSError:
            return None


class Plan:
    """What happens to stdout and stderr."""

    __slots__ = ("entries", "files", "through")

    def __init__(self) -> None:
        self.entries: dict[int, int] = {}
        """The command's descriptor -> ours that it becomes; a stream not named is inherited as it is."""
        self.through: list[Through] = []
        self.files: list[ToFile] = []

    def close_entries(self) -> None:
        """Close our ends of what the command writes to, so that its end can be seen."""
        for stream in self.through:
            os.close(stream.entry)

    def close_sources(self) -> None:
        """Close the ends that the relay reads."""
        for stream in self.through:
            os.close(stream.source)


def hold_closed_streams() -> None:
    """Occupy closed standard streams, so that no descriptor of ours gets their number.

    They are closed again when the command starts: it finds them as it would have without us.
    """
    for number in (0, STDOUT, STDERR):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def plan_streams() -> Plan:
    """Decide for each stream; raises OSError when there are no descriptors left.

    - A pipe, a socket or /dev/null is read along through a pipe of ours.
    - A terminal is read along through a pseudo-terminal, for output only: the command still sees a terminal of the
      same size, and keyboard and job control stay with the real one.
    - A file is handed to the command as it is and read afterwards. A relay could not hand back "no space left",
      and `dump > file` must fail when the disk is full.
    - Anything else is handed over as it is and not read.
    Streams that are one and the same outside (`2>&1`) stay one, so that the order of their lines is exact.
    """
    plan = Plan()
    seen: dict[tuple[int, ...], int | None] = {}
    try:
        for number in (STDOUT, STDERR):
            if not os.get_inheritable(number):  # one we occupied: it is closed in the command
                continue
            status = os.fstat(number)
            identity = (status.st_dev, status.st_ino, status.st_rdev)
            if identity in seen:
                entry = seen[identity]
                if entry is not None:
                    plan.entries[number] = entry
                continue
            seen[identity] = _plan_one(plan, number, status)
    except BaseException:
        plan.close_entries()
        plan.close_sources()
        raise
    return plan


def _plan_one(plan: Plan, number: int, status: os.stat_result) -> int | None:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        plan.files.append(_watch_file(number, status.st_size))
        return None
    is_terminal = os.isatty(number)
    if not (is_terminal or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or _is_null(status)):
        return None
    source, entry = _terminal_like(number) if is_terminal else os.pipe()
    plan.through.append(Through(number, source, entry, is_terminal=is_terminal))
    plan.entries[number] = entry
    return entry


def _is_null(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == os.stat(os.devnull).st_rdev  # noqa: PTH116


def _watch_file(number: int, size: int) -> ToFile:
    import fcntl

    appends = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_APPEND
    start = size if appends else os.lseek(number, 0, os.SEEK_CUR)
    try:
        file = os.open(f"/proc/self/fd/{number}", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return ToFile(NAMES[number], None, 0)
    return ToFile(NAMES[number], file, start)


def _terminal_like(number: int) -> tuple[int, int]:
    """Open a pseudo-terminal that changes no byte: line endings are the real terminal's business."""
    import termios

    source, entry = os.openpty()
    attributes = termios.tcgetattr(entry)
    attributes[1] &= ~termios.OPOST
    attributes[3] &= ~(termios.ECHO | termios.ICANON | termios.ISIG)
    termios.tcsetattr(entry, termios.TCSANOW, attributes)
    copy_window_size(number, source)
    return source, entry


def copy_window_size(real: int, pseudo: int) -> None:
    """Give the pseudo-terminal the size of the real one."""
    import fcntl
    import termios

    try:
        size = fcntl.ioctl(real, termios.TIOCGWINSZ, bytes(8))
        fcntl.ioctl(pseudo, termios.TIOCSWINSZ, size)
    except OSError:
        return


def say(message: str) -> None:
    """Write one line to stderr if that can be done at once; a full or closed pipe must not hold us up."""
    import select

    line = f"autoremedy: {' '.join(message.split())}\n".encode("utf-8", "backslashreplace")
    try:
        poller = select.poll()
        poller.register(STDERR, select.POLLOUT)
        if any(events & select.POLLOUT for _, events in poller.poll(0)):
            os.write(STDERR, line[:4096])
    except (OSError, ValueError):
        return


def stderr_is_terminal() -> bool:
    """Say whether a person is likely to read what we say."""
    return sys.stderr is not None and os.isatty(STDERR)
