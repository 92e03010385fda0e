"""A model's recorded answers in place of the model: they pass the same checks, and nothing is sent anywhere."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence

from agentic.probing import Probe
from agentic.types import Action, ModelCall, Situation
from llm import (
    ChatClient,
    Check,
    Completion,
    Kind,
    LlmError,
    Message,
    ServerState,
    Usage,
    prompt_hash,
    usable_object,
)
from llm.schema import Schema

_NUMBER = re.compile(r"^c\d+\| ", re.MULTILINE)
_NOWHERE = "http://recorded.invalid/v1"


class RecordedClient(ChatClient):
    """Answers each question with what was recorded of the next call, be it an answer or an error."""

    def __init__(self, *, max_output_tokens: int = 500) -> None:
        super().__init__(_NOWHERE, max_output_tokens=max_output_tokens)
        self._calls: Sequence[ModelCall] = ()
        self._next = 0
        self.asked_otherwise = False
        """The first question would be put in other words today than when its answer was recorded."""
        self.roomy = False
        """Let more of a long log into the question, since the answer may rest on lines that would be left out today."""

    def take(self, calls: Sequence[ModelCall]) -> None:
        """Answer with these calls from now on."""
        self._calls, self._next, self.asked_otherwise = calls, 0, False

    def probe_text(self, name: str) -> str:
        """Return what a check said when these calls were made."""
        for call in self._calls:
            if call.probe is not None and call.probe.name == name:
                return _NUMBER.sub("", call.probe.text)
        return "the record does not say what this check said"

    def prompt_budget(self, most: int) -> int:
        """Return how many tokens a prompt may have."""
        return 2 * most if self.roomy else super().prompt_budget(most)

    async def preflight(self) -> ServerState:
        """Say that there is a model; which one, as far as it is recorded."""
        model = self._calls[0].model if self._calls else "recorded"
        now = asyncio.get_running_loop().time()
        self.state = ServerState(self.base_url, True, True, server="recorded", model=model, checked_at=now)
        return self.state

    async def complete(
        self,
        messages: Sequence[Message],
        schema: Schema,
        *,
        check: Check | None = None,
        within_seconds: float | None = None,
    ) -> Completion:
        """Return the next recorded answer, held against today's form and log; raises LlmError."""
        asked = prompt_hash(messages)
        if self._next == len(self._calls):
            raise LlmError(Kind.NO_MODEL, "The record has no answer of a model to this")
        call = self._calls[self._next]
        if self._next == 0:
            self.asked_otherwise = asked != call.prompt_hash
        self._next += 1
        try:
            if call.error is not None:
                raise LlmError(_kind(call.error), "as it was recorded", raw=call.raw)
            answer = usable_object(call.raw, schema, check)
        except LlmError as error:
            error.model, error.prompt_hash, error.raw = call.model, asked, call.raw
            raise
        return Completion(
            object=answer,
            usage=Usage(call.prompt_tokens, call.completion_tokens),
            raw=call.raw,
            model=call.model,
            duration_seconds=call.duration_seconds,
            finish_reason=call.finish_reason,
            attempts=call.attempts,
            prompt_hash=asked,
        )


def recorded_probes(declared: Iterable[Action], client: RecordedClient) -> tuple[Probe, ...]:
    """Return the declared checks such that asking for one gives what was recorded of it; nothing is run."""

    def probe(action: Action) -> Probe:
        async def run(_: Situation) -> str:
            return client.probe_text(action.name)

        return Probe(action.name, action.description, run, action.jobs, action.timeout_seconds)

    return tuple(probe(action) for action in declared)


def _kind(name: str) -> Kind:
    try:
        return Kind(name)
    except ValueError:
        return Kind.REJECTED
