"""Expressions: SQL text or Polars expressions, checked to be row-wise, stored as our own JSON, evaluated in one way."""

from styx_lab.flow.expression.expression import Expression
from styx_lab.flow.expression.values import evaluate

__all__ = ["Expression", "evaluate"]
