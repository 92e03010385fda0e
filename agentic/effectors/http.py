"""Sends one request to a host the operator allowed, and says honestly whether it arrived."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from agentic.argv import PLACEHOLDER
from agentic.contracts import Effector, EffectRequest, EffectResult
from agentic.effectors.destinations import Destination, Destinations, Resolve, system_resolve
from agentic.effectors.output import NoRedaction, TextRedactor, one_line
from agentic.effectors.placeholders import (
    KNOWN,
    Refusal,
    check_known,
    check_params,
    check_placeholders,
    fill_json,
    fill_url,
    lineage_of,
    next_attempt,
    split_url,
)
from agentic.errors import ConfigError, EffectorError
from agentic.guard import is_rerun
from agentic.types import Action

MAX_ANSWER_BYTES = 64 * 1024
CONNECT_SECONDS = 10.0
KEYS = frozenset({"method", "url", "headers", "json", "expect_status", "delay_seconds"})
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
OWN_HEADERS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "idempotency-key", "upgrade", "te", "trailer"}
)


class Http(Effector):
    """Sends `method url` and judges the answer by its status."""

    def __init__(
        self,
        *,
        allowed_hosts: Sequence[str] = (),
        redactor: TextRedactor | None = None,
        resolve: Resolve = system_resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._destinations = Destinations(allowed_hosts, resolve)
        self._redactor = redactor or NoRedaction()
        self._tls = tls

    async def execute(self, request: EffectRequest) -> EffectResult:
        """Send the request once; what was sent but not answered is unknown.

        Raises EffectorError (never sent) when no connection came about.
        """
        sending = _Sending()
        try:
            url = fill_url(request.action.settings["url"], request)
            body = _body(request)
            if request.dry_run:
                self._destinations.check(url)
                return EffectResult.rehearsed(f"would send: {self.preview(request)}")
            async with asyncio.timeout(request.timeout_seconds):
                destination = await self._destinations.find(url)
                status, answer = await self._send(destination, body, request, sending)
        except Refusal as refusal:
            return EffectResult.refused(self._redactor.text(str(refusal)))
        except (httpx.HTTPError, ssl.SSLError, TimeoutError, OSError) as error:
            words = _in_words(error, request.timeout_seconds)
            if not sending.begun:
                raise EffectorError(f"no connection: {self._redactor.text(words)}", never_sent=True) from error
            return EffectResult.unknown(f"the request was sent, but no answer came: {self._redactor.text(words)}")
        return self._judge(status, answer, request)

    def preview(self, request: EffectRequest) -> str:
        """Say the request exactly as it would be sent; values of headers are not shown."""
        settings = request.action.settings
        try:
            url = fill_url(settings["url"], request)
            body = _body(request)
            self._destinations.check(url)
        except Refusal as refusal:
            return one_line(self._redactor.text(f"would be refused: {refusal}"))
        parts = [f"{_method(settings)} {url}"]
        if settings.get("headers"):
            parts.append(f"with headers {', '.join(settings['headers'])}")
        if body is not None:
            parts.append(f"with body {body.decode()}")
        return one_line(self._redactor.text(" ".join(parts)), 2000)

    def check(self, action: Action) -> None:
        """Raise ConfigError when the request can never be sent."""
        settings = action.settings
        _check_shape(settings)
        check_params(action)
        origin, rest = split_url(settings["url"])
        if PLACEHOLDER.search(origin):
            raise ConfigError("url: a placeholder may stand in the path or the query, never in the host")
        check_placeholders(rest, action)
        try:
            self._destinations.check(origin + PLACEHOLDER.sub("x", rest))
        except Refusal as refusal:
            raise ConfigError(f"url: {refusal}") from refusal
        check_known(json.dumps(settings.get("json")), action)

    async def _send(
        self, destination: Destination, body: bytes | None, request: EffectRequest, sending: _Sending
    ) -> tuple[int, bytes]:
        settings = request.action.settings
        headers = {
            "user-agent": "AutoRemedy",
            **({"content-type": "application/json"} if body is not None else {}),
            **{name.lower(): value for name, value in settings.get("headers", {}).items()},
            "host": destination.host_header,
            "idempotency-key": request.key,
            "accept-encoding": "identity",  # the cap on the answer's size would not hold for a packed one
        }
        if is_rerun(request.action):
            headers["autoremedy-lineage"] = lineage_of(request.event)
            headers["autoremedy-attempt"] = str(next_attempt(request))
        secure = destination.url.scheme == "https"
        extensions: dict[str, Any] = {"trace": sending.trace}
        if secure:
            extensions["sni_hostname"] = destination.host
        async with httpx.AsyncClient(
            verify=self._tls_context(secure=secure),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(request.timeout_seconds, connect=min(CONNECT_SECONDS, request.timeout_seconds)),
        ) as client:
            for index, address in enumerate(destination.addresses):
                order = client.build_request(
                    _method(settings),
                    destination.pinned(address),
                    headers=headers,
                    content=body,
                    extensions=extensions,
                )
                try:
                    answer = await client.send(order, stream=True)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    if sending.begun or index + 1 == len(destination.addresses):
                        raise
                    continue
                try:
                    return answer.status_code, await _capped(answer)
                finally:
                    await answer.aclose()
        raise EffectorError("the name has no address", never_sent=True)

    def _tls_context(self, *, secure: bool) -> ssl.SSLContext:
        if not secure:
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used; loading certificates takes time
        if self._tls is None:
            self._tls = httpx.create_ssl_context(trust_env=False)
            self._tls.load_default_certs()  # the system's authorities too, such as a company's own
        return self._tls

    def _judge(self, status: int, answer: bytes, request: EffectRequest) -> EffectResult:
        said = one_line(self._redactor.text(answer.decode("utf-8", "replace")))
        words = f"HTTP {status}" + (f": {said}" if said else "")
        expected = request.action.settings.get("expect_status")
        good = status in expected if expected else 200 <= status < 300
        if good:
            return EffectResult.done(words)
        if 300 <= status < 400:
            return EffectResult.failed(f"HTTP {status}: redirects are not followed; write the final address as `url:`")
        return EffectResult.failed(words)


class _Sending:
    """Knows whether anything of the request can have reached the other side."""

    def __init__(self) -> None:
        self.begun = False

    async def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Take the client's report of what it is about to do."""
        if name.endswith("send_request_headers.started"):
            self.begun = True


async def _capped(answer: httpx.Response) -> bytes:
    """Read at most MAX_ANSWER_BYTES. The status is known by then, so an answer that breaks off is no harm."""
    data = b""
    try:
        async for chunk in answer.aiter_raw():
            data += chunk
            if len(data) >= MAX_ANSWER_BYTES:
                break
    except httpx.HTTPError:
        pass
    return data[:MAX_ANSWER_BYTES]


def _method(settings: Mapping[str, Any]) -> str:
    return str(settings.get("method", "POST"))


def _body(request: EffectRequest) -> bytes | None:
    body = request.action.settings.get("json")
    return None if body is None else json.dumps(fill_json(body, request), ensure_ascii=False).encode()


def _in_words(error: Exception, timeout_seconds: float) -> str:
    if isinstance(error, (TimeoutError, httpx.TimeoutException)):
        return f"nothing within {timeout_seconds:g} s"
    return one_line(str(error)) or type(error).__name__


def _check_shape(settings: Mapping[str, Any]) -> None:
    for key in settings:
        if key not in KEYS:
            raise ConfigError(f"{key}: the http effector does not know this key; it knows {', '.join(sorted(KEYS))}")
    if not isinstance(settings.get("url"), str):
        raise ConfigError("needs `url:`")
    if _method(settings) not in METHODS:
        raise ConfigError(f"method: write one of {', '.join(METHODS)}")
    headers = settings.get("headers", {})
    if not isinstance(headers, Mapping):
        raise ConfigError("headers: write `Name: value` lines")
    for name, value in headers.items():
        if not isinstance(value, str) or any(ord(c) < 32 or ord(c) > 126 for c in f"{name}{value}"):
            raise ConfigError(f"headers.{name}: write a text without line breaks or special characters")
        if name.lower() in OWN_HEADERS:
            raise ConfigError(f"headers.{name}: this one is set by AutoRemedy")
        if KNOWN.search(value):
            raise ConfigError(f"headers.{name}: placeholders may stand in url and json only")
