"""Targets: what becomes of a predicted value before it is told.

Law: a missing prediction takes the default; a number is limited, rescaled and rounded, in this order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from styx_lab.models.native.column import Column, Rows, pick
from styx_lab.models.native.place import children, choice, number, optional_number, required
from styx_lab.models.native.values import cast

__all__ = ["Target", "read_targets"]


@dataclass(frozen=True, slots=True)
class Target:
    """One Target element."""

    low: float = -math.inf
    high: float = math.inf
    factor: float = 1.0
    constant: float = 0.0
    rounding: str | None = None
    default: float | None = None
    priors: tuple[tuple[str, float], ...] = ()
    shown: tuple[tuple[str, str], ...] = ()

    def finish(self, column: Column, rows: Rows, *, single: bool = False) -> Column:
        """The told value of a predicted number; `single` for 32-bit arithmetic."""
        if column.type not in ("integer", "float", "double"):
            column = cast(column, "double", rows)
        if column.missing is not None and self.default is not None:
            filled = Column("double", np.array([self.default]))
            column = pick(column.missing, filled, cast(column, "double", rows))
        values: Any = column.values
        kind: Any = np.float32 if single else np.float64
        values = values.astype(kind, copy=False)
        if self.low > -math.inf:
            values = np.maximum(values, kind(self.low))
        if self.high < math.inf:
            values = np.minimum(values, kind(self.high))
        if self.factor != 1.0:
            values = values * kind(self.factor)
        if self.constant != 0.0:
            values = values + kind(self.constant)
        data_type = "float" if single else "double"
        if self.rounding is None:
            return Column(data_type, values, column.missing, column.errors)
        if self.rounding == "round":  # into 64 bits, as in Java
            whole = np.clip(np.floor(values + 0.5), -(2.0**63), 2.0**63)
        else:
            whole = np.ceil(values) if self.rounding == "ceiling" else np.floor(values)
        return Column(data_type, whole, column.missing, column.errors)


def read_targets(model: Element) -> dict[str, Target]:
    """The Targets of a model by field."""
    targets = {}
    for block in children(model, "Targets"):
        for node in children(block, "Target"):
            values = list(children(node, "TargetValue"))
            low, high = optional_number(node, "min"), optional_number(node, "max")
            defaults = [each for each in values if each.get("defaultValue") is not None]
            targets[node.get("field", "")] = Target(
                -math.inf if low is None else low,
                math.inf if high is None else high,
                number(node, "rescaleFactor", 1.0),
                number(node, "rescaleConstant", 0.0),
                choice(node, "castInteger", ("round", "ceiling", "floor")) if node.get("castInteger") else None,
                number(defaults[0], "defaultValue") if defaults else None,
                tuple(
                    (required(each, "value"), number(each, "priorProbability"))
                    for each in values
                    if each.get("priorProbability") is not None
                ),
                tuple(
                    (each.get("value", ""), each.get("displayValue", ""))
                    for each in values
                    if each.get("displayValue") is not None
                ),
            )
    return targets
