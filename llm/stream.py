"""Puts an answer together from the bytes of the response, whether streamed or in one piece.

No input or output happens here: bytes go in, and `finish` gives the reply or raises what is wrong.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from llm.errors import Kind, LlmError, Usage
from llm.refusal import refusal

MAX_TEXT_CHARS = 64 * 1024
"""Longest answer, thoughts included; a diagnosis needs about 2,000 characters."""
MAX_WIRE_BYTES = 1024 * 1024
"""A streamed token is wrapped in some 250 bytes, so the wire may carry far more than the text."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """When to give up: the end on the event loop's clock, the rest in seconds."""

    end: float
    first_token_seconds: float
    idle_seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server sent, not yet judged."""

    text: str
    thoughts: str
    finish_reason: str | None
    usage: Usage
    model: str | None


class Collector:
    """Collects one response."""

    def __init__(self) -> None:
        self.complete = False
        """The end mark was seen; nothing worth reading follows."""
        self.finish_reason: str | None = None
        self.first_at: float | None = None
        """When the first of the model's words came, on the event loop's clock; None when all came in one piece."""
        self._buffer = bytearray()
        self._streamed: bool | None = None
        self._wire_bytes = 0
        self._chars = 0
        self._text: list[str] = []
        self._thoughts: list[str] = []
        self._usage = Usage()
        self._model: str | None = None
        self._saw_choices = False
        self._called_a_tool = False

    @property
    def text(self) -> str:
        """What the model has said so far."""
        return "".join(self._text)

    def feed(self, data: bytes) -> bool:
        """Take some bytes and say whether they carried any of the model's words.

        Mere bytes are no progress: a server that drips blanks must not keep us waiting.
        """
        self._wire_bytes += len(data)
        if self._wire_bytes > MAX_WIRE_BYTES:
            raise self._too_large()
        self._buffer += data
        if self._streamed is None:
            self._buffer = self._buffer.removeprefix(b"\xef\xbb\xbf")
            first = bytes(self._buffer.lstrip()[:1])
            if not first:
                return False
            if first == b"<":
                raise LlmError(Kind.NOT_AN_LLM, "The answer is a web page (status 200)", status=200)
            self._streamed = first not in (b"{", b"[", b'"')
        if not self._streamed or b"\n" not in data:
            return False
        before = self._chars
        *lines, rest = self._buffer.split(b"\n")
        self._buffer = bytearray(rest)
        for line in lines:
            self._take_line(line.decode("utf-8", "replace").strip())
        return self._chars > before

    def finish(self) -> Reply:
        """Return the whole reply, or raise what is wrong with it."""
        if self._streamed is False:
            self._take(self._document(bytes(self._buffer)))
            self.complete = True
        elif self._buffer:
            self._take_line(self._buffer.decode("utf-8", "replace").strip())
        text, thoughts = self.text, "".join(self._thoughts)
        if not self._saw_choices:
            if self._wire_bytes and not self._streamed:
                raise LlmError(Kind.NOT_AN_LLM, "The answer has no choices and no error", status=200)
            raise LlmError(Kind.EMPTY, "The server closed the connection without an answer")
        if self._called_a_tool and not text.strip():
            raise LlmError(Kind.BAD_OUTPUT, "The answer cannot be used: it calls a tool, and none was offered")
        if not text.strip():
            what = "The model only thought and gave no answer" if thoughts.strip() else "The answer is empty"
            if self.finish_reason == "length":
                what += ", and the token limit was reached"
            raise LlmError(Kind.EMPTY, what, raw=thoughts)
        if self.finish_reason == "length":
            raise LlmError(Kind.TRUNCATED, "The answer was cut off at the token limit", raw=text)
        if self.finish_reason is None and not self.complete:
            raise LlmError(Kind.UNAVAILABLE, "The connection ended in the middle of the answer", raw=text)
        if self.finish_reason not in (None, "stop", "eos", "stop_sequence", "eos_token"):
            raise LlmError(
                Kind.REJECTED, f"The server ended the answer for the reason {self.finish_reason[:40]!r}", raw=text
            )
        return Reply(text, thoughts, self.finish_reason, self._usage, self._model)

    def reported(self) -> tuple[str | None, Usage]:
        """Return the model's name and the token counts as far as they are known."""
        return self._model, self._usage

    def _take_line(self, line: str) -> None:
        field, colon, value = line.partition(":")
        if not colon or not field:  # a blank line or a comment that keeps the connection alive
            if line and not colon:
                self._junk(line)
            return
        if field != "data":
            if field not in ("event", "id", "retry"):
                self._junk(line)
            return
        value = value.strip()
        if value == "[DONE]":
            self.complete = True
        elif value:
            self._take(self._document(value.encode()))

    def _junk(self, line: str) -> None:
        if not self._saw_choices:
            raise LlmError(Kind.NOT_AN_LLM, "The answer is not an event stream", status=200, raw=line[:200])

    def _document(self, data: bytes) -> dict[str, Any]:
        text = data.decode("utf-8", "replace")
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            if self._saw_choices or not self._streamed:
                raise LlmError(
                    Kind.UNAVAILABLE, "The answer broke off in the middle of a message", raw=self.text
                ) from None
            raise LlmError(Kind.NOT_AN_LLM, "The answer is not JSON", status=200, raw=text[:200]) from None
        if not isinstance(value, dict):
            raise LlmError(Kind.NOT_AN_LLM, "The answer is JSON, but not an object", status=200)
        if value.get("error"):
            raise refusal(200, text)
        return value

    def _take(self, chunk: dict[str, Any]) -> None:
        if isinstance(chunk.get("model"), str):
            self._model = chunk["model"][:200] or None
        if isinstance(chunk.get("usage"), dict):
            self._usage = Usage(_count(chunk["usage"], "prompt_tokens"), _count(chunk["usage"], "completion_tokens"))
        if "choices" not in chunk:
            return
        self._saw_choices = True
        choices = chunk["choices"]
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        if isinstance(choice.get("finish_reason"), str):
            self.finish_reason = choice["finish_reason"]
        part = choice.get("delta") or choice.get("message")
        if isinstance(part, dict):
            self._called_a_tool = self._called_a_tool or bool(part.get("tool_calls"))
            self._add(self._text, part.get("content"))
            self._add(self._thoughts, part.get("reasoning_content") or part.get("reasoning"))

    def _add(self, to: list[str], words: object) -> None:
        if isinstance(words, str) and words:
            self._chars += len(words)
            if self._chars > MAX_TEXT_CHARS:
                raise self._too_large()
            to.append(words)

    def _too_large(self) -> LlmError:
        return LlmError(
            Kind.BAD_OUTPUT, "The answer is larger than any answer may be", again=False, raw=self.text[:2000]
        )


def _count(usage: dict[str, Any], key: str) -> int | None:
    value = usage.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
