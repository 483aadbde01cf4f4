"""Patterns: compile (a pattern as a small table), match (the kernel), operator (state and time around it)."""
