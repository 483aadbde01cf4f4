"""Text columns as plain memory, both ways, without a copy and without a Python object for each text.

Law: memory lives as long as somebody reads it. What Polars lends is held while it is read; what is lent to Polars is
held until Polars gives it back.

Polars keeps a text as a *view* of 16 bytes: its length, and then the text itself where it has 12 bytes or fewer, or
else its first four bytes, the number of the buffer that has it, and its place there. Source: Arrow's columnar format,
variable-size binary view layout, handed over by Arrow's C data interface and the PyCapsule protocol, both stable.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s

__all__ = ["VIEW_WORDS", "Bytes", "Lent", "Views", "borrow", "lend"]

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]
Views = np.ndarray[tuple[int, int], np.dtype[np.int32]]
"""A row of four words for each text."""

VIEW_WORDS: Final = 4
_FORMAT: Final = b"vu"
_NULLABLE: Final = 2


class _Schema(ctypes.Structure):
    _fields_ = (
        ("format", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("metadata", ctypes.c_char_p),
        ("flags", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


class _Array(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.POINTER(ctypes.c_void_p)),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


class _Stream(ctypes.Structure):
    _fields_ = (
        ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(_Schema))),
        ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(_Array))),
        ("get_last_error", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


_RELEASE: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_capsule: Any = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
    ("PyCapsule_New", ctypes.pythonapi)
)
_pointer: Any = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


@dataclass(slots=True)
class Lent:
    """The texts of a column, as Polars has them; they are there as long as this is.

    Attributes:
        views: one a text; of a null it says nothing.
        buffers: int64, where each buffer begins in memory.
    """

    views: Views
    buffers: Int64s
    _array: _Array

    def __del__(self) -> None:
        _RELEASE(self._array.release)(ctypes.addressof(self._array))


def borrow(column: pl.Series) -> Lent:
    """The texts of a String column, where they lie.

    >>> borrow(pl.Series(["a", "bc"])).views[:, 0].tolist()
    [1, 2]
    """
    if column.n_chunks() != 1:
        column = column.rechunk()
    capsule = column.__arrow_c_stream__()
    # The capsule lets go of the stream by itself, and the array outlives both.
    at = _pointer(capsule, b"arrow_array_stream")
    array = _Array()
    failed = _Stream.from_address(at).get_next(at, ctypes.byref(array))
    assert not failed, "Polars hands out any column"
    count, places = array.length, array.buffers
    if not count:
        return Lent(np.empty((0, VIEW_WORDS), np.int32), np.empty(0, np.int64), array)
    words = (ctypes.c_int32 * (VIEW_WORDS * count)).from_address((places[1] or 0) + 4 * VIEW_WORDS * array.offset)
    # Between the views and the sizes of the buffers, which come last.
    buffers = np.array([places[at] or 0 for at in range(2, array.n_buffers - 1)], np.int64)
    return Lent(np.frombuffer(words, np.int32).reshape(count, VIEW_WORDS), buffers, array)


_held: Final[dict[int, object]] = {}
"""What Polars reads of ours, by the address of its views."""


def _give_back(at: int, held: dict[int, object] = _held, array: type[_Array] = _Array) -> None:
    given = array.from_address(at)
    held.pop(given.private_data, None)
    given.release = None


def _forget_schema(at: int, schema: type[_Schema] = _Schema) -> None:
    schema.from_address(at).release = None


_GIVE_BACK: Final = _RELEASE(_give_back)
_FORGET_SCHEMA: Final = _RELEASE(_forget_schema)
for _one in (_GIVE_BACK, _FORGET_SCHEMA):
    # A column may live longer than this module, when Python ends: so these two live for ever.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(_one))
_GIVE_BACK_AT: Final = ctypes.cast(_GIVE_BACK, ctypes.c_void_p).value
_FORGET_SCHEMA_AT: Final = ctypes.cast(_FORGET_SCHEMA, ctypes.c_void_p).value


class _Offer:
    """Arrays in the form in which Polars takes them; it is taken once, at once."""

    def __init__(self, views: Views, data: Bytes) -> None:
        sizes = np.array([data.nbytes], np.int64)
        buffers = (ctypes.c_void_p * 4)(None, views.ctypes.data, data.ctypes.data, sizes.ctypes.data)
        self._schema = _Schema(format=_FORMAT, name=b"", flags=_NULLABLE, release=_FORGET_SCHEMA_AT)
        self._array = _Array(length=len(views), n_buffers=4, buffers=buffers, release=_GIVE_BACK_AT)
        self._array.private_data = views.ctypes.data
        self._held = (views, data, sizes, buffers)

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        _held[self._array.private_data] = self._held
        return (
            _capsule(ctypes.addressof(self._schema), b"arrow_schema", None),
            _capsule(ctypes.addressof(self._array), b"arrow_array", None),
        )


def lend(views: Views, data: Bytes) -> pl.Series:
    """A String column of texts that lie in `data`, which must be UTF-8; neither array may change afterwards.

    >>> lend(np.array([[2, 25185, 0, 0]], np.int32), np.empty(0, np.uint8)).to_list()
    ['ab']
    """
    if not len(views):
        return pl.Series([], dtype=pl.String)
    return pl.Series(_Offer(views, data))
