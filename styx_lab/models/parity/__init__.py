"""Parity: whether a model answers outside Python as it did inside, tried row by row.

Law: importing this room loads no heavy library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from styx_lab.models.parity.check import REFERENCES, check_parity
    from styx_lab.models.parity.compare import DifferingRow, PairReport
    from styx_lab.models.parity.precision import PRECISION, SINGLE_PRECISION
    from styx_lab.models.parity.report import ParityReport

__all__ = [
    "PRECISION",
    "REFERENCES",
    "SINGLE_PRECISION",
    "DifferingRow",
    "PairReport",
    "ParityReport",
    "check_parity",
]

_PLACES: Final = {
    "PRECISION": "precision",
    "REFERENCES": "check",
    "SINGLE_PRECISION": "precision",
    "DifferingRow": "compare",
    "PairReport": "compare",
    "ParityReport": "report",
    "check_parity": "check",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: export needs the precision before a parity check is asked for.
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
