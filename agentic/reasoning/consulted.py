"""Each call of a model for the audit trail: what was asked of whom, how long it took, what came back."""

from __future__ import annotations

from typing import Protocol

from agentic.types import ModelCall
from llm import Completion, LlmError

LONGEST_RAW = 2000


class Redacts(Protocol):
    """Takes secrets out of text."""

    def text(self, text: str, /) -> str:
        """Return the text without its secrets."""
        ...


def call_of(result: Completion | LlmError, redactor: Redacts) -> ModelCall:
    """Record a call, whichever way it went."""
    return ModelCall(
        model=result.model or "",
        prompt_hash=result.prompt_hash,
        prompt_tokens=result.usage.prompt_tokens,
        completion_tokens=result.usage.completion_tokens,
        duration_seconds=round(result.duration_seconds, 3),
        finish_reason=result.finish_reason,
        attempts=result.attempts,
        raw=redactor.text(result.raw[:LONGEST_RAW]),
        error=result.kind.value if isinstance(result, LlmError) else None,
    )
