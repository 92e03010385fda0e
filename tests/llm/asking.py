"""A small question, its good answer, and how to ask it."""

from __future__ import annotations

from typing import Any

import pytest

from llm import ChatClient, LlmError

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "why": {"type": "string", "maxLength": 40},
        "choice": {"type": "integer", "minimum": 1, "maximum": 3},
    },
    "required": ["why", "choice"],
    "additionalProperties": False,
}
ASKED = [{"role": "system", "content": "Choose."}, {"role": "user", "content": "What now?"}]
HASTY = {"deadline_seconds": 2.0, "first_token_seconds": 0.3, "idle_seconds": 0.2}
"""Deadlines of a test that waits for one of them to pass."""
GOOD = '{"why": "because", "choice": 2}'
OBJECT = {"why": "because", "choice": 2}


async def ask(client: ChatClient, **options: Any) -> Any:
    return await client.complete(ASKED, SCHEMA, **options)


async def error_of(client: ChatClient, **options: Any) -> LlmError:
    with pytest.raises(LlmError) as caught:
        await ask(client, **options)
    return caught.value
