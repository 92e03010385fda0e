"""Follows a log file and reports the lines that match a pattern."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import re2

from agentic.contracts import Sensor
from agentic.digest.encoding import decode_line
from agentic.patterns import options

CHUNK_BYTES = 256 * 1024
MAX_LINE_BYTES = 64 * 1024


class LogFile(Sensor):
    """Reports a failure of `job_id` for each line that matches `pattern`, with the lines before it.

    Survives rotation (rename and create, or truncation). Begins at the end of the file unless `from_start`.
    The same line of the same file always gets the same event id, so reading it again does no harm.
    """

    def __init__(
        self,
        path: Path,
        pattern: str,
        job_id: str,
        context_lines: int = 50,
        from_start: bool = False,
        base_dir: Path = Path(),
    ) -> None:
        try:
            self._matcher = re2.compile(pattern, options())
        except re2.error as error:
            raise ValueError(f"pattern: {pattern!r} is not valid: {error.args[0]!r}") from error
        self._path = base_dir / path
        self._job_id = job_id
        self._before: deque[str] = deque(maxlen=max(context_lines, 0))
        self._skip_to_end = not from_start
        self._file: BinaryIO | None = None
        self._inode = 0
        self._offset = 0
        self._rest = b""
        self._lines: deque[tuple[int, str]] = deque()

    def get_event(self) -> Mapping[str, Any] | None:
        """Return the report of the next matching line, or None when there is none yet."""
        while True:
            while self._lines:
                offset, line = self._lines.popleft()
                if self._matcher.search(line):
                    report = self._report(offset, line)
                    self._before.append(line)
                    return report
                self._before.append(line)
            if not self._read():
                return None

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _report(self, offset: int, line: str) -> dict[str, Any]:
        place = f"{self._path}:{self._inode}:{offset}:{line}"
        return {
            "event_id": f"log-{hashlib.blake2b(place.encode(), digest_size=12).hexdigest()}",
            "job_id": self._job_id,
            "status": "failed",
            "source": "log_file",
            "log": [*self._before, line],
            "details": {"path": str(self._path), "offset": offset},
        }

    def _read(self) -> bool:
        """Read the next piece of the file; False when there is nothing new."""
        if self._file is None and not self._open():
            return False
        assert self._file is not None
        if self._file.seek(0, 2) < self._offset:  # truncated in place: it begins anew
            self._offset, self._rest = 0, b""
        self._file.seek(self._offset)
        data = self._file.read(CHUNK_BYTES)
        if not data:
            # Only a file that is read to its end may be left for the one that took its place.
            if self._replaced():
                self.close()
                return self._open()
            return False
        start = self._offset - len(self._rest)
        self._offset += len(data)
        *complete, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            complete.append(self._rest)
            self._rest = b""
        for raw in complete:
            self._lines.append((start, decode_line(raw[:MAX_LINE_BYTES]).rstrip("\r")))
            start += len(raw) + 1
        return True

    def _open(self) -> bool:
        try:
            self._file = self._path.open("rb")
        except OSError:
            self._skip_to_end = False  # what is created from now on is new from its first line
            return False
        self._inode = os.fstat(self._file.fileno()).st_ino
        self._offset = self._file.seek(0, 2) if self._skip_to_end else 0
        self._rest = b""
        self._skip_to_end = False
        return True

    def _replaced(self) -> bool:
        try:
            return self._path.stat().st_ino != self._inode
        except OSError:
            return False
