"""What can go wrong between us and a model server: one error class, one `kind` that decides what happens next.

The kind says whose turn it is: a few pass by themselves (see `AGAIN`), most need a person (see `ADVICE`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Why there is no answer."""

    UNREACHABLE = "unreachable"
    BAD_BASE_URL = "bad_base_url"
    NOT_AN_LLM = "not_an_llm"
    AUTH = "auth"
    NO_MODEL = "no_model"
    MODEL_NOT_FOUND = "model_not_found"
    CONTEXT_OVERFLOW = "context_overflow"
    SCHEMA_UNSUPPORTED = "schema_unsupported"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    BAD_OUTPUT = "bad_output"
    REJECTED = "rejected"


ADVICE: dict[Kind, str] = {
    Kind.UNREACHABLE: "Start the model server, or correct llm.base_url.",
    Kind.BAD_BASE_URL: "Correct llm.base_url; it usually ends in /v1, for example http://localhost:1234/v1.",
    Kind.NOT_AN_LLM: "Something else answers at llm.base_url; correct the address or the port.",
    Kind.AUTH: "Set llm.api_key to a token that this server accepts.",
    Kind.NO_MODEL: "Load a model in the server, or name one in llm.model.",
    Kind.MODEL_NOT_FOUND: "Set llm.model to a model that this server has, or to auto.",
    Kind.CONTEXT_OVERFLOW: "Load the model with a longer context, 4096 tokens or more.",
    Kind.SCHEMA_UNSUPPORTED: "Use a server that supports response_format json_schema.",
    Kind.OVERLOADED: "The server is busy; raise llm.deadline_seconds or use a faster model.",
    Kind.UNAVAILABLE: "Look at the server's own log; the model may be loading or may have crashed.",
    Kind.TIMEOUT: "Use a smaller model or a faster machine, or raise llm.deadline_seconds.",
    Kind.TRUNCATED: "Raise llm.max_output_tokens.",
    Kind.EMPTY: "Switch the model's reasoning off in the server, or use an instruct model.",
    Kind.BAD_OUTPUT: "Use a model of 7B or more that follows a JSON schema.",
    Kind.REJECTED: "Read the server's message.",
}
"""What a person can do about each kind."""

AGAIN = frozenset({Kind.UNREACHABLE, Kind.OVERLOADED, Kind.UNAVAILABLE, Kind.EMPTY, Kind.BAD_OUTPUT})
"""Kinds worth one more attempt. A timeout is not among them: the first request may still be running."""

SERVER_IS_ILL = frozenset({Kind.UNREACHABLE, Kind.UNAVAILABLE, Kind.TIMEOUT})
"""Kinds that open the circuit breaker."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the server counted them; None where it did not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class LlmError(Exception):
    """There is no usable answer; `kind` says why and `advice` what to do."""

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        advice: str | None = None,
        status: int | None = None,
        again: bool | None = None,
        retry_after_seconds: float | None = None,
        raw: str = "",
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.advice = advice or ADVICE[kind]
        self.status = status
        self.again = kind in AGAIN if again is None else again
        self.retry_after_seconds = retry_after_seconds
        self.raw = raw
        """What the model had said so far, for the audit trail; untrusted."""
        # Filled in by the client when it gives up, so that a failed call can be recorded like a good one.
        self.model: str | None = None
        self.usage = Usage()
        self.finish_reason: str | None = None
        self.attempts = 0
        self.duration_seconds = 0.0
        self.prompt_hash = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"
