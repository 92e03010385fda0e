"""Questions to a model: one per signature at a time, and its answer for all that come after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from agentic.contracts import Asked, Turn
from agentic.errors import Fenced
from store.base import StoreBase, dumps, loads


class QuestionStore(StoreBase):
    """Who asks what now, and what was answered."""

    async def ask(
        self, event_id: str, fence: str, signature: str, by: str, may: Literal["go", "wait", "look"], seconds: float
    ) -> Asked:
        """Return the kept answer to the question about a signature, or whose turn it is; raises Fenced."""
        turn, body, asker = await self._calls("ask", event_id, fence, signature, by, may, max(1, int(seconds * 1000)))
        if turn == b"fenced":
            raise Fenced(event_id)
        return Asked(Turn(turn.decode()), loads(body) if body else {}, asker.decode())

    async def answered(
        self,
        event_id: str,
        fence: str,
        signature: str,
        by: str,
        answer: Mapping[str, Any] | None,
        keep_seconds: float,
        counts: Mapping[str, float],
    ) -> bool:
        """End a question; False when it had become another's, whose answer will count."""
        counted = [part for name, amount in counts.items() for part in (name, amount)]
        body = dumps(answer) if answer is not None else b""
        said = await self._calls("answered", event_id, fence, signature, by, body, int(keep_seconds * 1000), *counted)
        return bool(said == b"ok")
