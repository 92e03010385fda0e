"""Asks a local model one question and returns one checked JSON object, or one typed error, in time."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import urlsplit

from llm.answer import Check, usable_object
from llm.breaker import Breaker
from llm.errors import Kind, LlmError, Usage
from llm.preflight import ServerState, failed_state, look, shown_url, version_of
from llm.schema import Schema, ensure_portable, flattened, in_words
from llm.stream import Deadlines
from llm.tokens import RESERVE, TokenEstimate

if TYPE_CHECKING:
    import httpx

Message = Mapping[str, str]

LOOK_SECONDS = 3.0
STATE_IS_FRESH_SECONDS = 10.0
"""A model may be swapped while we run; asking for the one that was there would load it again."""
LONGEST_RETRY_PAUSE_SECONDS = 5.0
MAX_SHOWN_BACK_CHARS = 1200
_FORMS: tuple[Literal["schema"], Literal["flat"], Literal["words"]] = ("schema", "flat", "words")
"""How the answer's form is asked for: JSON schema, the same without bounds, or a sentence in the prompt."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One usable answer and what it cost."""

    object: dict[str, Any]
    usage: Usage
    raw: str
    model: str
    duration_seconds: float
    finish_reason: str | None
    attempts: int
    prompt_hash: str
    reading_seconds: float | None = None
    """From the last attempt's request to its first word; None when the answer came in one piece."""
    writing_seconds: float | None = None
    """From its first word to its last."""


@dataclass(slots=True)
class _Call:
    """One question on its way: what was asked and what has been tried."""

    messages: list[Message]
    schema: Schema
    check: Check | None
    started: float
    end: float
    attempts: int = 0
    retried: bool = False
    correction: list[Message] = field(default_factory=list)


class ChatClient:
    """A client of one OpenAI-compatible server; to be shared by the tasks of one event loop."""

    def __init__(
        self,
        base_url: str,
        *,
        model: str = "auto",
        api_key: str | None = None,
        context_tokens: int | Literal["auto"] = "auto",
        max_output_tokens: int = 500,
        deadline_seconds: float = 180.0,
        first_token_seconds: float = 120.0,
        idle_seconds: float = 30.0,
        concurrency: int = 1,
        retry_pause_seconds: float = 0.5,
        breaker: Breaker | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        # httpx costs a quarter of a second to import; only those who really ask a model pay for it.
        from llm.wire import Wire

        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise LlmError(Kind.BAD_BASE_URL, f"{shown_url(base_url)!r} is not the address of a server")
        self.base_url = base_url.rstrip("/")
        self.model = model
        self.max_output_tokens = max_output_tokens
        self.deadline_seconds = deadline_seconds
        self.concurrency = concurrency
        self.tokens = TokenEstimate()
        self.breaker = breaker or Breaker()
        self.state: ServerState | None = None
        """What the last look at the server found."""
        self._context_tokens = context_tokens
        self._first_token_seconds = first_token_seconds
        self._idle_seconds = idle_seconds
        self._retry_pause_seconds = retry_pause_seconds
        self._slots = asyncio.Semaphore(concurrency)
        self._wire = Wire(api_key, transport)
        # What this server turned out to need; kept for the next question.
        self._form = 0
        self._extras: dict[str, Any] = {"stream_options": {"include_usage": True}}
        self._refused: set[str] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._wire.aclose()

    @property
    def context_tokens(self) -> int | None:
        """Tokens that prompt and answer may have together, None while nobody knows."""
        if self._context_tokens != "auto":
            return self._context_tokens
        return self.state.context_tokens if self.state else None

    @property
    def answer_form(self) -> Literal["schema", "flat", "words"]:
        """How this server turned out to want to be told the form of an answer."""
        return _FORMS[self._form]

    async def version(self) -> str | None:
        """Return the server's version, where it tells one; never raises."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await version_of(self.base_url, self.state.server if self.state else None, self._wire.fetch)
        except (TimeoutError, LlmError):
            return None

    def prompt_budget(self, most: int) -> int:
        """Return how many tokens, by our own estimate, a prompt may have: at most `most`."""
        if self.context_tokens is None:
            return most
        return max(0, min(most, int((self.context_tokens - self.max_output_tokens) / RESERVE)))

    async def preflight(self) -> ServerState:
        """Look at the server and say what is there; never raises and never makes a model load."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                state = await look(self.base_url, self.model, self._wire.fetch)
        except TimeoutError:
            late = LlmError(Kind.TIMEOUT, f"The server did not list its models within {LOOK_SECONDS:.0f} seconds")
            state = failed_state(self.base_url, late)
        except LlmError as error:
            state = failed_state(self.base_url, error)
        needed = self.max_output_tokens + round(2000 * RESERVE)
        if state.context_tokens is not None and state.context_tokens < needed:
            advice = f"The model is loaded with {state.context_tokens} tokens of context; give it {needed} or more."
            state = replace(state, advice=advice)
        self.state = replace(state, checked_at=asyncio.get_running_loop().time())
        return self.state

    async def complete(
        self,
        messages: Sequence[Message],
        schema: Schema,
        *,
        check: Check | None = None,
        within_seconds: float | None = None,
    ) -> Completion:
        """Ask one question and return the object that fits the schema and passes `check`.

        An answer that does not gets one more chance, with the reason. The deadline (`within_seconds`, else the
        client's) covers everything: the wait for a free slot, both attempts and the pause between. Raises LlmError.
        """
        ensure_portable(schema)
        now = asyncio.get_running_loop().time()
        seconds = self.deadline_seconds if within_seconds is None else within_seconds
        call = _Call(list(messages), schema, check, now, now + seconds)
        try:
            self.breaker.check()
            await self._wait_for_slot(seconds / 2)
            try:
                return await self._ask_in_slot(call)
            finally:
                self._slots.release()
        except LlmError as error:
            error.attempts = call.attempts
            error.duration_seconds = asyncio.get_running_loop().time() - call.started
            error.prompt_hash = prompt_hash(call.messages)
            raise

    async def _wait_for_slot(self, seconds: float) -> None:
        # At most half of the deadline, so that a question which is asked at all has time for its answer.
        try:
            async with asyncio.timeout(seconds):
                await self._slots.acquire()
        except TimeoutError:
            raise LlmError(Kind.OVERLOADED, "Other questions were in hand all the time", again=False) from None

    async def _ask_in_slot(self, call: _Call) -> Completion:
        self.breaker.admit()
        try:
            completion = await self._ask_until_answered(call)
        except LlmError as error:
            self.breaker.failed(error.kind)
            if error.kind not in (Kind.BAD_OUTPUT, Kind.TRUNCATED, Kind.EMPTY, Kind.OVERLOADED):
                self.state = None  # the server may have changed underneath
            raise
        except BaseException:
            self.breaker.abandoned()
            raise
        self.breaker.succeeded()
        return completion

    async def _ask_until_answered(self, call: _Call) -> Completion:
        model = await self._model()
        while True:
            call.attempts += 1
            try:
                return await self._ask(call, model)
            except LlmError as error:
                if self._adapted(error):
                    continue
                pause = error.retry_after_seconds or self._retry_pause_seconds * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
                time_left = call.end - asyncio.get_running_loop().time()
                if call.retried or not error.again or pause > min(LONGEST_RETRY_PAUSE_SECONDS, time_left):
                    raise
                call.retried = True
                if error.kind is Kind.BAD_OUTPUT:
                    call.correction = _correction(error)
                else:
                    await asyncio.sleep(pause)

    async def _model(self) -> str:
        """Return the model to ask; looks again when the last look is not fresh."""
        now = asyncio.get_running_loop().time()
        state = self.state
        if state is None or not state.ready or now - state.checked_at > STATE_IS_FRESH_SECONDS:
            state = await self.preflight()
        if state.model is not None:
            return state.model
        raise LlmError(state.kind or Kind.NO_MODEL, state.detail, advice=state.advice)

    async def _ask(self, call: _Call, model: str) -> Completion:
        """Make one attempt."""
        messages, estimated = self._fitting(call)
        deadlines = Deadlines(call.end, self._first_token_seconds, self._idle_seconds)
        body = self._body(model, messages, call.schema)
        clock = asyncio.get_running_loop().time
        sent = clock()
        collector = await self._wire.ask(f"{self.base_url}/chat/completions", body, deadlines)
        reported_model, usage = collector.reported()
        try:
            reply = collector.finish()
            if self.context_tokens is None and self.tokens.looks_cut(estimated, usage.prompt_tokens):
                what = f"The server read {usage.prompt_tokens} of about {estimated} tokens and said nothing"
                raise LlmError(Kind.CONTEXT_OVERFLOW, what, raw=reply.text)
            self.tokens.learn(estimated, usage.prompt_tokens)
            answer = usable_object(reply.text, call.schema, call.check)
        except LlmError as error:
            error.model, error.usage = reported_model or model, usage
            error.finish_reason = collector.finish_reason
            error.raw = error.raw or collector.text
            raise
        return Completion(
            object=answer,
            usage=usage,
            raw=reply.text,
            model=reply.model or model,
            duration_seconds=asyncio.get_running_loop().time() - call.started,
            finish_reason=reply.finish_reason,
            attempts=call.attempts,
            prompt_hash=prompt_hash(call.messages),
            reading_seconds=collector.first_at - sent if collector.first_at else None,
            writing_seconds=clock() - collector.first_at if collector.first_at else None,
        )

    def _fitting(self, call: _Call) -> tuple[list[Message], int]:
        """Return the messages to send and their tokens, or raise when they cannot fit the context."""
        messages = [*call.messages, *call.correction]
        if _FORMS[self._form] == "words":
            first = {**messages[0], "content": f"{messages[0]['content']}\n\n{in_words(call.schema)}"}
            messages = [first, *messages[1:]]
        estimated = self.tokens.messages(messages)
        if self._fits(estimated):
            return messages, estimated
        if call.correction:
            without_the_wrong_answer = [*messages[:-2], messages[-1]]
            return without_the_wrong_answer, self.tokens.messages(without_the_wrong_answer)
        raise LlmError(
            Kind.CONTEXT_OVERFLOW,
            f"The prompt has about {estimated} tokens and the answer up to {self.max_output_tokens}; "
            f"the model is loaded with {self.context_tokens}",
        )

    def _fits(self, prompt_tokens: int) -> bool:
        context = self.context_tokens
        return context is None or prompt_tokens * RESERVE + self.max_output_tokens <= context

    def _body(self, model: str, messages: list[Message], schema: Schema) -> dict[str, Any]:
        """Return the request: only fields that every server takes."""
        body: dict[str, Any] = {
            "model": model,
            "messages": messages,
            "temperature": 0,
            "max_tokens": self.max_output_tokens,
            "stream": True,
            **self._extras,
        }
        if _FORMS[self._form] != "words":
            shape = schema if _FORMS[self._form] == "schema" else flattened(schema)
            answer_form = {"name": "answer", "strict": True, "schema": shape}
            body["response_format"] = {"type": "json_schema", "json_schema": answer_form}
        return body

    def _adapted(self, error: LlmError) -> bool:
        """Change what this server cannot take, and say whether there is something new to try."""
        for name in [name for name in self._extras if error.status is not None and name in error.message]:
            del self._extras[name]
            self._refused.add(name)
            return True
        if error.kind is Kind.SCHEMA_UNSUPPORTED and self._form + 1 < len(_FORMS):
            self._form += 1
            return True
        if error.kind is Kind.EMPTY and error.raw and "reasoning_effort" not in self._refused:
            self._extras["reasoning_effort"] = "none"  # it only thought; the one retry may do better without
        return False


def _correction(error: LlmError) -> list[Message]:
    again = f"{error.message}. Answer again with one JSON object that corrects this."
    return [
        {"role": "assistant", "content": error.raw[:MAX_SHOWN_BACK_CHARS]},
        {"role": "user", "content": again},
    ]


def prompt_hash(messages: Sequence[Message]) -> str:
    """Return what two prompts have in common exactly if they are the same."""
    return hashlib.sha256(json.dumps(list(messages), sort_keys=True).encode()).hexdigest()[:16]
