"""The HTTP service. Imports no effector and no reasoning: it can act on nothing."""
