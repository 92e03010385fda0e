"""Log lines: readable on a terminal, JSON elsewhere; never a secret, since events are redacted before."""

from __future__ import annotations

import logging
import sys

import structlog


def set_up_logs(level: int = logging.INFO) -> None:
    """Send log lines to stderr: coloured words on a terminal, one JSON object a line elsewhere."""
    terminal = sys.stderr.isatty()
    last: list[structlog.types.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=True)]
        if terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            *last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
