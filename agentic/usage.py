"""What calls of a model add to the totals, in the buckets of the GenAI semantic conventions."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping

from agentic.types import ModelCall

SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
"""Buckets of `gen_ai.client.operation.duration`."""
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
"""Buckets of `gen_ai.client.token.usage`."""
_NOT_A_NAME = re.compile(r"[^\w.:/@+-]+")


def counted(calls: Iterable[ModelCall]) -> Mapping[str, float]:
    """Return the fields of the store's totals that these calls add to, with how much.

    A field is `metric|model|error or token type|bucket`, where the bucket is a position, or `sum`.
    """
    totals: defaultdict[str, float] = defaultdict(float)
    for call in calls:
        model = _NOT_A_NAME.sub("_", call.model)[:80]
        _observe(totals, f"gen_ai_seconds|{model}|{call.error or ''}", call.duration_seconds, SECONDS)
        for kind, tokens in (("input", call.prompt_tokens), ("output", call.completion_tokens)):
            if tokens:
                _observe(totals, f"gen_ai_tokens|{model}|{kind}", tokens, TOKENS)
    return totals


def _observe(totals: defaultdict[str, float], field: str, value: float, buckets: tuple[float, ...]) -> None:
    totals[f"{field}|{bisect_left(buckets, value)}"] += 1
    totals[f"{field}|sum"] += value
