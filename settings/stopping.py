"""How a program of ours is told to stop: the first word begins it, and no further one changes anything."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

WORDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # HUP: the terminal was closed

_told_early: list[int] = []


def keep_signals() -> None:
    """Until `stopped_by_signals` listens, only remember that a signal came: what is being started must not be left."""

    def remember(number: int, _: FrameType | None) -> None:
        _told_early.append(number)

    for number in WORDS:
        signal.signal(number, remember)


@contextmanager
def stopped_by_signals(stop: Callable[[], object]) -> Iterator[None]:
    """Call `stop` when a signal says so; after the block signals are ignored, since the program ends in order then.

    The loop would give them back their fatal meaning when it closes, with the store still to be stopped.
    """
    loop = asyncio.get_running_loop()
    for number in WORDS:
        loop.add_signal_handler(number, stop)
    if _told_early:
        stop()
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, WORDS)
        for number in WORDS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WORDS)
