"""The log digest: what is worth reading in a log, without its secrets."""
