"""Reasoning modules: precedent, rules and the local model."""
