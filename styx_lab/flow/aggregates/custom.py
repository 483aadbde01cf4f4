"""An aggregate of a user's own: a class in a module, carried along with its source.

Law: nothing of it runs until an operator is built. What it gives is as independent of the order of arrival as the user
makes it; `ordered` is taken to be true unless the class says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

import polars as pl

from styx_lab.core.schema import dtype_from_json
from styx_lab.errors import FlowError, SchemaError
from styx_lab.flow.aggregates.aggregate import Aggregate, AggregateName
from styx_lab.flow.carried import Carried
from styx_lab.flow.expression import Expression

__all__ = ["Custom", "UserAggregate", "custom_of"]

_METHODS: Final = ("create", "add", "merge", "result")
_OPTIONS: Final = frozenset({"class", "output", "ordered"})
_HINT: Final = "a class with create(), add(acc, value), merge(acc, acc), result(acc), and output = 'float'"


@runtime_checkable
class UserAggregate(Protocol):
    """What a class of a user's own must have to be an aggregate; it is made without arguments.

    `output` is the type of the result as a schema says it: "float", "int", "str", "bool", "datetime", or a list such as
    {"list": "float"}. `ordered = False` says that the order of the values does not matter.
    `styx_lab.testing.check_aggregate` tries whether `merge` agrees with `add`, and whether `ordered` is true.
    """

    output: Any

    def create(self) -> Any:
        """A new accumulator, of no values."""

    def add(self, acc: Any, value: Any) -> Any:
        """The accumulator with one more value, which is never null."""

    def merge(self, acc: Any, other: Any) -> Any:
        """The accumulator of all values of two, those of the first before those of the other."""

    def result(self, acc: Any) -> Any:
        """What the accumulator comes to; None for null."""


@dataclass(frozen=True, slots=True)
class Custom(Aggregate):
    """What a user's own class makes of the non-null values, in order of arrival."""

    code: Carried | None = None
    output: Any = None
    by_order: bool = True

    @property
    def ordered(self) -> bool:
        """See `Aggregate.ordered`."""
        return self.by_order

    def dtype(self, schema: Mapping[str, pl.DataType], *, where: str) -> pl.DataType:
        """See `Aggregate.dtype`."""
        assert self.value is not None
        self.value.check(schema, where=where)
        return dtype_from_json(self.output)

    def options(self) -> dict[str, Any]:
        """See `Aggregate.options`."""
        assert self.code is not None
        return {"class": self.code.to_json(), "output": self.output, "ordered": self.by_order}

    @classmethod
    def read(cls, function: AggregateName, value: Expression | None, options: Mapping[str, Any], where: str) -> Custom:
        """See `Aggregate.read`."""
        if value is None or options.keys() != _OPTIONS or not isinstance(options["ordered"], bool):
            raise KeyError(function)
        dtype_from_json(options["output"])
        found = Carried.from_json(options["class"], where=where)
        return cls(function, value, found, options["output"], options["ordered"])

    def __str__(self) -> str:
        assert self.code is not None
        assert self.value is not None
        return f"{self.code.name}({self.value.text})"


def custom_of(cls: Any, value: Expression) -> Custom:
    """The aggregate of a class.

    Raises:
        FlowError: when it has not what it needs, or cannot be carried along.
    """
    missing = [name for name in _METHODS if not callable(getattr(cls, name, None))]
    if not isinstance(cls, type) or missing:
        raise FlowError("not an aggregate of your own", where="custom()", got=cls, hint=_HINT)
    where = f"custom({cls.__qualname__})"
    output = getattr(cls, "output", None)
    try:
        dtype_from_json(output)  # type: ignore[arg-type]
    except (SchemaError, TypeError) as error:
        raise FlowError("its output is no type", where=where, got=output, hint=_HINT) from error
    return Custom("custom", value, Carried.of(cls, where=where), output, bool(getattr(cls, "ordered", True)))
