"""Probes: read-only checks that the operator declared, and that a model may ask for by number to decide."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from agentic.contracts import Effector, EffectRequest
from agentic.effecting import execute
from agentic.types import Action, Situation

PROBE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Probe:
    """A check that a model may ask for; it chooses which, and nothing else of it."""

    name: str
    description: str
    run: Callable[[Situation], Awaitable[str]]
    """Returns what the check says; untrusted, and not yet bounded."""
    jobs: tuple[str, ...] = ()
    """The jobs it may be used for; empty means every job."""
    timeout_seconds: float = PROBE_SECONDS

    def serves(self, job_id: str) -> bool:
        """Say whether the operator declared this check for that job."""
        return not self.jobs or job_id in self.jobs


def probes_of(declared: Sequence[Action], effectors: Mapping[str, Effector]) -> tuple[Probe, ...]:
    """Turn declared checks into what a reasoning module can run."""
    return tuple(
        Probe(
            name=action.name,
            description=action.description,
            run=partial(_look, action, effectors),
            jobs=action.jobs,
            timeout_seconds=action.timeout_seconds,
        )
        for action in declared
    )


async def _look(action: Action, effectors: Mapping[str, Effector], situation: Situation) -> str:
    """Run one check for an event; that it fails is a finding as good as any."""
    event = situation.event
    request = EffectRequest(
        action=action,
        event=event,
        job=situation.job,
        step=f"probe.{action.name}",
        key=f"{event.event_id}:probe:{action.name}",
    )
    result, _ = await execute(effectors[action.effector or ""], request)
    return f"{result.status}: {result.detail}"
