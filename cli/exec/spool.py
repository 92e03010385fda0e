"""Where events wait on disk while the API is away: one file an event, sent in the order they were made.

Files are named by time; a new one appears whole or not at all. What the API will never take is moved to
`rejected/` with the reason beside it. Only the user who made an event can read it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from cli.exec.client import Api, Refused

MAX_FILES = 1000
MAX_BYTES = 64 * 1024 * 1024
MAX_REJECTED = 100
_NAME = re.compile(r"^\d{20}-[A-Za-z0-9._:-]{1,128}\.json$")


class SpoolBusy(Exception):
    """Another process is sending what waits here."""


class Flushed:
    """What became of the events that waited."""

    def __init__(self) -> None:
        self.sent = 0
        self.rejected: list[str] = []


class Spool:
    """Events waiting in folders on disk: the first usable folder takes new ones, all of them are emptied."""

    def __init__(self, folders: tuple[str, ...], max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES) -> None:
        self._folders = tuple(Path(folder) for folder in folders)
        self._max_files = max_files
        self._max_bytes = max_bytes

    def put(self, event_id: str, body: bytes, made_at_ns: int, *, durable: bool = True) -> int:
        """Keep an event and return how many older ones had to go; keeping the same event again changes nothing.

        A durable one survives a power cut. Raises OSError when no folder can be used.
        """
        problem: OSError | None = None
        for folder in self._folders:
            try:
                _make_ours(folder)
                _write(folder, f"{made_at_ns:020d}-{event_id}.json", body, durable=durable)
            except OSError as error:
                problem = problem or error
            else:
                return self._trim(folder)
        assert problem is not None
        raise problem

    def reject(self, event_id: str, body: bytes, made_at_ns: int, reason: str) -> Path:
        """Keep an event that the API refused, with its reason."""
        problem: OSError | None = None
        for folder in self._folders:
            try:
                _make_ours(folder)
                name = f"{made_at_ns:020d}-{event_id}.json"
                _write(_rejected(folder), name, body)
                _say_why(_rejected(folder), name, reason)
            except OSError as error:
                problem = problem or error
            else:
                return folder / "rejected" / name
        assert problem is not None
        raise problem

    def waiting(self) -> list[Path]:
        """Return the events that wait, oldest first."""
        return [path for folder in self._folders for path in _events_in(folder)]

    def rejected(self) -> list[Path]:
        """Return the events that the API refused, oldest first."""
        return [path for folder in self._folders for path in _events_in(folder / "rejected")]

    def retry_rejected(self) -> int:
        """Let the refused events wait again, and return how many."""
        refused = self.rejected()
        for path in refused:
            path.rename(path.parent.parent / path.name)
            path.with_suffix(".reason.txt").unlink(missing_ok=True)
        return len(refused)

    def flush(self, api: Api, lock_seconds: float = 1.0) -> Flushed:
        """Send what waits, in order, as one process at a time.

        Raises Unreachable when the API is away, leaving the rest for later; raises SpoolBusy when another process
        is at it.
        """
        flushed = Flushed()
        for folder in self._folders:
            if not _events_in(folder):
                continue
            with _locked(folder, lock_seconds):
                while names := _events_in(folder):
                    for path in names:
                        self._send(api, path, flushed)
        return flushed

    def _send(self, api: Api, path: Path, flushed: Flushed) -> None:
        try:
            body = _read(path)
        except FileNotFoundError:  # trimmed away meanwhile
            return
        try:
            api.send(body)
        except Refused as refused:
            folder = _rejected(path.parent)
            _say_why(folder, path.name, refused.answer)
            path.rename(folder / path.name)
            _keep_newest(folder, MAX_REJECTED)
            flushed.rejected.append(str(refused))
        else:
            path.unlink(missing_ok=True)
            flushed.sent += 1

    def _trim(self, folder: Path) -> int:
        """Remove the oldest until the bounds hold, and return how many."""
        waiting = _events_in(folder)
        sizes = [path.stat().st_size for path in waiting]
        total = sum(sizes)
        dropped = 0
        # The newest is what we just wrote: it stays, however large it is.
        while dropped < len(waiting) - 1 and (len(waiting) - dropped > self._max_files or total > self._max_bytes):
            waiting[dropped].unlink(missing_ok=True)
            total -= sizes[dropped]
            dropped += 1
        return dropped


def _make_ours(folder: Path) -> None:
    """Make the folder if need be; refuse one that somebody else could write to or may have put there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ours = (os.getuid(), 0)
    itself, parent = folder.lstat(), folder.parent.lstat()
    if not stat.S_ISDIR(itself.st_mode):
        raise NotADirectoryError(f"{folder} is not a folder")
    if itself.st_uid != os.getuid() or itself.st_mode & 0o022 or parent.st_uid not in ours:
        raise PermissionError(f"{folder} is not this user's alone")


def _rejected(folder: Path) -> Path:
    rejected = folder / "rejected"
    rejected.mkdir(mode=0o700, exist_ok=True)
    return rejected


def _events_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [folder / name for name in sorted(entry.name for entry in entries) if _NAME.match(name)]
    except OSError:
        return []


def _write(folder: Path, name: str, body: bytes, *, durable: bool = True) -> None:
    """Write a file so that it is there whole or not at all; a durable one also after a power cut."""
    temporary = folder / f".{name}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            if durable:
                os.fsync(descriptor)
        temporary.rename(folder / name)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if not durable:
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path) -> bytes:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        return file.read(MAX_BYTES)


def _say_why(folder: Path, name: str, reason: str) -> None:
    (folder / name).with_suffix(".reason.txt").write_text(reason + "\n", encoding="utf-8")


def _keep_newest(folder: Path, count: int) -> None:
    for path in _events_in(folder)[:-count]:
        path.unlink(missing_ok=True)
        path.with_suffix(".reason.txt").unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(folder: Path, seconds: float) -> Iterator[None]:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        end = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise SpoolBusy(f"another process is sending what waits in {folder}") from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)
