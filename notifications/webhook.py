"""Posts messages as JSON, signed as Standard Webhooks describes when a secret is given."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import random
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import httpx

from notifications.base import Message, Notifier, NotifyError

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
MAX_WAIT_SECONDS = 30.0


class Webhook(Notifier):
    """Sends each message as one POST; repeats it when the other side is away for a while.

    A secret begins with `whsec_`; while changing it, give both, the new one first.
    """

    def __init__(
        self,
        url: str,
        secret: str | Sequence[str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 10.0,
        attempts: int = 4,
        retry_seconds: float = 0.5,
    ) -> None:
        parsed = httpx.URL(url)
        if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo:
            raise ValueError("url: write http:// or https:// with a host and no password")
        if attempts < 1 or timeout_seconds <= 0 or retry_seconds < 0:
            raise ValueError("attempts must be at least 1, timeout_seconds more than 0, retry_seconds not negative")
        secrets = [secret] if isinstance(secret, str) else list(secret or ())
        self._keys = [secret_key(each) for each in secrets]
        self._url = url
        self._shown = f"{parsed.scheme}://{parsed.netloc.decode('ascii')}"  # the path may hold a token
        self._headers = dict(headers or {})
        self._timeout_seconds = timeout_seconds
        self._attempts = attempts
        self._retry_seconds = retry_seconds

    async def send(self, message: Message) -> None:
        """Post the message; raise NotifyError when it was refused or the attempts are used up."""
        message_id = message.id or f"msg_{uuid.uuid4().hex}"
        body = payload(message)
        async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=self._timeout_seconds) as client:
            for attempt in range(1, self._attempts + 1):
                failure, wait_seconds = await self._post(client, message_id, body)
                if failure is None:
                    return
                if attempt == self._attempts:
                    raise NotifyError(f"{self._shown}: {failure}, {attempt} attempts", permanent=False)
                # Full jitter: many workers that were refused together must not come back together.
                backoff = self._retry_seconds * 2 ** (attempt - 1)
                jitter = random.uniform(0, min(backoff, MAX_WAIT_SECONDS))  # noqa: S311 - no secret is made of it
                await asyncio.sleep(max(jitter, min(wait_seconds, MAX_WAIT_SECONDS)))

    async def _post(self, client: httpx.AsyncClient, message_id: str, body: bytes) -> tuple[str | None, float]:
        """Try once: None, or what went wrong and how long the other side asks to be left alone."""
        stamp = str(int(time.time()))
        headers = {
            **self._headers,
            "content-type": "application/json",
            "user-agent": "AutoRemedy",
            "webhook-id": message_id,
            "webhook-timestamp": stamp,
        }
        if self._keys:
            headers["webhook-signature"] = " ".join(sign(key, message_id, stamp, body) for key in self._keys)
        try:
            async with (
                asyncio.timeout(self._timeout_seconds),
                client.stream("POST", self._url, content=body, headers=headers) as answer,
            ):
                status, asked = answer.status_code, answer.headers.get("retry-after", "")
        except TimeoutError:
            return f"no answer within {self._timeout_seconds:g} s", 0.0
        except (httpx.HTTPError, OSError) as error:
            return f"no connection ({type(error).__name__})", 0.0
        if 200 <= status < 300:
            return None, 0.0
        if status in PASSING or status >= 500:
            return f"HTTP {status}", float(asked) if asked.isdigit() else 0.0
        why = "; redirects are not followed" if 300 <= status < 400 else ""
        raise NotifyError(f"{self._shown}: HTTP {status}{why}", permanent=True)


def payload(message: Message) -> bytes:
    """Return the body: the message under `data`, and as `text` for chat systems that read only that."""
    return json.dumps(
        {
            "type": "autoremedy.notification",
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "text": f"{message.title}\n{message.body}".strip(),
            "data": {
                "title": message.title,
                "body": message.body,
                "severity": message.severity.value,
                "event_id": message.event_id,
                "job_id": message.job_id,
                "category": message.category,
                "links": dict(message.links),
                "fields": dict(message.fields),
            },
        }
    ).encode()


def secret_key(secret: str) -> bytes:
    """Return the key of a `whsec_` secret; raise ValueError saying how to make one."""
    how = "secret: write whsec_ followed by base64 of at least 24 random bytes (`openssl rand -base64 32`)"
    if not secret.startswith("whsec_"):
        raise ValueError(how)
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(how) from None
    if len(key) < 24:
        raise ValueError(how)
    return key


def sign(key: bytes, message_id: str, stamp: str, body: bytes) -> str:
    """Return one entry of the signature header."""
    digest = hmac.new(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
