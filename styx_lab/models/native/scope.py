"""What the names in a model stand for: mining fields, derived fields and outputs, over those of the model around it.

Law: a column is made when it is first asked for, once a batch; a name that stands for nothing is an error of the value
that needs it, not of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from styx_lab.models.native.column import Column, Rows
from styx_lab.models.native.fields import MiningField

if TYPE_CHECKING:
    from styx_lab.models.native.recipes import Recipe

__all__ = ["Expression", "Names", "Scope", "Variables"]


class Variables(Protocol):
    """Names that stand for columns."""

    @property
    def rows(self) -> Rows:
        """The batch."""

    def column(self, name: str) -> Column:
        """The column of a name."""


Expression = Callable[[Variables], Column]
"""A compiled expression: its value in every row."""


@dataclass(slots=True)
class Names:
    """What a model's file says of its names.

    Attributes:
        mining: for each active mining field, what to do with the value that comes from outside.
        derived: the expressions of its own derived fields.
        shared: those of the file's TransformationDictionary, with the fields they need from outside.
        fields: its mining fields.
        recipes: for derived fields that are simple, what they are (see `recipes.py`).
        shared_recipes: the same for those of the TransformationDictionary.
    """

    mining: Mapping[str, Callable[[Column, Rows], Column]] = field(default_factory=dict)
    derived: Mapping[str, Expression] = field(default_factory=dict)
    shared: Mapping[str, tuple[Expression, frozenset[str]]] = field(default_factory=dict)
    fields: Mapping[str, MiningField] = field(default_factory=dict)
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    shared_recipes: Mapping[str, Recipe] = field(default_factory=dict)


class Scope:
    """The names of one model while one batch is evaluated.

    Args:
        names: what the file says.
        rows: the batch.
        outside: where a mining field's value comes from: the data, or the model around this one.
        around: the scope of the model around this one.
    """

    def __init__(self, names: Names, rows: Rows, outside: Callable[[str], Column], around: Scope | None = None) -> None:
        self._names = names
        self._rows = rows
        self._outside = outside
        self._around = around
        self._made: dict[str, Column] = {}

    @property
    def rows(self) -> Rows:
        """The batch."""
        return self._rows

    def define(self, name: str, column: Column) -> None:
        """Let a name stand for an output."""
        self._made[name] = column

    def column(self, name: str) -> Column:
        """The column that a name stands for."""
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = self._make(name)
        return made

    def inner(self, names: Names) -> Scope:
        """The scope of a model inside this one."""
        return Scope(names, self._rows, self.column, self)

    def _make(self, name: str) -> Column:
        treat = self._names.mining.get(name)
        if treat is not None and name not in self._names.derived:
            return treat(self._outside(name), self._rows)
        expression = self._names.derived.get(name)
        if expression is not None:
            return expression(self)
        shared = self._names.shared.get(name)
        if shared is not None:
            if self._around is not None and not shared[1] <= self._names.mining.keys():
                return self._around.column(name)
            return shared[0](self)
        return Column.failed(self._rows.error(f"field {name!r} is not defined"))
