"""Channels that tell people; imports nothing else of the project."""
