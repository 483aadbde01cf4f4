"""Joins of two streams: what one event has to do with those of the other side."""
