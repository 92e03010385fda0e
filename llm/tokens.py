"""Guesses how many tokens a text has, and learns from the server's own counts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_WORDS = re.compile(r"[A-Za-z ]+")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")

TOKENS_PER_MESSAGE = 6
"""Role and separators that the chat template puts around each message."""
RESERVE = 1.1
"""An estimate is trusted only with a tenth added."""


def estimate_tokens(text: str) -> int:
    """Guess the number of tokens without a tokenizer.

    Words cost a token per four characters; digits and punctuation cost far more. On prose this gives
    about characters / 4, on logs about characters / 2.5.
    """
    words = sum(map(len, _WORDS.findall(text)))
    foreign = sum(map(len, _NOT_ASCII.findall(text)))
    other = len(text) - words - foreign
    return round(words / 4 + other * 0.625 + foreign * 0.6)


class TokenEstimate:
    """An estimate that is corrected by the `usage` of earlier answers."""

    def __init__(self) -> None:
        self.correction = 1.0
        self._proven = 0

    def messages(self, messages: Sequence[Mapping[str, str]]) -> int:
        """Guess the prompt tokens of a request."""
        return round(sum(self.text(m["content"]) + TOKENS_PER_MESSAGE for m in messages))

    def text(self, text: str) -> int:
        """Guess the tokens of one text."""
        return round(estimate_tokens(text) * self.correction)

    def looks_cut(self, estimated: int, counted: int | None) -> bool:
        """Say whether the server seems to have dropped part of the prompt without a word.

        Some servers count only what was not in their prefix cache, so a size that once was read in full
        is never suspected again. Counts under 256 are no context size that exists: the server is making
        them up.
        """
        if counted is None or counted < 256 or estimated <= self._proven:
            return False
        return counted < estimated / 2

    def learn(self, estimated: int, counted: int | None) -> None:
        """Move the correction towards what the server counted; one odd answer moves it little."""
        if not counted or estimated < 50:
            return
        ratio = counted / estimated
        if 0.5 <= ratio <= 2.0:
            self._proven = max(self._proven, estimated)
            self.correction = min(2.0, max(0.6, self.correction * (0.7 + 0.3 * ratio)))
