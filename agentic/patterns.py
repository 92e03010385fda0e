"""How RE2 is asked for: what is wrong with a pattern is raised, not also written to stderr."""

from __future__ import annotations

import re2


def options(max_mem: int | None = None) -> re2.Options:
    """Return fresh options; max_mem bounds the bytes of a pattern and its cache (RE2's own default is 8 MB)."""
    chosen = re2.Options()
    chosen.log_errors = False
    if max_mem is not None:
        chosen.max_mem = max_mem
    return chosen
