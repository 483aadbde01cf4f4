"""An expression as our own tree of JSON: read from a Polars expression, built into one, and written for people.

A node is `{"column": name}`, `{"literal": [type, ...]}` or `{"call": name, "of": [nodes], "with": {options}}`; `cast`,
`alias` and `str.strptime` are calls as well. `rowwise.py` lists the others.

Laws: a tree holds only what the allow-list has, so it is row-wise by construction; it is data, and reading one runs
nothing. Polars' own form is read only from an expression that was built in this process, and never loaded from outside:
that form can carry a pickled function, and it changes between versions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import polars as pl

from styx_lab.core.schema import dtype_from_json, dtype_to_json
from styx_lab.errors import ExpressionError, SchemaError
from styx_lab.flow.expression.literal import build_literal, literal_text, polars_dtype, read_literal
from styx_lab.flow.expression.refusal import refusal
from styx_lab.flow.expression.rowwise import BY_NAME, BY_POLARS, OPERATORS, Function
from styx_lab.flow.expression.stages import CHOICES, Stages

__all__ = [
    "DEPTH",
    "Tree",
    "TreeReader",
    "build_stages",
    "build_tree",
    "columns_of",
    "form_of",
    "has_clock_literal",
    "parts_of",
    "read_tree",
    "tree_text",
]

Tree = dict[str, Any]

DEPTH: Final = 150
_CAST_MODES: Final = {"Strict": "strict", "NonStrict": "null", "Overflowing": "wrap"}
_SIGNS: Final = {name: sign for name, sign, _ in OPERATORS.values()}
_DEEP: Final = "write long chains as is_in([...]), any_horizontal(...) or several steps"


def read_tree(expression: pl.Expr, *, where: str, sql: bool = False) -> Tree:
    """The tree of a Polars expression that was built in this process.

    Args:
        expression: it.
        where: what to name in an error.
        sql: whether it was parsed from SQL text.

    Raises:
        ExpressionError: on anything that is not in the allow-list; names it and says what to do.
    """
    return TreeReader(where, sql).node(form_of(expression, where=where), 0)


def form_of(expression: pl.Expr, *, where: str) -> Any:
    """Polars' own form of an expression that was built in this process, as JSON.

    Raises:
        ExpressionError: when it is no data.
    """
    try:
        # Data only: nothing of it is ever handed back to Polars.
        return json.loads(expression.meta.serialize(format="json"))
    except RecursionError as error:
        raise ExpressionError("the expression is nested too deeply", where=where, hint=_DEEP) from error
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise ExpressionError(
            "the expression holds something that is no data, such as a Python function or object",
            where=where,
            hint="write it with Polars functions",
        ) from error


class TreeReader:
    """Walks Polars' own form of an expression, as JSON; one that allows more says so in `node`."""

    def __init__(self, where: str, sql: bool) -> None:
        self._where = where
        self._sql = sql

    def refusal(self, form: Any) -> ExpressionError:
        """The error for what is not allowed."""
        return refusal(form, where=self._where)

    def node(self, form: Any, depth: int) -> Tree:
        """The tree of a part."""
        if depth > DEPTH:
            raise ExpressionError("the expression is nested too deeply", where=self._where, hint=_DEEP)
        below = depth + 1
        match form:
            case {"Column": str() as name}:
                return {"column": name}
            case {"Literal": value}:
                return self._constant(value, lists=False)
            case {"BinaryExpr": {"left": left, "op": str() as op, "right": right}}:
                return self._call(f"op.{op}", [left, right], form, below)
            case {"Ternary": {"predicate": predicate, "truthy": truthy, "falsy": falsy}}:
                return self._call("Ternary", [predicate, truthy, falsy], form, below)
            case {"Function": {"input": list() as inputs, "function": {"StringExpr": {"Strptime": options}}}}:
                return self._strptime(options, inputs, below)
            case {"Function": {"input": list() as inputs, "function": place}}:
                return self._call(place, inputs, form, below)
            case {"Alias": [inner, str() as name]}:
                return {"call": "alias", "of": [self.node(inner, below)], "with": {"name": name}}
            case {"Cast": {"expr": inner, "dtype": {"Literal": dtype}, "options": mode}} if mode in _CAST_MODES:
                # The argument first: `CAST(COUNT(*) AS ...)` is about the count.
                of = [self.node(inner, below)]
                return {"call": "cast", "of": of, "with": {"dtype": self._dtype(dtype), "mode": _CAST_MODES[mode]}}
        raise self.refusal(form)

    def _call(self, place: Any, inputs: list[Any], form: Any, below: int) -> Tree:
        function, given = _allowed(place)
        if function is None:
            raise self.refusal(form)
        if self._sql and function.sql:
            raise ExpressionError(
                f"{function.name} in SQL text can change in the last digit with the batch",
                where=self._where,
                hint=function.sql,
            )
        if function.name == "is_in":
            of = [self.node(inputs[0], below), self._constants(inputs[1])]
        else:
            of = [self.node(each, below) for each in inputs]
        options = _options(function, given)
        if options is None or not _fits(function, len(of), options):
            raise self.refusal(form)
        return {"call": function.name, "of": of, **({"with": options} if options else {})}

    def _constants(self, form: Any) -> Tree:
        if isinstance(form, dict) and "Literal" in form:
            found = self._constant(form["Literal"], lists=True)
            if found["literal"][0] == "list":
                return found
        raise ExpressionError(
            "is_in looks for a value in a column, that is in other events too",
            where=self._where,
            hint="is_in([...]) with a list of constants, or list.contains(...) for a list column",
        )

    def _strptime(self, options: Any, inputs: list[Any], below: int) -> Tree:
        dtype, details = options
        if details["format"] is None:
            raise ExpressionError(
                "a time is read from text without a format, so Polars would guess one from the other events",
                where=self._where,
                hint="give the format, as in str.to_datetime('%Y-%m-%dT%H:%M:%S'), or STRPTIME(text, '%Y-%m-%d')",
            )
        if "Literal" not in dtype:
            raise ExpressionError("a type that is computed", where=self._where, hint="name the type")
        kept = {
            "dtype": self._dtype(dtype["Literal"]),
            "format": details["format"],
            "strict": details["strict"],
            "exact": details["exact"],
        }
        return {"call": "str.strptime", "of": [self.node(each, below) for each in inputs], "with": kept}

    def _constant(self, value: Any, *, lists: bool) -> Tree:
        try:
            literal = read_literal(value, sql=self._sql)
        except (KeyError, SchemaError, ValueError) as error:
            what = error.what if isinstance(error, SchemaError) else str(error)
            raise ExpressionError(
                f"a constant that cannot be kept: {what}",
                where=self._where,
                hint="use a number, text, true or false, a datetime, date or duration, or null",
            ) from error
        if literal[0] == "list" and not lists:
            raise ExpressionError(
                "a list of constants stands where one value belongs", where=self._where, hint="use it in is_in([...])"
            )
        return {"literal": literal}

    def _dtype(self, value: Any) -> Any:
        try:
            return dtype_to_json(polars_dtype(value))
        except (KeyError, SchemaError, ValueError) as error:
            raise ExpressionError(
                "a cast to a type that Styx keeps in no column",
                where=self._where,
                got=value,
                hint="cast to a number, text, Boolean, Date, Datetime or Duration",
            ) from error


def _allowed(place: Any) -> tuple[Function | None, Any]:
    """The allowed function at Polars' own place for it, and its options there."""
    if isinstance(place, str):
        return BY_POLARS.get(place), None
    ((group, rest),) = place.items()
    if isinstance(rest, str) and f"{group}.{rest}" in BY_POLARS:
        return BY_POLARS[f"{group}.{rest}"], None
    if isinstance(rest, dict) and len(rest) == 1:
        ((name, options),) = rest.items()
        if f"{group}.{name}" in BY_POLARS:
            return BY_POLARS[f"{group}.{name}"], options
    return BY_POLARS.get(group), rest


def _options(function: Function, given: Any) -> dict[str, Any] | None:
    """Our options of Polars' own; None when Polars has others, whose meaning is not known here."""
    keyed = {option.polars: name for name, option in function.options.items() if option.polars}
    if keyed:
        if not isinstance(given, dict) or given.keys() != keyed.keys():
            return None
        return {name: function.options[name].read(given[key]) for key, name in keyed.items()}
    if bool(function.options) != (given is not None):
        return None
    return {name: option.read(given) for name, option in function.options.items()}


def _fits(function: Function, arguments: int, options: dict[str, Any]) -> bool:
    return (
        function.least <= arguments <= (arguments if function.most is None else function.most)
        and options.keys() == function.options.keys()
        and all(function.options[name].takes(value) for name, value in options.items())
    )


def build_stages(tree: Any, *, where: str) -> Stages:
    """The Polars expression of a tree, with the choices in it as stages.

    Raises:
        ExpressionError: when it is no tree of this version.
    """
    builder = _Builder(where, staged=True)
    last = builder.node(tree, 0)
    return Stages(tuple(builder.stages), last)


def build_tree(tree: Any, *, where: str) -> pl.Expr:
    """The Polars expression of a tree, which may come from anywhere.

    Raises:
        ExpressionError: when it is no tree of this version.
    """
    return _Builder(where).node(tree, 0)


class _Builder:
    """Builds a Polars expression; whatever is not exactly as it must be is refused."""

    def __init__(self, where: str, *, staged: bool = False) -> None:
        self._where = where
        self._staged = staged
        self.stages: list[tuple[str, pl.Expr]] = []

    def node(self, tree: Any, depth: int, *, lists: bool = False) -> pl.Expr:
        if depth > DEPTH:
            raise self._bad("it is nested too deeply", None)
        if isinstance(tree, dict) and tree.keys() == {"column"}:
            name = tree["column"]
            # Polars reads "*" and "^...$" as patterns over all columns.
            if not isinstance(name, str) or name == "*" or (name.startswith("^") and name.endswith("$")):
                raise self._bad("not the name of one column", name)
            return pl.col(name)
        if isinstance(tree, dict) and tree.keys() == {"literal"} and isinstance(tree["literal"], list):
            if tree["literal"][:1] == ["list"] and not lists:
                raise self._bad("a list of constants belongs in is_in, and there alone", tree)
            return self._guarded(lambda: build_literal(tree["literal"]), tree)
        if isinstance(tree, dict) and {"call", "of"} <= tree.keys() <= {"call", "of", "with"}:
            built = self._call(tree["call"], tree["of"], tree.get("with", {}), depth + 1)
            # The whole expression is written out by whoever evaluates it.
            if self._staged and depth and tree["call"] in CHOICES:
                self.stages.append((f"\0stage {len(self.stages)}", built))
                return pl.col(self.stages[-1][0])
            return built
        raise self._bad("not a column, a constant or a call", tree)

    def _call(self, name: Any, of: Any, options: Any, depth: int) -> pl.Expr:
        if not isinstance(name, str) or not isinstance(of, list) or not isinstance(options, dict):
            raise self._bad("not a call", name)
        if name == "is_in" and not _is_list(of[1:]):
            raise self._bad("is_in needs a list of constants", of)
        arguments = [self.node(each, depth, lists=name == "is_in" and place == 1) for place, each in enumerate(of)]
        match name, arguments, options:
            case "alias", [inner], {"name": str() as alias, **more} if not more:
                return inner.alias(alias)
            case "cast", [inner], {"dtype": dtype, "mode": "strict" | "null" | "wrap" as mode, **more} if not more:
                return self._guarded(
                    lambda: inner.cast(dtype_from_json(dtype), strict=mode == "strict", wrap_numerical=mode == "wrap"),
                    dtype,
                )
            case (
                "str.strptime",
                [text, ambiguous],
                {"dtype": dtype, "format": str() as form, "strict": bool() as strict, "exact": bool() as exact, **more},
            ) if not more:
                return self._guarded(
                    lambda: text.str.strptime(
                        dtype_from_json(dtype),  # type: ignore[arg-type]
                        form,
                        strict=strict,
                        exact=exact,
                        ambiguous=ambiguous,
                    ),
                    dtype,
                )
        function = BY_NAME.get(name)
        if function is None or function.build is None or not _fits(function, len(arguments), options):
            raise self._bad("an unknown function, or wrong arguments for it", name)
        build = function.build
        return self._guarded(lambda: build(*arguments, **options), name)

    def _guarded(self, build: Any, got: Any) -> pl.Expr:
        try:
            built: pl.Expr = build()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, SchemaError) as error:
            raise self._bad("Polars cannot build it", got) from error
        except (AttributeError, OverflowError, TypeError, ValueError) as error:
            raise self._bad(str(error), got) from error
        return built

    def _bad(self, what: str, got: Any) -> ExpressionError:
        return ExpressionError(
            f"a stored expression cannot be read: {what}",
            where=self._where,
            got=got,
            hint="it was changed, or written by a newer Styx Lab; write the expression again",
        )


def _is_list(values: list[Any]) -> bool:
    match values:
        case [{"literal": ["list", *_]}]:
            return True
    return False


def columns_of(tree: Tree) -> Iterator[str]:
    """The columns that a tree reads, with repeats."""
    if "column" in tree:
        yield tree["column"]
    for each in tree.get("of", ()):
        yield from columns_of(each)


def parts_of(tree: Tree) -> Iterator[tuple[Tree, str]]:
    """Each access to a part of a struct, the innermost first: what has the part, and the part's name."""
    for each in tree.get("of", ()):
        yield from parts_of(each)
    if tree.get("call") == "field":
        yield tree["of"][0], tree["with"]["name"]


def has_clock_literal(tree: Tree) -> bool:
    """Whether a date or datetime constant stands somewhere in the tree."""
    return tree.get("literal", [""])[0] in ("date", "datetime") or any(map(has_clock_literal, tree.get("of", ())))


def tree_text(tree: Tree) -> str:
    """The tree as a person would write it."""
    if "column" in tree:
        return str(tree["column"])
    if "literal" in tree:
        return literal_text(tree["literal"])
    name, of, options = tree["call"], [tree_text(each) for each in tree["of"]], tree.get("with", {})
    match name:
        case "field":
            return f"{of[0]}.{options['name']}"
        case "alias":
            return of[0]
        case "cast":
            return f"{of[0]}.cast({options['dtype']})"
        case "not" | "negate":
            return f"{'not ' if name == 'not' else '-'}{_bracketed(tree['of'][0])}"
        case "when":
            return f"when {of[0]} then {of[1]} otherwise {of[2]}"
    if name in _SIGNS:
        return f"{_bracketed(tree['of'][0])} {_SIGNS[name]} {_bracketed(tree['of'][1])}"
    if not of or name in ("coalesce", "concat_str", "arctan2") or name.endswith("_horizontal"):
        return f"{name}({', '.join(of)})"
    extra = [f"{key}={value!r}" for key, value in options.items() if not isinstance(value, bool)]
    return f"{_bracketed(tree['of'][0])}.{name}({', '.join(of[1:] + extra)})"


def _bracketed(tree: Tree) -> str:
    loose = tree.get("call") in {*_SIGNS, "not", "negate", "when"}
    return f"({tree_text(tree)})" if loose else tree_text(tree)
