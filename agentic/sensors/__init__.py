"""Sensors that ship with AutoRemedy."""
