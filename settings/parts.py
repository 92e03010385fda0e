"""From settings to built parts, each mistake with the place where it was written.

Not for the API: it can build nothing that acts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentic.assembly import Assembled, Order, Part, SettingsPath, assemble, named
from agentic.errors import ConfigError
from agentic.planning import BUILT_IN
from agentic.types import Action
from agentic.verification import check_as_action
from settings.models import PartSettings, Settings
from settings.secrets import secret_patterns


def build_parts(
    settings: Settings, environ: Mapping[str, str], to_reasoning: Mapping[str, Any] | None = None
) -> Assembled:
    """Build every part that the settings name, connecting nowhere; raises ConfigError with a line a mistake.

    `to_reasoning` is handed to reasoning modules over what they get otherwise.
    """
    try:
        return assemble(_order(settings, to_reasoning or {}), environ)
    except ConfigError as error:
        if not error.faults:
            raise
        lines = [settings.located(path, message) for path, message in error.faults]
        raise ConfigError("\n".join(lines), error.faults) from error


def calls_of(settings: Settings) -> Iterator[tuple[SettingsPath, Action]]:
    """Yield everything an effector may be asked to do, with its path in the settings."""
    yield from (((), action) for action in BUILT_IN.values())
    for name, action in settings.declared_actions().items():
        yield ("actions", name), action
        if action.verify is not None:
            yield ("actions", name, "verify"), check_as_action(action.verify)
        if action.probe is not None:
            yield ("actions", name, "probe"), check_as_action(action.probe)
    yield from ((("probes", name), action) for name, action in settings.declared_probes().items())
    for index, entry in enumerate(settings.jobs):
        job = entry.to_job()
        if job.rerun is not None:
            yield ("jobs", index, "rerun"), job.rerun
            if job.rerun.probe is not None:
                yield ("jobs", index, "rerun", "probe"), check_as_action(job.rerun.probe)
        if job.verify is not None:
            yield ("jobs", index, "verify"), check_as_action(job.verify)


def _order(settings: Settings, to_reasoning: Mapping[str, Any]) -> Order:
    base, llm = settings.base_dir(), settings.llm
    chain = _named("reasoning", settings.reasoning)
    return Order(
        base_dir=base,
        redaction=secret_patterns(settings),
        redaction_key=settings.redaction.mark_key(),
        notifiers=_named("notifications", settings.notifications),
        effectors={name: _part(part, ("effectors", name)) for name, part in settings.effectors.items()},
        reasoning={name: part for name, part in chain.items() if part.use != "llm" or llm.enabled is not False},
        sensors=_named("sensors", settings.sensors),
        knowledge=[base / folder for folder in settings.knowledge],
        calls=list(calls_of(settings)),
        probes=tuple(settings.declared_probes().values()),
        given={"allowed_hosts": settings.http.allowed_hosts, "link_base": settings.api.public_url},
        given_to_reasoning={**llm.model_dump(), **to_reasoning},
    )


def _named(section: str, parts: list[PartSettings]) -> dict[str, Part]:
    return named([_part(part, (section, index)) for index, part in enumerate(parts)])


def _part(part: PartSettings, path: SettingsPath) -> Part:
    return Part(part.use, part.options(), path)
