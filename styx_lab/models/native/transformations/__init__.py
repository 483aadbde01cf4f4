"""Expressions that make derived fields: one file for each element, compiled by `compile_expression`.

Law: an expression is compiled once, when the model is loaded; what it does not know is refused there.
"""

from styx_lab.models.native.transformations.compiler import compile_expression, expression_of
from styx_lab.models.native.transformations.library import DefinedFunction, Library

__all__ = ["DefinedFunction", "Library", "compile_expression", "expression_of"]
