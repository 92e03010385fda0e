"""The `autoremedy exec` wrapper: standard library only, so that it starts in milliseconds."""
