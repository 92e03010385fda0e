"""Log lines: readable on a terminal, JSON elsewhere; never a secret, since events are redacted before."""

from __future__ import annotations

import logging
import sys

import structlog
from pydantic_core import to_json


def set_up_logs(level: int = logging.INFO) -> None:
    """Send log lines to stderr: coloured words on a terminal, one JSON object a line elsewhere."""
    terminal = sys.stderr.isatty()
    shared: list[structlog.types.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
    ]
    last: list[structlog.types.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=True)]
        if terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_to_json)]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[_drop_own, *last]))
    for name in ("autoremedy", "uvicorn.error"):  # the lab and the server speak through the standard library
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO if name == "autoremedy" else logging.WARNING)


def _drop_own(_: object, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """Take out what the bridge itself put into a line."""
    return structlog.stdlib.ProcessorFormatter.remove_processors_meta(None, "", event)


def _to_json(line: object, **_: object) -> str:
    """Write a line with the serializer that is written in Rust; what it does not know is written as its repr."""
    return to_json(line, fallback=repr, inf_nan_mode="strings").decode()
