"""Measuring rules and models on labelled failures."""
