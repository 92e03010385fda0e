"""The outermost layer of every request: id, headers, metrics, foreign sites kept out, nothing leaks."""

from __future__ import annotations

import ipaddress
import platform
import re
import secrets
import time
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import HttpMetrics
from api.problems import ApiProblem, problem_response

log = structlog.get_logger()

REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
SECURITY_HEADERS: list[tuple[bytes, bytes]] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]
DEFAULT_HEADERS: dict[bytes, bytes] = {
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
}
"""Sent unless the response says otherwise."""
READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Edge:
    """ASGI middleware around the whole app (a plain class: a wrapper of response streams would cost more)."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics, hosts: frozenset[str]) -> None:
        self.app = app
        self.metrics = metrics
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, _plain_words(scope, send))
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        method = scope["method"]
        headers = dict(scope["headers"])
        request_id = headers.get(b"x-request-id", b"")
        if not REQUEST_ID.fullmatch(request_id):
            request_id = secrets.token_hex(8).encode()
        scope["request_id"] = request_id.decode()
        head = method == "HEAD"
        if head:  # every GET answers HEAD as well; monitors ask that way
            scope = {**scope, "method": "GET"}  # a copy: the server looks at its own to leave the body out
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = message.setdefault("headers", [])
                names = {name for name, _ in own}
                message["headers"] = [
                    *own,
                    *SECURITY_HEADERS,
                    *(item for item in DEFAULT_HEADERS.items() if item[0] not in names),
                    (b"x-request-id", request_id),
                ]
            elif head:
                message = {**message, "body": b""}
            await send(message)

        try:
            host = headers.get(b"host", b"").decode("latin-1")
            if not self._is_ours(host):
                await problem_response(scope, _not_our_name(host))(scope, receive, answer)
            elif method not in READING and _is_foreign(headers):
                problem = ApiProblem("cross-site", "A page of another site may not change anything here.")
                await problem_response(scope, problem)(scope, receive, answer)
            else:
                await self.app(scope, receive, answer)
        except ClientDisconnect:
            status = status or 499
        except Exception:
            log.exception("request.failed", request_id=scope["request_id"], method=method, path=scope["path"])
            if status:
                raise  # half an answer is out; the server has to cut the connection
            problem = ApiProblem("internal", "Something went wrong here; the log has it under this request id.")
            await problem_response(scope, problem)(scope, receive, answer)
        finally:
            self.metrics.observe(method, scope, status or 500, time.perf_counter() - began)

    def _is_ours(self, host: str) -> bool:
        """Say whether a request is addressed to us; browsers always say to whom, so silence is a program's."""
        name = _name_of(host)
        return not host or name in self.hosts or _is_address(name)


def known_hosts(public_url: str | None, allowed: Iterable[str]) -> frozenset[str]:
    """Return the names under which the service may be called: this machine's, the public one, the operator's.

    A page of any site can have its own name point to our address (DNS rebinding); the browser then takes us for
    that site, and only the name it sends tells.
    """
    machine = platform.node().lower()
    public = urlsplit(public_url).hostname if public_url else None
    names = {"localhost", machine, machine.partition(".")[0], public or "", *(name.lower() for name in allowed)}
    return frozenset(name.rstrip(".") for name in names if name)


def _name_of(host: str) -> str:
    """Return the name in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".").lower()


@lru_cache(maxsize=1024)
def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _not_our_name(host: str) -> ApiProblem:
    name = _name_of(host)[:100]
    return ApiProblem(
        "unknown-host",
        f"This service is not known as {name!r}. If it should be, add that name to api.allowed_hosts; an IP address, "
        "localhost, this machine's name and the host of api.public_url always do.",
    )


def _plain_words(scope: Scope, send: Send) -> Send:
    """Say why the start failed in the sentence that was meant for people, where there is one."""

    async def tell(message: Message) -> None:
        reason = getattr(scope["app"].state, "cannot_start", None)
        if reason is not None and message["type"] == "lifespan.startup.failed":
            message = {**message, "message": reason}
        await send(message)

    return tell


def _is_foreign(headers: dict[bytes, bytes]) -> bool:
    """Tell a browser's request made by another site's page; programs send neither of these headers."""
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site not in (b"same-origin", b"none")
    origin = headers.get(b"origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin.decode("latin-1")).netloc != headers.get(b"host", b"").decode("latin-1")
    except ValueError:
        return True
