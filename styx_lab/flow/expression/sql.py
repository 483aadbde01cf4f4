"""SQL text as an expression: what must be refused before Polars sees the text.

Laws: parsing runs nothing and opens nothing. Polars reads the clock while it parses (`NOW()` becomes a constant) and
opens a file that a subquery names, so both are found in the text itself; one that could end the process stays unread.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import polars as pl

from styx_lab.errors import ExpressionError
from styx_lab.flow.expression.refusal import ALLOWED, CLOCK, WINDOW
from styx_lab.flow.expression.stages import Stages
from styx_lab.flow.expression.tree import Tree, has_clock_literal, read_tree

__all__ = ["AGGREGATES", "WORD", "parse_sql", "sql_stages"]

WORD: Final = re.compile(
    r"""(?P<text>'(?:[^']|'')*')
    |(?P<quoted>"(?:[^"]|"")*"|`[^`]*`)
    |(?P<comment>--|/\*|\#)
    |(?P<dollar>\$)
    |(?P<name>[^\W\d]\w*)
    |(?P<number>\d[\w.]*)
    |(?P<space>\s+)
    |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
# A chain of some ten thousand terms overflows the stack of Polars' parser, which ends the process.
_MOST: Final = 1_000
_CLOCKS: Final = frozenset({"CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP"})
_CLOCK_CALLS: Final = _CLOCKS | {"NOW", "TODAY", "GETDATE", "SYSDATE", "CLOCK_TIMESTAMP", "UNIX_TIMESTAMP", "CURDATE"}
_RANDOM_CALLS: Final = frozenset({"RANDOM", "RAND", "UUID", "GEN_RANDOM_UUID"})
AGGREGATES: Final = frozenset(
    {
        "AVG", "SUM", "COUNT", "MIN", "MAX", "MEAN", "MEDIAN", "MODE", "STDDEV", "STDDEV_SAMP", "STDDEV_POP", "STDEV",
        "VARIANCE", "VAR", "VAR_SAMP", "VAR_POP", "CORR", "COVAR", "COVAR_SAMP", "COVAR_POP", "QUANTILE_CONT",
        "QUANTILE_DISC", "FIRST", "LAST", "FIRST_VALUE", "LAST_VALUE", "NTH_VALUE", "ARRAY_AGG", "STRING_AGG",
        "LISTAGG", "APPROX_COUNT_DISTINCT", "ARG_MIN", "ARG_MAX", "ROW_NUMBER", "RANK", "DENSE_RANK", "PERCENT_RANK",
        "NTILE", "LAG", "LEAD", "SUM_DISTINCT", "BOOL_AND", "BOOL_OR", "ANY_VALUE", "BIT_XOR_AGG", "SKEW", "KURTOSIS",
    }
)  # fmt: skip
_TYPED: Final = frozenset({"DATE", "DATETIME", "TIMESTAMP", "TIMESTAMPTZ"})
_CHOICES: Final = frozenset({"COALESCE", "IFNULL", "NVL", "NULLIF", "IF"})
_SUBQUERY: Final = re.compile(r"SELECT|(READ|SCAN)_\w+")


def parse_sql(text: str, *, where: str) -> Tree:
    """The tree of a SQL text.

    Raises:
        ExpressionError: on text that is no SQL expression, or that is not row-wise.
    """
    typed = _inspect(text, where)
    try:
        expression = pl.sql_expr(text)
    except pl.exceptions.PanicException as error:
        raise ExpressionError("Polars cannot parse this text", where=where, got=text, hint=ALLOWED) from error
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise ExpressionError(
            f"not a SQL expression ({_first_line(error)})",
            where=where,
            got=text,
            hint="write it as in SQL's WHERE, such as \"amount > 500 AND status = 'declined'\"",
        ) from error
    tree = read_tree(expression, where=where, sql=True)
    if has_clock_literal(tree) and not typed:
        raise ExpressionError("the text reads the clock", where=where, got=text, hint=CLOCK)
    return tree


def sql_stages(text: str) -> Stages:
    """A SQL text that `parse_sql` took, with the choices in it (`CASE`, `COALESCE` and the like) as stages."""
    stages: list[tuple[str, pl.Expr]] = []

    def without_choices(part: str) -> str:
        """The text with each outermost choice in it as the name of a column."""
        done, at = "", 0
        for start, end in _choices(part):
            choice = pl.sql_expr(_inside(part[start:end], without_choices))
            stages.append((f"\0stage {len(stages)}", choice))
            done += f'{part[at:start]}"{stages[-1][0]}"'
            at = end
        return done + part[at:]

    whole = text.strip()
    # The whole expression is written out by whoever evaluates it.
    last = _inside(whole, without_choices) if _choices(whole) == [(0, len(whole))] else without_choices(whole)
    return Stages(tuple(stages), pl.sql_expr(last))


def _choices(text: str) -> list[tuple[int, int]]:
    """Where the outermost choices of a text are."""
    found: list[tuple[int, int]] = []
    tokens = [token for token in WORD.finditer(text) if token.lastgroup != "space"]
    ends: list[str] = []
    start = -1
    for place, token in enumerate(tokens):
        word = token.group().upper() if token.lastgroup == "name" else token.group()
        called = place + 1 < len(tokens) and tokens[place + 1].group() == "("
        if start < 0 and (word == "CASE" or (word in _CHOICES and called)):
            start, ends = token.start(), []
        if start < 0:
            continue
        if word in ("CASE", "("):
            ends.append("END" if word == "CASE" else ")")
        elif ends and word == ends[-1]:
            ends.pop()
            if not ends:
                found.append((start, token.end()))
                start = -1
    return found


def _inside(choice: str, change: Callable[[str], str]) -> str:
    """A choice with its inside changed: what stands between `CASE` and `END`, or between the brackets."""
    head = len("CASE") if choice[:4].upper() == "CASE" else choice.index("(") + 1
    tail = len(choice) - (len("END") if choice[-1] != ")" else 1)
    return choice[:head] + change(choice[head:tail]) + choice[tail:]


def _inspect(text: str, where: str) -> bool:
    """Refuses what may not be parsed; tells whether a date or timestamp is written out in the text."""
    if not text.strip():
        raise ExpressionError("an empty expression", where=where, got=text, hint='write a condition: "amount > 500"')
    tokens = [found for found in WORD.finditer(text) if found.lastgroup != "space"]
    if sum(found.lastgroup in ("name", "quoted", "sign") and found.group() != "," for found in tokens) > _MOST:
        raise ExpressionError(
            "the text is too long", where=where, got=f"{text[:60]}...", hint="use IN (...), or several steps"
        )
    typed = False
    for place, found in enumerate(tokens):
        kind, word = found.lastgroup, found.group().upper()
        after = tokens[place + 1].group() if place + 1 < len(tokens) else ""
        if kind in ("comment", "dollar"):
            raise ExpressionError(
                "comments and dollar quotes cannot be used in an expression",
                where=where,
                got=text,
                hint="leave them out",
            )
        if kind == "quoted" and after == "(":
            raise ExpressionError(
                "the name of a function is in quotes", where=where, got=found.group(), hint="write it without"
            )
        if kind != "name" or (place and tokens[place - 1].group() == "."):
            continue
        if word in _CLOCKS or (word in _CLOCK_CALLS and after == "("):
            raise ExpressionError(f"{found.group()} reads the clock, so a replay would differ", where=where, hint=CLOCK)
        if word in _RANDOM_CALLS and after == "(":
            raise ExpressionError(f"{found.group()} is random, so a replay would differ", where=where, hint=ALLOWED)
        if (word in AGGREGATES or word == "OVER") and after == "(":
            raise ExpressionError(
                f"{found.group()} looks at more than one event, so it cannot be used in an expression",
                where=where,
                hint=WINDOW,
            )
        if _SUBQUERY.fullmatch(word):
            raise ExpressionError(
                f"{found.group()}: a subquery cannot be used in an expression",
                where=where,
                hint="use enrich(...) to look something up in a table",
            )
        typed |= word in _TYPED and after.startswith("'")
    return typed


def _first_line(error: BaseException) -> str:
    line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return line if len(line) <= 160 else f"{line[:157]}..."
