"""What expressions may refer to beside fields: the functions that the file defines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from styx_lab.models.native.column import Column, Rows
from styx_lab.models.native.scope import Expression, Variables

__all__ = ["Arguments", "DefinedFunction", "Library"]


@dataclass(frozen=True, slots=True)
class DefinedFunction:
    """A DefineFunction: its parameters (with their types, if the file says), its result's type, its expression."""

    parameters: tuple[tuple[str, str | None], ...]
    type: str | None
    expression: Expression


@dataclass(slots=True)
class Library:
    """The functions that a file defines, by name."""

    functions: dict[str, DefinedFunction] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Arguments:
    """The parameters of a function that is being evaluated; it sees no fields."""

    around: Variables
    values: Mapping[str, Column]

    @property
    def rows(self) -> Rows:
        """The batch."""
        return self.around.rows

    def column(self, name: str) -> Column:
        """The argument of a parameter."""
        found = self.values.get(name)
        return found if found is not None else Column.failed(self.rows.error(f"field {name!r} is not defined"))
