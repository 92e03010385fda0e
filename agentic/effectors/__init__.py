"""Effectors: what carries out actions."""
