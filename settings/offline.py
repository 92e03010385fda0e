"""The parts that decide, built from the settings for commands that only look: nothing is connected to a store."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from agentic.assembly import Assembled
from agentic.planning import Planner
from agentic.rehearsal import Stage
from settings.fingerprints import made_by
from settings.models import Settings
from settings.parts import build_parts


@dataclass(frozen=True, slots=True)
class Offline:
    """What decides, and what it is made of."""

    stage: Stage
    parts: Assembled
    made_by: Mapping[str, str]

    def stage_of(self, names: Collection[str]) -> Stage:
        """Return a stage on which only these modules are asked."""
        core = self.stage.core
        chain = tuple((name, module) for name, module in core.chain if name in names)
        return Stage.of(jobs=core.jobs, planner=core.planner, chain=chain)

    async def close(self) -> None:
        """Close the connections to a model."""
        model: Any = self.parts.reasoning.get("llm")
        if model is not None:
            await model.close()


def offline(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    use_model: bool = False,
    instead: Mapping[str, Any] | None = None,
) -> Offline:
    """Build what decides; raises ConfigError.

    use_model: also where the settings switch it off. instead: what reasoning modules are handed in place of the
    usual things.
    """
    parts = build_parts(settings.with_model(True) if use_model else settings, environ, instead or {})
    stage = Stage.of(
        jobs=settings.job_for,
        planner=Planner(settings.declared_actions(), settings.all_playbooks()),
        chain=tuple(parts.reasoning.items()),
    )
    return Offline(stage, parts, made_by(settings, parts))
