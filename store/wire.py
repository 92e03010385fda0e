"""Commands on the wire, a batch at a time.

The client's connections are used as they are (logins, Sentinels, timeouts); its packing and the layers above cost
more than the rest of a batch together, so they are left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio import ConnectionPool
from redis.exceptions import ResponseError

from store.connect import SOCKET_TIMEOUT_SECONDS

Command = Sequence[str | bytes | float]
CONNECT_SECONDS = 3 * SOCKET_TIMEOUT_SECONDS
"""How long it may take to get a connection, by way of Sentinels at worst."""


async def exchange(pool: ConnectionPool, commands: Sequence[Command]) -> list[Any]:
    """Send commands in one go and return their answers in order; a refusal is an answer too.

    The pool's connections keep no time of their own: the client would pay for it with a task for what it sends, and a
    timer for each answer. Here one timer watches over all of it: no answer may take longer than the socket's time.
    Raises whatever keeps the answers from coming; the connection is then closed, and nobody knows what was done.
    """
    time = asyncio.get_running_loop().time
    async with asyncio.timeout(CONNECT_SECONDS) as patience:
        connection = await pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            since = time()
            patience.reschedule(since + SOCKET_TIMEOUT_SECONDS)
            await connection.send_packed_command(packed(commands))
            answers: list[Any] = []
            for _ in commands:
                try:
                    answers.append(await connection.read_response())
                except ResponseError as refusal:
                    answers.append(refusal)
                if time() - since > SOCKET_TIMEOUT_SECONDS / 10:
                    since = time()
                    patience.reschedule(since + SOCKET_TIMEOUT_SECONDS)
        finally:
            await pool.release(connection)
    return answers


def packed(commands: Sequence[Command]) -> bytes:
    """Write commands as the server reads them."""
    parts: list[bytes] = []
    add = parts.append
    for command in commands:
        add(b"*%d\r\n" % len(command))
        for argument in command:
            raw = argument if type(argument) is bytes else str(argument).encode()
            add(b"$%d\r\n" % len(raw))
            add(raw)
            add(b"\r\n")
    return b"".join(parts)
