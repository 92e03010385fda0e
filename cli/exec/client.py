"""Posting events to the API with nothing but the standard library."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

_RETRY_LATER = frozenset({408, 425, 429})


class Unreachable(Exception):
    """The event did not arrive, and may later: the API is away, busy or broken. The message says how."""


class Refused(Exception):
    """The API will never take this event; the message is its reason."""


class Api:
    """One connection to the API, opened when it is needed and kept."""

    def __init__(self, url: str, timeout_seconds: float = 10.0) -> None:
        self.url = url
        self._timeout = timeout_seconds
        self._connection: http.client.HTTPConnection | None = None
        self._prefix = ""

    def send(self, body: bytes) -> None:
        """Post one event; raises Unreachable or Refused."""
        try:
            status, answer = self._post("/event", body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise Unreachable(str(error) or type(error).__name__) from error
        if 200 <= status < 300:
            return
        reason = f"{status} {answer.decode('utf-8', 'replace').strip()[:2000]}"
        if 400 <= status < 500 and status not in _RETRY_LATER:
            raise Refused(reason)
        raise Unreachable(f"it answered {reason[:200]}")

    def _post(self, path: str, body: bytes) -> tuple[int, bytes]:
        fresh = self._connection is None
        connection = self._connection = self._connection or self._connect()
        headers = {"Content-Type": "application/json", "User-Agent": "autoremedy-exec"}
        try:
            connection.request("POST", self._prefix + path, body, headers)
            response = connection.getresponse()
        except (ConnectionError, http.client.HTTPException):
            self.close()
            if fresh:
                raise
            return self._post(path, body)  # the kept connection was closed meanwhile; an event may come twice
        answer = response.read(1 << 16)
        if response.will_close or not response.isclosed():
            self.close()
        return response.status, answer

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{self.url!r} is not an http:// or https:// address")
        self._prefix = parts.path.rstrip("/")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname, parts.port, timeout=self._timeout)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
