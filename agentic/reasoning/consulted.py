"""What came of asking a model: the decision or the reason for none, and each call for the audit trail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from agentic.types import Decision
from llm import Completion, LlmError

LONGEST_RAW = 2000


class Redacts(Protocol):
    """Takes secrets out of text."""

    def text(self, text: str, /) -> str:
        """Return the text without its secrets."""
        ...


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One question to a model, answered or not."""

    model: str
    prompt_hash: str
    prompt_tokens: int | None
    completion_tokens: int | None
    duration_seconds: float
    finish_reason: str | None
    attempts: int
    raw: str
    """What the model said: redacted, shortened, and still untrusted."""
    error: str | None = None

    @classmethod
    def of(cls, result: Completion | LlmError, redactor: Redacts) -> ModelCall:
        """Record a call, whichever way it went."""
        return cls(
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


@dataclass(frozen=True, slots=True)
class Consulted:
    """What came of asking a model about one event."""

    decision: Decision | None
    reason: str
    """Why there is no decision, or how it came about; one sentence for the record."""
    calls: tuple[ModelCall, ...] = ()
