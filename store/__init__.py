"""All state: queue, incidents, history and memory in Redis or Valkey."""

from store.base import Limits, Page
from store.errors import BadCursor, StoreMisconfigured, StoreUnavailable
from store.incidents import IncidentStore, StoredIncident
from store.memory import MemoryStore
from store.operations import OperationsStore
from store.queue import Claimed, Ending, Enqueued

__all__ = [
    "BadCursor",
    "Claimed",
    "Ending",
    "Enqueued",
    "Limits",
    "Page",
    "Store",
    "StoreMisconfigured",
    "StoreUnavailable",
    "StoredIncident",
]


class Store(IncidentStore, MemoryStore, OperationsStore):
    """Everything that is kept, behind one pair of connections."""
