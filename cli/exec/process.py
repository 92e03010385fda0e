"""Starting the command and staying with it: signals pass through, and we never end before it does."""

from __future__ import annotations

import errno
import os
import signal
import time

from cli.exec.config import search_path
from cli.exec.relay import Relay

NOT_FOUND, NOT_EXECUTABLE = 127, 126
KILL_AFTER_SECONDS = 10.0
_FAULTS = ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGSYS", "SIGTRAP", "SIGABRT", "SIGKILL", "SIGSTOP")
# Python ignores these two for itself; the command must find them as usual. SIGCHLD may have come to us ignored,
# and then nobody could learn how the command ended.
_TO_DEFAULT = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD)
_FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
_STOPS = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)


class CannotStart(Exception):
    """The command could not be started; `exit_code` is what a shell would answer."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class NoRoom(Exception):
    """There is no process left for the command beside us."""


class Ending:
    """How the command ended."""

    __slots__ = ("exit_code", "signal", "timed_out")

    def __init__(self, exit_code: int, signal_number: int | None = None, *, timed_out: bool = False) -> None:
        self.exit_code = exit_code
        self.signal = signal_number
        self.timed_out = timed_out


def hold_signals() -> set[int]:
    """Block every signal that can be, to be taken one by one; return the mask the command is to have."""
    faults = {getattr(signal, name) for name in _FAULTS if hasattr(signal, name)}
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return {int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - faults)}


def start(argv: list[str], environ: dict[bytes, bytes], entries: dict[int, int], mask: set[int]) -> int:
    """Start the command and return its process id."""
    try:
        return _spawn(argv[0], argv, environ, entries, mask)
    except OSError as error:
        if error.errno == errno.ENOEXEC and (script := _find(argv[0])):
            # A script whose first line names no interpreter: every shell runs it with sh, and so does execvp.
            return _spawn("/bin/sh", ["/bin/sh", script, *argv[1:]], environ, entries, mask)
        if error.errno in (errno.EAGAIN, errno.ENOMEM):
            raise NoRoom(os.strerror(error.errno)) from error
        raise _cannot_start(argv[0], error) from error


def _spawn(program: str, argv: list[str], environ: dict[bytes, bytes], entries: dict[int, int], mask: set[int]) -> int:
    actions = [(os.POSIX_SPAWN_DUP2, entry, number) for number, entry in entries.items()]
    return os.posix_spawnp(program, argv, environ, file_actions=actions, setsigmask=mask, setsigdef=_TO_DEFAULT)


def _cannot_start(program: str, error: OSError) -> CannotStart:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        found = _find(program)
        if found:
            return CannotStart(f"{program}: cannot run: the interpreter in its first line was not found", NOT_FOUND)
        reason = "No such file or directory" if "/" in program else "command not found"
        return CannotStart(f"{program}: {reason}", NOT_FOUND)
    reason = os.strerror(error.errno or 0)
    if os.path.isdir(program):  # noqa: PTH112 - pathlib costs 8 ms of every run
        reason = "Is a directory"
    return CannotStart(f"{program}: {reason}", NOT_EXECUTABLE)


def _find(program: str) -> str | None:
    folders = [""] if "/" in program else search_path()
    for folder in folders:
        path = f"{folder}/{program}" if folder else program
        if os.access(path, os.X_OK):
            return path
    return None


def become(argv: list[str], environ: dict[bytes, bytes], mask: set[int]) -> CannotStart:
    """Turn into the command, unwatched: what is left when we cannot work. Returns only if it cannot start."""
    for number in _TO_DEFAULT:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        os.execvpe(argv[0], argv, environ)  # noqa: S606 - no shell is the point
    except OSError as error:
        return _cannot_start(argv[0], error)


class Watch:
    """Waits for the command to end, passing signals on."""

    def __init__(self, pid: int, relay: Relay | None, timeout: float | None) -> None:
        self._pid = pid
        self._relay = relay
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._timed_out = False

    def wait(self) -> Ending:
        """Return how the command ended."""
        while True:
            ending = self._look()
            if ending is not None:
                return ending
            self._handle(*_next_signal(self._patience()))

    def _patience(self) -> float | None:
        if self._deadline is None:
            return None
        left = self._deadline - time.monotonic()
        if left > 0:
            return left
        self._send(signal.SIGKILL if self._timed_out else signal.SIGTERM)
        self._send(signal.SIGCONT)
        self._deadline = None if self._timed_out else time.monotonic() + KILL_AFTER_SECONDS
        self._timed_out = True
        return self._patience()

    def _look(self) -> Ending | None:
        pid, status = os.waitpid(self._pid, os.WNOHANG | os.WUNTRACED)
        if pid == 0:
            return None
        if os.WIFSTOPPED(status):
            if os.WSTOPSIG(status) in _STOPS and _has_terminal():
                # Ctrl-Z: our shell waits for us, not for the command, so we stop as well. Without a terminal
                # nobody would wake us.
                os.kill(os.getpid(), signal.SIGSTOP)
                self._send(signal.SIGCONT)
            return None
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            return Ending(128 + number, number, timed_out=self._timed_out)
        return Ending(os.WEXITSTATUS(status), timed_out=self._timed_out)

    def _handle(self, number: int, from_kernel: bool) -> None:
        if number in (0, signal.SIGCHLD):
            return
        if number == signal.SIGWINCH and self._relay is not None:
            self._relay.resized()
        elif from_kernel and number in _FROM_TERMINAL:
            return  # a key at the terminal: the command is in the same group and got it already
        self._send(number)

    def _send(self, number: int) -> None:
        try:
            os.kill(self._pid, number)
        except OSError:  # it changed its user (sudo does), or has just ended
            return


def _next_signal(timeout: float | None) -> tuple[int, bool]:
    """Return the next signal and whether the kernel itself sent it; (0, False) when the time is over."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    if not hasattr(signal, "sigtimedwait"):
        return _next_signal_by_looking({int(number) for number in blocked})
    info = signal.sigwaitinfo(blocked) if timeout is None else signal.sigtimedwait(blocked, timeout)
    return (info.si_signo, info.si_code > 0) if info else (0, False)


def _next_signal_by_looking(blocked: set[int]) -> tuple[int, bool]:
    """The same on systems without sigtimedwait (macOS): a short wait at most, and who sent it is guessed."""
    pending = signal.sigpending() & blocked
    if pending:
        number = int(signal.sigwait(pending))
        return number, number in _FROM_TERMINAL and _has_terminal()
    time.sleep(0.02)
    return 0, False


def _has_terminal() -> bool:
    """Say whether we belong to a terminal, whose shell can wake us."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
