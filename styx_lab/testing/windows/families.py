"""The families of operators that cases can be of, by the operator's type. A new one has a row here."""

from __future__ import annotations

from typing import Final

from styx_lab.testing.windows.family import Family

__all__ = ["FAMILIES"]

FAMILIES: Final[dict[str, Family]] = {}
"""What makes the operator of a case, by its type."""
