"""Secrets that the settings themselves hold: they stand in commands and requests, and nobody is to read them there."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from urllib.parse import quote

from agentic.digest import Redactor
from settings.models import Settings

KIND = "setting"
SHORTEST = 6
"""A shorter value would blacken ordinary words of every log."""
SECTIONS = {"jobs", "actions", "probes", "notifications", "sensors", "reasoning", "effectors"}
"""Where values are looked for. Not `llm`: its key is sent by us alone, and is often a word such as `ollama`."""


def secret_patterns(settings: Settings) -> dict[str, str]:
    """Return what a redactor takes out besides the well-known kinds: the operator's patterns, and these secrets.

    A secret is what stands below a name such as `password` or `Authorization`, and what `${NAME}` took from the
    environment by such a name.
    """
    redactor = Redactor()
    found: set[str] = set()
    for path, name, value in settings.filled_in():
        if path and path[0] in SECTIONS:
            found.update(redactor.named({name: value}))
    written = settings.model_dump(mode="json", include=SECTIONS, by_alias=True)
    reruns = (job.get("rerun") or {} for job in written["jobs"])
    for call in (*written["actions"].values(), *written["probes"].values(), *reruns):
        call.pop("params", None)  # patterns, not values
    found.update(redactor.named(written))
    spelled = {spelling for secret in found for spelling in _spellings(secret) if len(spelling) >= SHORTEST}
    longest_first = sorted(spelled, key=lambda text: (-len(text), text))
    if not spelled:
        return settings.redaction.patterns
    kind = KIND if KIND not in settings.redaction.patterns else f"own_{KIND}"
    return {**settings.redaction.patterns, kind: "|".join(map(_literally, longest_first))}


def _spellings(secret: str) -> Iterator[str]:
    """Yield a secret as it is, as in a URL, in JSON and in a shell's words; of `Basic …` also the second half."""
    scheme, _, rest = secret.partition(" ")
    parts = (secret, rest) if scheme.lower() in ("basic", "bearer", "token", "apikey") else (secret,)
    for part in parts:
        yield part
        yield quote(part, safe="")
        yield json.dumps(part)[1:-1]
        yield json.dumps(part, ensure_ascii=False)[1:-1]
        yield shlex.quote(part).strip("'")


def _literally(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_\x80-\U0010ffff]", lambda found: f"\\x{{{ord(found[0]):x}}}", text)
