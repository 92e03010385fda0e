"""The core: from a report to its record. Knows neither HTTP servers nor Redis."""

__version__ = "0.1.0"
