"""Webhooks over real sockets: signed, repeated where it helps, and never sent elsewhere."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from notifications import Message, NotifyError
from notifications.webhook import Webhook, secret_key, sign

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
MESSAGE = Message(title="nightly: failed", body="/var is full", event_id="ev-1", fields={"host": "db1"}, id="ev-1:2")


@dataclass
class Receiver:
    """What arrived, and the statuses to answer with; the last one is repeated, None is silence."""

    port: int = 0
    answers: list[str | None] = field(default_factory=lambda: ["200 OK\r\n"])
    seen: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/token"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    state = Receiver()
    closing = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().strip().split("\r\n")[1:]
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                state.seen.append((headers, await reader.readexactly(int(headers["content-length"]))))
                answer = state.answers[min(len(state.seen), len(state.answers)) - 1]
                if answer is None:
                    await closing.wait()
                    return
                writer.write(f"HTTP/1.1 {answer}Content-Length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    state.port = listening.sockets[0].getsockname()[1]
    yield state
    closing.set()
    listening.close()
    await asyncio.sleep(0)


async def test_the_message_arrives_as_json_with_a_text_for_chat_systems(receiver):
    await Webhook(receiver.url, headers={"X-Team": "ops"}).send(MESSAGE)
    headers, body = receiver.seen[0]
    sent = json.loads(body)
    assert sent["text"] == "nightly: failed\n/var is full"
    assert sent["data"]["event_id"] == "ev-1"
    assert sent["data"]["fields"] == {"host": "db1"}
    assert headers["content-type"] == "application/json"
    assert headers["x-team"] == "ops"
    assert "webhook-signature" not in headers


async def test_a_receiver_can_check_who_sent_it_and_when(receiver):
    await Webhook(receiver.url, secret=SECRET).send(MESSAGE)
    headers, body = receiver.seen[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(bytes(range(32)), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == "ev-1:2"
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 60


async def test_two_secrets_give_two_signatures_while_one_is_replaced(receiver):
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    await Webhook(receiver.url, secret=[other, SECRET]).send(MESSAGE)
    assert len(receiver.seen[0][0]["webhook-signature"].split(" ")) == 2


def test_the_signature_depends_on_every_part():
    key = secret_key(SECRET)
    signatures = {
        sign(key, "a", "1", b"x"),
        sign(key, "b", "1", b"x"),
        sign(key, "a", "2", b"x"),
        sign(key, "a", "1", b"y"),
        sign(b"k" * 32, "a", "1", b"x"),
    }
    assert len(signatures) == 5


@pytest.mark.parametrize("status", ["500 Oops\r\n", "503 Busy\r\n", "429 Slow\r\n", "408 Late\r\n"])
async def test_a_passing_failure_is_tried_again_with_the_same_id(receiver, status):
    receiver.answers = [status, status, "200 OK\r\n"]
    await Webhook(receiver.url, retry_seconds=0.01).send(MESSAGE)
    assert len(receiver.seen) == 3
    assert {headers["webhook-id"] for headers, _ in receiver.seen} == {"ev-1:2"}


async def test_a_receiver_that_asks_for_time_gets_it(receiver):
    receiver.answers = ["429 Slow\r\nRetry-After: 1\r\n", "200 OK\r\n"]
    began = time.monotonic()
    await Webhook(receiver.url, retry_seconds=0.01).send(MESSAGE)
    assert 1 <= time.monotonic() - began < 5


async def test_attempts_come_to_an_end_and_the_failure_is_a_passing_one(receiver):
    receiver.answers = ["500 Oops\r\n"]
    with pytest.raises(NotifyError, match="HTTP 500, 3 attempts") as raised:
        await Webhook(receiver.url, attempts=3, retry_seconds=0.01).send(MESSAGE)
    assert not raised.value.permanent
    assert len(receiver.seen) == 3


@pytest.mark.parametrize("status", ["400 Bad\r\n", "401 No\r\n", "404 None\r\n", "410 Gone\r\n"])
async def test_a_refusal_is_permanent_and_not_tried_again(receiver, status):
    receiver.answers = [status]
    with pytest.raises(NotifyError) as raised:
        await Webhook(receiver.url, retry_seconds=0.01).send(MESSAGE)
    assert raised.value.permanent
    assert len(receiver.seen) == 1


async def test_redirects_are_not_followed_and_the_secret_path_is_not_told(receiver):
    receiver.answers = [f"307 There\r\nLocation: http://127.0.0.1:{receiver.port}/other\r\n", "200 OK\r\n"]
    with pytest.raises(NotifyError, match="redirects are not followed") as raised:
        await Webhook(receiver.url).send(MESSAGE)
    assert raised.value.permanent
    assert len(receiver.seen) == 1
    assert "token" not in str(raised.value)


async def test_a_receiver_that_is_away_or_silent_is_a_passing_failure(receiver):
    receiver.answers = [None]
    began = time.monotonic()
    with pytest.raises(NotifyError, match=r"no answer within 0\.2 s, 2 attempts") as raised:
        await Webhook(receiver.url, timeout_seconds=0.2, attempts=2, retry_seconds=0.01).send(MESSAGE)
    assert not raised.value.permanent
    assert time.monotonic() - began < 3
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        with pytest.raises(NotifyError, match=r"no connection \(ConnectError\)"):
            await Webhook(url, attempts=2, retry_seconds=0.01).send(MESSAGE)


async def test_proxies_of_the_environment_are_not_used(receiver, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    await Webhook(receiver.url).send(MESSAGE)
    assert len(receiver.seen) == 1


@pytest.mark.parametrize("url", ["ftp://x/", "x", "http://", "http://user:pw@x/"])
def test_an_address_that_cannot_work_is_refused_at_once(url):
    with pytest.raises(ValueError, match="url: write"):
        Webhook(url)


@pytest.mark.parametrize("secret", ["", "hunter2", "whsec_", "whsec_AAAA", "whsec_%%%%", SECRET.removeprefix("whsec_")])
def test_a_weak_or_misspelled_secret_is_refused_with_how_to_make_one(secret):
    with pytest.raises(ValueError, match="secret: write whsec_"):
        secret_key(secret)
