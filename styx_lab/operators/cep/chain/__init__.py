"""Patterns that never fork: compile (a table), match (the kernel), operator (state and time around it)."""
