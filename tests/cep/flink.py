"""The recorded cases of patterns with Flink's answers."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

__all__ = ["load"]

CASES = Path(__file__).parent / "cases"


def load(*families: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The cases of some files, and the answers, by name."""
    found: list[dict[str, Any]] = []
    for kind in ("cases", "results"):
        read: dict[str, Any] = {}
        for family in families:
            with gzip.open(CASES / f"{family}.{kind}.jsonl.gz", "rt", encoding="utf-8") as lines:
                read |= {value["id"]: value for value in map(json.loads, lines)}
        found.append(read)
    return found[0], found[1]
