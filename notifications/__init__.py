"""Channels that tell people; imports nothing else of the project.

A channel is one file here, one line in CHANNELS, one test and one line in docs/extending.md.
"""

from __future__ import annotations

from notifications.base import Message, Notifier, NotifyError, Severity

__all__ = ["CHANNELS", "Message", "Notifier", "NotifyError", "Severity"]

CHANNELS = {
    "console": "notifications.console:Console",
    "webhook": "notifications.webhook:Webhook",
}
"""Name -> "module:Class", imported on first use."""
