"""What the status says, in words: which store it is, what of its settings can lose data, the pause, the model."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cli.terminal import clean


def server_in_words(store: Mapping[str, Any]) -> str:
    """Return the server's name and version."""
    return " ".join(clean(store[key]) for key in ("server", "version") if store.get(key)) or "server unknown"


def keeps_in_words(store: Mapping[str, Any]) -> str:
    """Say how what was written is kept."""
    if store.get("append_only") is None:
        return "nobody can tell what a crash loses"
    if not store["append_only"]:
        return "no append-only file: a crash loses events"
    fsync = store.get("fsync")
    if fsync is None:
        return "append-only file; it may not be asked how often it syncs"
    words = {"always": "every write synced", "everysec": "synced each second: a power cut loses one"}
    return words.get(str(fsync), f"synced when the system likes (appendfsync {clean(fsync)}): a power cut loses events")


def risks_of(store: Mapping[str, Any]) -> list[str]:
    """Return what this store could lose and which setting prevents it, a sentence each; empty when all is well."""
    found = [" ".join(clean(risk).split()) for risk in store.get("risks") or ()]
    policy = str(store.get("eviction", ""))
    if policy.startswith(("allkeys-", "volatile-")):
        found.append(f"maxmemory-policy is {clean(policy)}: keys are dropped when memory is full. Set it to noeviction")
    return found


def pause_in_words(paused: Mapping[str, Any]) -> str:
    """Say who paused the automatic actions, when and why."""
    since = f" since {_moment(paused['at'])}" if paused.get("at") else ""
    reason = " ".join(clean(paused.get("reason")).split()).rstrip(".")
    return f"by {clean(paused.get('by')) or 'somebody'}{since}" + (f": {reason}" if reason else "")


def model_in_words(model: Mapping[str, Any]) -> str:
    """Say whether the model answers, which it is, and what to do when it does not."""
    named = {
        key: " ".join(clean(model.get(key)).split()).rstrip(".") for key in ("model", "base_url", "detail", "advice")
    }
    head = clean(model.get("state")) or "unknown"
    head += f", {named['model']}" if named["model"] else ""
    head += f" at {named['base_url']}" if named["base_url"] else ""
    return ". ".join(part for part in (head, named["detail"], named["advice"]) if part)


def _moment(value: Any) -> str:
    try:
        return datetime.fromisoformat(str(value)).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return clean(value)
