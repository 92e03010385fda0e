"""Log lines: readable on a terminal, JSON elsewhere; never a secret, since events are redacted before."""

from __future__ import annotations

import asyncio
import atexit
import logging
import sys
import threading
import time
from functools import lru_cache
from typing import TextIO

import structlog
from pydantic_core import to_json

WRITE_AT_ONCE = 4096
"""Characters from which lines are written without waiting for more: longer writes to a pipe may be torn."""


def set_up_logs(level: int = logging.INFO) -> None:
    """Send log lines to stderr: coloured words on a terminal, one JSON object a line elsewhere."""
    stamped: list[structlog.types.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
    ]
    terminal = sys.stderr.isatty()
    lines = _Lines(sys.stderr)
    last: structlog.types.Processor = structlog.dev.ConsoleRenderer(colors=True) if terminal else _to_json
    structlog.configure(
        processors=[*stamped, last] if terminal else [_stamped_json],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr) if terminal else lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=stamped, processors=[_drop_own, last]))
    for name in ("autoremedy", "uvicorn.error"):  # the lab and the server speak through the standard library
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO if name == "autoremedy" else logging.WARNING)


class _Lines:
    """Writes lines to a stream; in an event loop, the good news of one turn together.

    A write for each line costs more than all the rest of the line. Whatever is no good news is written at once, with
    what waits before it.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()  # one thread may come twice: by a signal that it handles meanwhile
        self._waiting: list[str] = []
        self._room = WRITE_AT_ONCE
        self._flushed_by: asyncio.AbstractEventLoop | None = None
        self._flushed_in = 0
        """Thread of that loop."""
        atexit.register(self._flush)

    def info(self, line: str) -> None:
        """Write a line by the end of this turn of the loop, and at once where no loop runs."""
        with self._lock:
            if len(line) >= self._room:
                self._flush()
            self._waiting.append(line)
            self._room -= len(line) + 1
            if self._flushed_by and self._flushed_by.is_running() and self._flushed_in == threading.get_ident():
                return
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self._flush()
                return
            self._flushed_by, self._flushed_in = loop, threading.get_ident()
            loop.call_soon(self._flush)

    def error(self, line: str) -> None:
        """Write a line at once."""
        with self._lock:
            self._waiting.append(line)
            self._flush()

    debug = info
    warning = critical = error

    def _flush(self) -> None:
        with self._lock:
            self._flushed_by = None
            if not self._waiting:
                return
            text = "\n".join(self._waiting) + "\n"
            self._waiting.clear()
            self._room = WRITE_AT_ONCE
            self._stream.write(text)
            self._stream.flush()


def _stamped_json(logger: object, level: str, line: structlog.types.EventDict) -> str:
    """Do in one step what structlog's own steps do one after the other: a line comes with every event."""
    if "exc_info" in line:
        line = structlog.processors.format_exc_info(logger, level, line)
    line["level"] = level
    now = time.time()
    line["ts"] = f"{_second(int(now))}.{int(now % 1 * 1_000_000):06}Z"
    return _json(line)


@lru_cache(maxsize=2)
def _second(number: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(number))


def _to_json(_: object, __: str, line: structlog.types.EventDict) -> str:
    return _json(line)


def _drop_own(_: object, __: str, line: structlog.types.EventDict) -> structlog.types.EventDict:
    """Take out what the bridge itself put into a line."""
    return structlog.stdlib.ProcessorFormatter.remove_processors_meta(None, "", line)


def _json(line: structlog.types.EventDict) -> str:
    """Write a line with the serializer that is written in Rust; what it does not know is written as its repr."""
    return to_json(line, fallback=repr, inf_nan_mode="strings").decode()
