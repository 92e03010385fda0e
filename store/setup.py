"""From `redis.url` to a store: the embedded server where the settings say so, else the server they name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from store import Limits, Store
from store.embedded import EmbeddedStore


def set_up_store(
    url: str, data_dir: Path, prefix: str, limits: Mapping[str, Any]
) -> tuple[Store, EmbeddedStore | None]:
    """Return a store that is not open yet, and the embedded server that has to be started before (or None)."""
    embedded = EmbeddedStore(data_dir) if url == "embedded" else None
    return Store(embedded.url if embedded else url, prefix=prefix, limits=Limits(**limits)), embedded
