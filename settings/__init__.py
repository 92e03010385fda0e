"""The typed mirror of `config.yaml`, where each value was written, and what is refused."""
