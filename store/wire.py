"""Commands on the wire, a batch at a time.

The client's connections are used as they are (logins, Sentinels, timeouts); its packing and the layers above cost
more than the rest of a batch together, so they are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.asyncio import ConnectionPool
from redis.exceptions import ResponseError

Command = Sequence[str | bytes | float]


async def exchange(pool: ConnectionPool, commands: Sequence[Command]) -> list[Any]:
    """Send commands in one go and return their answers in order; a refusal is an answer too.

    Raises whatever keeps the answers from coming; the connection is then closed, and nobody knows what was done.
    """
    connection = await pool.get_connection()  # type: ignore[no-untyped-call]
    try:
        await connection.send_packed_command(packed(commands))
        answers: list[Any] = []
        for _ in commands:
            try:
                answers.append(await connection.read_response())
            except ResponseError as refusal:
                answers.append(refusal)
        return answers
    finally:
        await pool.release(connection)


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
