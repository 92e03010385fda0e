"""One-process mode."""
