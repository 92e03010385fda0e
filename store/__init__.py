"""All state: queue, incidents, history and memory in Redis or Valkey."""
