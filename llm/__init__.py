"""Client for OpenAI-compatible model servers; imports nothing else of the project."""
