"""The `styx` command: thin. Each command turns its options into one workbench action and prints the answer."""

from __future__ import annotations

__all__: list[str] = []
