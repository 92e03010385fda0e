"""Lists of words written as a text."""

from __future__ import annotations


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text, which reads better than a list of a hundred strings."""
    return tuple(text.split())
