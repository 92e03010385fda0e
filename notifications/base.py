"""What a channel is and what it carries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """How much a message wants to be noticed."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell, the same for every channel."""

    title: str
    body: str
    severity: Severity = Severity.INFO
    event_id: str = ""
    job_id: str = ""
    category: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    """Words -> address."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Short facts: name -> value, in the order to show them."""
    id: str = ""
    """The same each time the same message is sent, so that a receiver can drop the repetition."""


class NotifyError(Exception):
    """A message could not be delivered; `permanent` means do not try again."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


class Notifier(ABC):
    """A channel to people."""

    @abstractmethod
    def send(self, message: Message) -> Awaitable[None] | None:
        """Deliver the message; raise NotifyError when it could not be."""
