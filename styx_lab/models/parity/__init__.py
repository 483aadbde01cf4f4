"""Parity: whether a model answers outside Python as it did inside, tried row by row.

Law: importing this room loads no heavy library.
"""

from __future__ import annotations

from styx_lab.models.parity.check import PRECISION, REFERENCES, SINGLE_PRECISION, check_parity
from styx_lab.models.parity.compare import DifferingRow, PairReport
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
