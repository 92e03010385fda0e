"""What a decision depends on beside its event, in short hashes: on each record, so that a replay can say what changed.

Nothing secret goes in: of actions and jobs only what decides is counted, not how they are carried out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import agentic
from agentic.assembly import Assembled
from agentic.types import Action
from settings.models import Settings

LENGTH = 8
_CODE = Path(agentic.__file__).parent
_READS_LOGS = ("reasoning/*.py", "reasoning/knowledge/*.yaml", "digest/*.py")


def made_by(settings: Settings, parts: Assembled) -> dict[str, str]:
    """Return the fingerprints of the version, the rules, the prompts and the settings in force."""
    prompts = getattr(parts.reasoning.get("llm"), "prompts_version", "")
    return {
        "version": agentic.__version__,
        "rules": _of_files(_rule_files(settings)),
        **({"prompts": str(prompts)} if prompts else {}),
        "settings": _of(_what_decides(settings)),
    }


def _rule_files(settings: Settings) -> Iterable[Path]:
    """Yield the signatures, tables and code that read logs, the operator's own signatures last."""
    for pattern in _READS_LOGS:
        yield from sorted(_CODE.glob(pattern))
    for folder in settings.knowledge:
        yield from sorted((settings.base_dir() / folder).glob("*.yaml"))


def _of_files(files: Iterable[Path]) -> str:
    seen = hashlib.sha256()
    for file in files:
        text = file.read_bytes()
        seen.update(f"{file.name}\0{len(text)}\0".encode() + text)
    return seen.hexdigest()[:LENGTH]


def _of(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:LENGTH]


def _what_decides(settings: Settings) -> Mapping[str, Any]:
    llm = settings.llm
    return {
        "actions": [_action(action) for _, action in sorted(settings.declared_actions().items())],
        "probes": [_action(probe) for _, probe in sorted(settings.declared_probes().items())],
        "playbooks": {category.value: names for category, names in settings.all_playbooks().items()},
        "jobs": [
            {
                "id": job.id,
                "mode": job.mode.value,
                "safe_to_rerun": job.safe_to_rerun,
                "rerun": job.rerun is not None,
                "verify": job.verify is not None,
                "playbooks": {category.value: names for category, names in job.playbooks.items()},
            }
            for job in settings.jobs
        ],
        "policy": settings.policy.model_dump(mode="json"),
        "reasoning": [part.use for part in settings.reasoning],
        "llm": [llm.enabled, llm.model, llm.context_tokens, llm.max_output_tokens],
    }


def _action(action: Action) -> Mapping[str, Any]:
    fields = {"name", "kind", "description", "effector", "jobs", "risk", "idempotent", "undo"}
    return action.model_dump(mode="json", include=fields)
