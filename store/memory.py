"""Memory: earlier incidents by signature, and what people taught about them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from agentic.contracts import Memory
from agentic.types import Event, Feedback, LogDigest, Precedent
from store.base import StoreBase, loads


class MemoryStore(StoreBase, Memory):
    """Recalls precedents from the store; `finish` and `add_feedback` put them there."""

    async def recall(self, event: Event, digest: LogDigest) -> Sequence[Precedent]:
        """Return earlier incidents with the same signature, newest first, each with its lessons."""
        return await self.precedents(digest.signature, event.job_id) if digest.signature else ()

    async def precedents(self, signature: str, job_id: str) -> Sequence[Precedent]:
        """Return incidents with a signature as the event of a job would recall them.

        A lesson outlives the incident it was taught on, which is then recalled by the lesson alone.
        """
        remembered, taught = await self._calls("recall", signature)
        precedents = _precedents(tuple(remembered))
        if not taught:
            return precedents
        lessons: dict[str, list[Feedback]] = {}
        for raw in taught:
            lesson = Feedback.model_validate(loads(raw))
            lessons.setdefault(lesson.event_id, []).append(lesson)
        found = [
            p.model_copy(update={"feedback": tuple(lessons.pop(p.event_id))}) if p.event_id in lessons else p
            for p in precedents
        ]
        for event_id, notes in lessons.items():
            category = next((note.correct_category for note in notes if note.correct_category), None)
            if category is not None:
                found.append(
                    Precedent(
                        event_id=event_id, job_id=job_id, category=category, status="unknown",
                        feedback=tuple(notes), at=notes[0].at,
                    )
                )  # fmt: skip
        return tuple(found)


@lru_cache(maxsize=64)
def _precedents(remembered: tuple[bytes, ...]) -> tuple[Precedent, ...]:
    """Read what is remembered of one signature; failures of one kind that come together share it."""
    return tuple({precedent.event_id: precedent for precedent in map(_precedent, remembered)}.values())


@lru_cache(maxsize=4096)
def _precedent(raw: bytes) -> Precedent:
    """Read what is remembered; in a storm of one failure the same entries come with every event."""
    return Precedent.model_validate_json(raw)
