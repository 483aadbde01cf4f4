"""Apply: a function of expressions, built in or defined in the file.

Law: missing arguments, missing results and results that are no number are handled as the attributes say, in the
reference's order; of `if` only the branch that is chosen counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from xml.etree.ElementTree import Element

import numpy as np

from styx_lab.models.native.column import Bools, Column, Rows, first_error, pick, where_error
from styx_lab.models.native.functions import FUNCTIONS, Function
from styx_lab.models.native.functions.arithmetic import common_type
from styx_lab.models.native.place import choice, refuse, required
from styx_lab.models.native.scope import Expression, Variables
from styx_lab.models.native.transformations.field_ref import fill_missing
from styx_lab.models.native.transformations.library import Arguments, Library
from styx_lab.models.native.values import cast, constant, guess_type, parse
from styx_lab.models.summary import local_name

__all__ = ["compile_apply"]


def compile_apply(node: Element, library: Library, compile_it: Callable[[Element], Expression]) -> Expression:
    """Compile an Apply."""
    name = required(node, "function")
    arguments = [compile_it(each) for each in node if local_name(each) != "Extension"]
    treatment = choice(node, "invalidValueTreatment", ("returnInvalid", "asIs", "asMissing"), "returnInvalid")
    filling, default = node.get("mapMissingTo"), node.get("defaultValue")
    call = _callable(node, name, len(arguments), library)

    def evaluate(variables: Variables) -> Column:
        if name == "if" and name not in library.functions:
            result = _choose(arguments, variables, filling)
        else:
            columns = [each(variables) for each in arguments]
            result = call(columns, variables)
            if treatment == "asMissing" and result.errors is not None:
                result = _undefined_as_missing(result, columns, name, variables.rows)
            if filling is not None:
                result = _map_missing(result, columns, filling, variables.rows)
        result = _judge(result, name, treatment, variables.rows)
        return result if default is None else fill_missing(result, default, variables)

    return evaluate


def _callable(
    node: Element, name: str, count: int, library: Library
) -> Callable[[Sequence[Column], Variables], Column]:
    if name in library.functions:
        return _defined(node, name, count, library)
    if name == "if":
        _check_arity(node, name, count, Function(lambda columns, rows, name: columns[0], 2, 3))
        return lambda columns, variables: columns[0]
    function = FUNCTIONS.get(name)
    if function is None:
        return lambda columns, variables: Column.failed(
            variables.rows.error(f"function {name!r} is not defined")
        ).with_errors(first_error(*(each.errors for each in columns)))
    _check_arity(node, name, count, function)
    return lambda columns, variables: function.call(columns, variables.rows, name)


def _check_arity(node: Element, name: str, count: int, function: Function) -> None:
    if count < function.least or (function.most is not None and count > function.most):
        raise refuse(node, f"function {name!r} takes another number of arguments", count)


def _defined(node: Element, name: str, count: int, library: Library) -> Callable[[Sequence[Column], Variables], Column]:
    defined = library.functions[name]
    if count != len(defined.parameters):
        raise refuse(node, f"function {name!r} takes {len(defined.parameters)} arguments", count)

    def call(columns: Sequence[Column], variables: Variables) -> Column:
        rows = variables.rows
        values = {
            parameter: each if data_type is None else cast(each, data_type, rows)
            for (parameter, data_type), each in zip(defined.parameters, columns, strict=True)
        }
        result = defined.expression(Arguments(variables, values))
        return result if defined.type is None else cast(result, defined.type, rows)

    return call


def _map_missing(result: Column, columns: Sequence[Column], filling: str, rows: Rows) -> Column:
    """Where an argument is missing the function does not count at all, nor do the arguments after that one."""
    missing: Bools = np.zeros(1, dtype=np.bool_)
    before = None
    for each in columns:
        if each.errors is not None:
            before = first_error(before, np.where(missing, np.int32(0), each.errors))
        missing = missing | each.gaps
    if not missing.any():
        return result
    replacement = _constant_like(filling, result.type, rows)
    result = _as_pair(result, replacement, rows)
    filled = pick(missing, cast(replacement, result.type, rows), result)
    return Column(filled.type, filled.values, filled.missing, first_error(before, filled.errors), filled.words)


def _constant_like(text: str, data_type: str, rows: Rows) -> Column:
    try:
        return constant(data_type, parse(data_type, text))
    except ValueError:
        guessed = guess_type(text)
        return constant(guessed, parse(guessed, text))


def _as_pair(column: Column, other: Column, rows: Rows) -> Column:
    """A column in the type that it shares with another."""
    if column.type == other.type:
        return column
    if {column.type, other.type} <= {"integer", "float", "double"}:
        return cast(column, common_type((column, other)), rows)
    if other.missing is not None and bool(np.all(other.missing)):
        return column
    return cast(column, other.type, rows) if column.type != "string" else column


def _choose(arguments: Sequence[Expression], variables: Variables, filling: str | None) -> Column:
    rows = variables.rows
    condition = arguments[0](variables)
    asked = cast(condition, "boolean", rows)
    errors = asked.errors
    yes = arguments[1](variables)
    no = arguments[2](variables) if len(arguments) > 2 else Column.nothing(yes.type)
    yes, no = _as_pair(yes, no, rows), _as_pair(no, yes, rows)
    if yes.type != no.type:
        no = cast(no, yes.type, rows)
    chosen = pick(np.asarray(asked.values, dtype=np.bool_), yes, no)
    if asked.missing is not None:
        if filling is None:
            refused = where_error(asked.missing, rows.error("function 'if' cannot take a missing condition"))
            errors = first_error(errors, refused)
        else:
            chosen = pick(asked.missing, Column.nothing(chosen.type), chosen)
    if filling is not None:
        chosen = fill_missing(chosen, filling, variables)
    return chosen.with_errors(errors)


def _undefined_as_missing(result: Column, columns: Sequence[Column], name: str, rows: Rows) -> Column:
    """A division of whole numbers by zero, which has no result, as a missing one."""
    code = rows.error(f"function {name!r}: division by zero")
    before = first_error(*(each.errors for each in columns))
    assert result.errors is not None
    mine = result.errors == code
    if before is not None:
        mine = mine & (before == 0)
    return Column(
        result.type, result.values, result.gaps | mine, np.where(mine, np.int32(0), result.errors), result.words
    )


def _judge(result: Column, name: str, treatment: str, rows: Rows) -> Column:
    if result.type not in ("double", "float"):
        return result
    bad = np.isnan(result.values)
    if not bad.any():
        return result
    bad = bad & ~result.gaps
    if treatment == "asMissing":
        return Column(result.type, result.values, result.gaps | bad, result.errors)
    refused = where_error(bad, rows.error(f"function {name!r} gave a value that is no number"))
    return Column(result.type, result.values, result.missing, first_error(result.errors, refused))
