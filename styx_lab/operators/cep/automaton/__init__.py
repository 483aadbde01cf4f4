"""Patterns as automata: states (what they are), build (from parts), spots (a part in its place)."""
