"""The streams that a split gives, by name.

Law: a split is a value, as a stream is; its streams are ports of one step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Generic, TypeVar

from styx_lab.errors import FlowError

__all__ = ["REST", "Parts", "check_part_names"]

REST: Final = "rest"
"""The part of a split that takes what no condition took."""

_Stream = TypeVar("_Stream")


class Parts(Mapping[str, _Stream], Generic[_Stream]):
    """Streams by name, also as attributes: `parts["large"]`, `parts.large`.

    >>> parts = Parts({"large": 1, "rest": 2})
    >>> parts.large, parts["rest"], list(parts)
    (1, 2, ['large', 'rest'])
    """

    __slots__ = ("_streams",)

    _streams: Mapping[str, _Stream]

    def __init__(self, streams: Mapping[str, _Stream]) -> None:
        object.__setattr__(self, "_streams", dict(streams))

    def __getitem__(self, name: str) -> _Stream:
        return self._streams[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._streams)

    def __len__(self) -> int:
        return len(self._streams)

    def __getattr__(self, name: str) -> _Stream:
        # Asked only for what the class does not have; copying asks before there are any streams.
        if name != "_streams" and name in self._streams:
            return self._streams[name]
        raise AttributeError(f"this split has no part {name!r}; it has {', '.join(self)}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("the parts of a split cannot be changed")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._streams]

    def __repr__(self) -> str:
        return f"Parts({', '.join(self._streams)})"


def check_part_names(names: Mapping[str, object], *, where: str) -> None:
    """Refuse names that a part of a split cannot have.

    Raises:
        FlowError: when a name is a port's or a mapping's own.
    """
    for name in names:
        if name in ("out", "late", REST) or name.startswith("_") or hasattr(Mapping, name):
            raise FlowError(
                "a part of a split cannot have this name", where=where, got=name, hint="choose another, such as 'large'"
            )
