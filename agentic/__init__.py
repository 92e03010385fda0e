"""The core: from a report to its record. Knows neither HTTP servers nor Redis."""
