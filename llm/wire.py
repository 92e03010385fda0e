"""The HTTP side: no redirects, no proxies, no compression, every wait and every size bounded."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from llm.errors import Kind, LlmError
from llm.refusal import readable, refusal
from llm.stream import Collector, Deadlines

CONNECT_SECONDS = 5.0
MAX_DOCUMENT_BYTES = 256 * 1024
"""For lists of models and error texts."""


class Wire:
    """Sends requests to one server."""

    def __init__(self, api_key: str | None, transport: httpx.AsyncBaseTransport | None = None) -> None:
        headers = {"Accept-Encoding": "identity"}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        self._api_key = api_key
        # A connection per request: closing it is how a server learns that nobody waits any more, and a kept
        # one may be dead by the time of the next question.
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,
            transport=transport,
            verify=ssl.create_default_context(),  # the system's authorities, so that a private one can be trusted
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def fetch(self, url: str) -> tuple[int, str, Any]:
        """Get a document: status, text, and the parsed JSON or None."""
        async with self._errors(), self._client.stream("GET", url) as response:
            text = await _document(response)
        try:
            return response.status_code, text, json.loads(text)
        except (ValueError, RecursionError):
            return response.status_code, text, None

    async def ask(self, url: str, body: Mapping[str, Any], deadlines: Deadlines) -> Collector:
        """Post a question and collect the answer while it comes; raises LlmError."""
        collector = Collector()
        clock = asyncio.get_running_loop().time
        first = min(deadlines.end, clock() + deadlines.first_token_seconds)
        waited_for = "the first word of an answer"
        try:
            async with asyncio.timeout_at(first) as limit, self._errors(), self._post(url, body) as response:
                await _refuse_unless_success(response)
                async for data in response.aiter_raw():
                    if collector.feed(data):
                        collector.first_at = collector.first_at or clock()
                        waited_for = "the next word of the answer"
                        limit.reschedule(min(deadlines.end, clock() + deadlines.idle_seconds))
                    if collector.complete:
                        break
        except TimeoutError:
            if collector.finish_reason is None:
                late = "the end of the answer" if clock() >= deadlines.end else waited_for
                raise LlmError(Kind.TIMEOUT, f"Waited too long for {late}", raw=collector.text) from None
        except LlmError as error:
            error.raw = error.raw or collector.text
            error.model, error.usage = collector.reported()
            if collector.finish_reason is None or error.kind is not Kind.UNAVAILABLE:
                raise
        return collector

    def scrubbed(self, text: str) -> str:
        """Return foreign text without our token, which some servers repeat in their errors."""
        return text.replace(self._api_key, "[token]") if self._api_key else text

    @asynccontextmanager
    async def _post(self, url: str, body: Mapping[str, Any]) -> AsyncIterator[httpx.Response]:
        async with self._client.stream("POST", url, json=body) as response:
            yield response

    @asynccontextmanager
    async def _errors(self) -> AsyncIterator[None]:
        """Turn what httpx raises into our own errors."""
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise LlmError(Kind.UNREACHABLE, f"Nothing answers: {_reason(error)}") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            raise LlmError(Kind.BAD_BASE_URL, f"The request cannot be sent: {_reason(error)}") from None
        except httpx.RemoteProtocolError as error:
            if "illegal" in str(error):  # the first line was not HTTP
                raise LlmError(Kind.NOT_AN_LLM, "What answers does not speak HTTP", again=False) from None
            raise LlmError(Kind.UNAVAILABLE, f"The connection broke: {_reason(error)}") from None
        except httpx.HTTPError as error:
            raise LlmError(Kind.UNAVAILABLE, f"The connection broke: {_reason(error)}") from None
        except LlmError as error:
            error.message = self.scrubbed(error.message)
            error.args = (error.message,)
            raise


async def _refuse_unless_success(response: httpx.Response) -> None:
    if response.status_code != 200:
        raise refusal(response.status_code, await _document(response), response.headers)
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise LlmError(Kind.REJECTED, f"The answer is compressed ({readable(encoding, 40)}), which was not asked for")


async def _document(response: httpx.Response) -> str:
    data = bytearray()
    async for part in response.aiter_raw():
        data += part
        if len(data) > MAX_DOCUMENT_BYTES:
            break
    return data[:MAX_DOCUMENT_BYTES].decode("utf-8", "replace")


def _reason(error: Exception) -> str:
    return readable(str(error) or type(error).__name__, 120)
