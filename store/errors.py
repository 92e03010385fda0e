"""What the store raises: `StoreUnavailable` when it cannot be reached in time, `BadCursor` for a made-up cursor."""

from __future__ import annotations

from agentic.errors import AutoRemedyError


class StoreUnavailable(AutoRemedyError):
    """The store did not answer in time; nothing is known to have changed, and the same call may be repeated."""


class StoreMisconfigured(AutoRemedyError):
    """The store answers, but cannot be trusted with the queue; the message says which setting to change."""


class BadCursor(AutoRemedyError, ValueError):
    """A page cursor that this API did not give out."""
