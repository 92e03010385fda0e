"""Posting events to the API with nothing but the standard library."""

from __future__ import annotations

import contextlib
import json
import socket
from urllib.parse import SplitResult, urlsplit

_RETRY_LATER = frozenset({408, 425, 429})
_MOST_ANSWER = 64 * 1024
_MOST_SHOWN = 200
_HEADERS = {"Content-Type": "application/json", "User-Agent": "autoremedy-exec", "Connection": "close"}


class Unreachable(Exception):
    """The event did not arrive, and may later: the API is away, busy or broken. The message says how."""


class Refused(Exception):
    """The API will never take this event; the message is its reason in one line, `answer` all that it said."""

    def __init__(self, reason: str, answer: str = "") -> None:
        super().__init__(reason)
        self.answer = answer or reason


class Api:
    """The API at one address."""

    def __init__(self, url: str, timeout_seconds: float = 10.0) -> None:
        self.url = url
        self._timeout = timeout_seconds

    def send(self, body: bytes) -> None:
        """Post one event; raises Unreachable or Refused."""
        try:
            parts = urlsplit(self.url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"{self.url!r} is not an http:// or https:// address")
            post = _post_secure if parts.scheme == "https" else _post_plain
            status, answer = post(parts, parts.path.rstrip("/") + "/event", body, self._timeout)
        except (OSError, ValueError) as error:
            raise Unreachable(str(error) or type(error).__name__) from error
        if 200 <= status < 300:
            return
        said = answer.decode("utf-8", "replace").strip()[:2000]
        reason = f"{status} {_in_short(said)}".strip()
        if 400 <= status < 500 and status not in _RETRY_LATER:
            raise Refused(reason, f"{status} {said}")
        raise Unreachable(f"it answered {reason}")


def _in_short(answer: str) -> str:
    """Return the detail of a problem document, else the beginning of what was said, in one line."""
    try:
        problem = json.loads(answer)
        said = str(problem.get("detail") or problem.get("title") or "")
    except (ValueError, AttributeError, RecursionError):
        said = answer
    said = " ".join(said.split())
    return said if len(said) <= _MOST_SHOWN else said[:_MOST_SHOWN].rsplit(" ", 1)[0] + " …"


def _post_plain(parts: SplitResult, path: str, body: bytes, timeout: float) -> tuple[int, bytes]:
    """Post over HTTP/1.0, where an answer ends with the connection; http.client would cost 20 ms of every run."""
    head = [f"POST {path} HTTP/1.0", f"Host: {parts.netloc.rpartition('@')[2]}", f"Content-Length: {len(body)}"]
    head += [f"{name}: {value}" for name, value in _HEADERS.items()]
    request = "\r\n".join([*head, "", ""]).encode("ascii", "strict") + body
    answer = b""
    with socket.create_connection((parts.hostname, parts.port or 80), timeout) as connection:
        # It may refuse before it has read everything; then its answer says why.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        while len(answer) < _MOST_ANSWER and not _is_whole(answer) and (piece := connection.recv(_MOST_ANSWER)):
            answer += piece
    start, _, rest = answer.partition(b"\r\n\r\n")
    version, _, status = start.partition(b"\r\n")[0].partition(b" ")
    if not version.startswith(b"HTTP/") or not status[:3].isdigit():
        raise ValueError("it does not answer in HTTP")
    return int(status[:3]), rest


def _is_whole(answer: bytes) -> bool:
    """Say whether all that was announced is there; a server may keep the connection open against our wish."""
    head, found, body = answer.partition(b"\r\n\r\n")
    length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0].strip()
    return bool(found) and length.isdigit() and len(body) >= int(length)


def _post_secure(parts: SplitResult, path: str, body: bytes, timeout: float) -> tuple[int, bytes]:
    import http.client

    assert parts.hostname
    connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request("POST", path, body, _HEADERS)
        response = connection.getresponse()
        return response.status, response.read(_MOST_ANSWER)
    except http.client.HTTPException as error:
        raise ValueError(f"it does not answer in HTTP ({type(error).__name__})") from error
    finally:
        connection.close()
