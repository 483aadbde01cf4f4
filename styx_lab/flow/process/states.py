"""State that a process keeps, declared: its kind, its type, and how long it lives.

Law: what is declared can be saved as a table and read back, with nothing pickled; what is not declared is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Generic, Self, TypeVar, overload

import polars as pl

from styx_lab.core.schema import Schema
from styx_lab.core.time import Duration, duration_ms
from styx_lab.errors import FlowError, SchemaError, StyxError
from styx_lab.flow.process.seen import Entries, Value, Values
from styx_lab.flow.process.values import check_of

__all__ = ["BroadcastState", "DeclaredState", "ListState", "MapState", "ValueState", "state_from_json"]

Handle = TypeVar("Handle")


class DeclaredState(Generic[Handle]):
    """What all kinds of state have in common. A method of the process sees the state of the key at hand in its place.

    Attributes:
        type: the values' type, a word of `Schema`.
        key_type: the type of a map's keys.
        default: what a value is where there is none.
        ttl_ms: how long it lives, ms.
    """

    kind: ClassVar[str]

    def __init__(
        self,
        type: str | type,
        *,
        key_type: str | type | None = None,
        default: Any = None,
        ttl: Duration | None = None,
    ) -> None:
        where = f"{self.__class__.__name__}(...)"
        self.type = _word(type, where)
        self.key_type = None if key_type is None else _word(key_type, where)
        if self.key_type == "float":
            raise FlowError("a map's key cannot be a float: 0.1 + 0.2 is another key than 0.3", where=where)
        self.ttl_ms = None if ttl is None else duration_ms(ttl, where=f"{where}, ttl")
        self.default = None if default is None else self._checked_default(default, where)

    def _checked_default(self, default: Any, where: str) -> Any:
        if self.type == "datetime":
            raise FlowError(
                "a datetime has no default", where=where, got=default, hint="self.since.get() or event.time"
            )
        found = check_of(self.type, f"{where}, default")(default)
        if isinstance(found, float) and not abs(found) < float("inf"):
            raise FlowError("a default must be a finite number", where=where, got=default)
        return found

    @property
    def dtype(self) -> pl.DataType:
        """The Polars type of its values."""
        return _dtype(self.type)

    @property
    def key_dtype(self) -> pl.DataType | None:
        """The Polars type of its keys, of a map."""
        return None if self.key_type is None else _dtype(self.key_type)

    def to_json(self) -> dict[str, Any]:
        """The declaration as JSON values."""
        return {
            "kind": self.kind,
            "type": self.type,
            "key_type": self.key_type,
            "default": self.default,
            "ttl_ms": self.ttl_ms,
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DeclaredState) and repr(other.to_json()) == repr(self.to_json())

    def __hash__(self) -> int:
        return hash(repr(self.to_json()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.to_json()})"

    @overload
    def __get__(self, instance: None, owner: Any = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: Any = None) -> Handle: ...
    def __get__(self, instance: object, owner: Any = None) -> Any:
        if instance is None:
            return self
        # While the step runs, the object itself holds what stands for the state, and Python does not ask here.
        raise StyxError(
            "there is state only while a flow runs the step",
            where=type(instance).__name__,
            hint="state is read and written in on_event and its sisters; try the flow with flow.replay([...])",
        )


class ValueState(DeclaredState[Value]):
    """One value for each key: `count = ValueState("int", default=0, ttl="1h")`.

    >>> ValueState("int", default=0, ttl="1h").ttl_ms
    3600000

    In a method: `self.count.get()`, `self.count.set(3)`, `self.count.clear()`.

    Args:
        type: `str`, `int`, `float`, `bool` or `datetime`.
        default: what `get()` gives where there is none; else None.
        ttl: how long it lives after the newest event time at which it was written.

    Time: it is gone once the watermark reaches that time plus `ttl`; for a timer, once the timer's time does. A write
    by a late event counts as one at the watermark. State: one value a key. Flink's time to live is by the wall clock.

    Raises:
        FlowError: on an unknown type, a default of another type, a length that is none.
    """

    kind = "value"

    def __init__(self, type: str | type, *, default: Any = None, ttl: Duration | None = None) -> None:
        super().__init__(type, default=default, ttl=ttl)


class ListState(DeclaredState[Values]):
    """A list of values for each key, in the order of adding: `seen = ListState("float", ttl="10m")`.

    >>> ListState(float).type
    'float'

    In a method: `self.seen.append(1.5)`, `extend(...)`, `get()`, `set([...])`, `clear()`, `len(...)`, `for one in`.

    Args:
        type: `str`, `int`, `float`, `bool` or `datetime`.
        ttl: how long each value lives: see `ValueState`.
    """

    kind = "list"

    def __init__(self, type: str | type, *, ttl: Duration | None = None) -> None:
        super().__init__(type, ttl=ttl)


class MapState(DeclaredState[Entries]):
    """A map for each key, in the order of adding: `by_country = MapState("str", "int")`.

    >>> MapState("str", "int").key_type
    'str'

    In a method it is used as a dict: `self.by_country["DE"] = self.by_country.get("DE", 0) + 1`.

    Args:
        key_type: the type of its keys; not `float`.
        type: the type of its values.
        ttl: how long each entry lives: see `ValueState`.
    """

    kind = "map"

    def __init__(self, key_type: str | type, type: str | type, *, ttl: Duration | None = None) -> None:
        super().__init__(type, key_type=key_type, ttl=ttl)


class BroadcastState(DeclaredState[Entries]):
    """One map that all keys read, and only broadcast inputs write: `limits = BroadcastState("str", "int")`.

    >>> BroadcastState("str", "float").kind
    'broadcast'

    Args:
        key_type: the type of its keys; not `float`.
        type: the type of its values.
        ttl: how long each entry lives: see `ValueState`.
    """

    kind = "broadcast"

    def __init__(self, key_type: str | type, type: str | type, *, ttl: Duration | None = None) -> None:
        super().__init__(type, key_type=key_type, ttl=ttl)


_KINDS: Final[dict[str, type[DeclaredState[Any]]]] = {
    one.kind: one for one in (ValueState, ListState, MapState, BroadcastState)
}


def state_from_json(value: Mapping[str, Any], *, where: str) -> DeclaredState[Any]:
    """The declaration of `to_json`'s answer."""
    if value["kind"] not in _KINDS:
        raise FlowError("an unknown kind of state", where=where, got=value["kind"], hint="use the newer Styx Lab")
    found = object.__new__(_KINDS[value["kind"]])
    ttl_ms = value["ttl_ms"]
    DeclaredState.__init__(
        found,
        value["type"],
        key_type=value["key_type"],
        default=value["default"],
        ttl=None if ttl_ms is None else f"{ttl_ms}ms",
    )
    return found


def _word(given: str | type, where: str) -> str:
    try:
        # A schema knows which types there are, and how they may be said.
        return Schema({"type": given})["type"]
    except SchemaError as error:
        raise FlowError(error.what, where=where, got=given, hint=error.hint) from error


def _dtype(word: str) -> pl.DataType:
    return Schema({"type": word}).polars["type"]
