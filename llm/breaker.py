"""Stops asking a server that has failed several times in a row, and looks again after a pause."""

from __future__ import annotations

import time
from collections.abc import Callable

from llm.errors import SERVER_IS_ILL, Kind, LlmError


class Breaker:
    """Closed, open, or half open with one trial under way."""

    def __init__(
        self,
        *,
        threshold: int = 3,
        pause_seconds: float = 30.0,
        longest_pause_seconds: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threshold = threshold
        self._first_pause = pause_seconds
        self._longest_pause = longest_pause_seconds
        self._clock = clock
        self._failures = 0
        self._pause = pause_seconds
        self._open_until: float | None = None
        self._trial = False

    @property
    def is_open(self) -> bool:
        """Say whether a question would be refused now."""
        return self._open_until is not None and (self._trial or self._clock() < self._open_until)

    def check(self) -> None:
        """Raise `unavailable` while the server is left alone."""
        if self._open_until is None or not self.is_open:
            return
        left = max(0.0, self._open_until - self._clock())
        raise LlmError(
            Kind.UNAVAILABLE,
            f"The server failed {self._failures} times in a row; it is left alone for {left:.0f} more seconds",
            again=False,
        )

    def admit(self) -> None:
        """Let a question through, or raise as `check` does; the first after a pause is the trial."""
        self.check()
        self._trial = self._open_until is not None

    def succeeded(self) -> None:
        """The server answered, if only to say no."""
        self._failures, self._pause, self._open_until, self._trial = 0, self._first_pause, None, False

    def failed(self, kind: Kind) -> None:
        """A question ended with an error; only some kinds mean that the server is ill."""
        if kind not in SERVER_IS_ILL:
            self.succeeded()
            return
        self._failures += 1
        if self._trial:
            self._pause = min(self._pause * 2, self._longest_pause)
        if self._trial or self._failures >= self._threshold:
            self._open_until = self._clock() + self._pause
        self._trial = False

    def abandoned(self) -> None:
        """A question was given up before its end, which says nothing about the server."""
        self._trial = False
