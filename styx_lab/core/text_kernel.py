"""The compiled side of texts as runs of bytes: out of a column's views and back, quoted, from numbers, put together.

Law: what is written is what `msgspec` writes as JSON, to the byte.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from styx_lab.core.compiled import njit

__all__ = [
    "DIGITS",
    "copy_bytes",
    "copy_texts",
    "has_escapes",
    "put_text",
    "put_texts",
    "quote_texts",
    "quoted_lengths",
    "view_texts",
    "write_wholes",
]

DIGITS: Final = 20
"""The room that a number of 64 bits takes, with its sign."""
_SHORT: Final = 12
"""The longest text that lies in its view."""
_QUOTE, _BACKSLASH = ord('"'), ord("\\")
_LETTERS: Final = b"uuuuuuuubtnufruu"
"""What follows the backslash, for each of the first 16 control characters."""
_HEX: Final = b"0123456789abcdef"


def _copy_bytes(typing_context: Any, to: Any, source: Any, count: Any) -> Any:
    """Copy bytes from an address to an address, in one call; a loop over a few bytes costs several times as much."""
    del typing_context, to, source, count

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        del signature
        byte = ir.IntType(8).as_pointer()
        to, source = builder.inttoptr(given[0], byte), builder.inttoptr(given[1], byte)
        cgutils.raw_memcpy(builder, to, source, given[2], 1)  # type: ignore[no-untyped-call]
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


copy_bytes: Final[Any] = intrinsic(_copy_bytes)


@njit(cache=True, nogil=True, error_model="numpy")
def copy_texts(views, buffers, starts, data):  # type: ignore[no-untyped-def]
    """The bytes of a column's texts, each to where it shall begin."""
    to, here = data.ctypes.data, views.ctypes.data
    for row in range(len(views)):
        length = views[row, 0]
        source = here + 16 * row + 4
        if length > _SHORT:
            source = buffers[views[row, 2]] + views[row, 3]
        copy_bytes(to + starts[row], source, length)


@njit(cache=True, nogil=True, error_model="numpy")
def view_texts(data, starts, lengths, views):  # type: ignore[no-untyped-def]
    """The views of texts that lie in `data`."""
    source, to = data.ctypes.data, views.ctypes.data
    for row in range(len(starts)):
        length = lengths[row]
        views[row, 0] = length
        if length > _SHORT:
            views[row, 2] = 0
            views[row, 3] = starts[row]
            copy_bytes(to + 16 * row + 4, source + starts[row], 4)
        else:
            # What a text does not need is nought: equal texts have equal views.
            views[row, 1] = 0
            views[row, 2] = 0
            views[row, 3] = 0
            copy_bytes(to + 16 * row + 4, source + starts[row], length)


@njit(cache=True, nogil=True, error_model="numpy")
def put_texts(data, cursors, texts, starts, lengths):  # type: ignore[no-untyped-def]
    """Append a text to each row that is being made."""
    to, source = data.ctypes.data, texts.ctypes.data
    for row in range(len(starts)):
        copy_bytes(to + cursors[row], source + starts[row], lengths[row])
        cursors[row] += lengths[row]


@njit(cache=True, nogil=True, error_model="numpy")
def put_text(data, cursors, text):  # type: ignore[no-untyped-def]
    """Append the same text to every row that is being made."""
    to, source, length = data.ctypes.data, text.ctypes.data, len(text)
    for row in range(len(cursors)):
        copy_bytes(to + cursors[row], source, length)
        cursors[row] += length


@njit(cache=True, nogil=True, error_model="numpy")
def has_escapes(data):  # type: ignore[no-untyped-def]
    """Whether any byte is one that JSON writes otherwise."""
    # Without a way out, so that many bytes are compared at once.
    found = False
    for byte in data:
        found |= (byte < 0x20) | (byte == _QUOTE) | (byte == _BACKSLASH)
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def quoted_lengths(data, starts, lengths, quoted):  # type: ignore[no-untyped-def]
    """How long each text is as JSON."""
    for row in range(len(starts)):
        more = 2
        for at in range(starts[row], starts[row] + lengths[row]):
            byte = data[at]
            if byte < 32 or byte in (_QUOTE, _BACKSLASH):
                more += 1 if byte >= 0x10 or _LETTERS[byte] != 117 else 5
                if 0x10 <= byte < 0x20:
                    more += 4
        quoted[row] = lengths[row] + more


@njit(cache=True, nogil=True, error_model="numpy")
def quote_texts(data, starts, lengths, quoted_starts, quoted_lengths, out):  # type: ignore[no-untyped-def]
    """Each text as JSON."""
    to, source = out.ctypes.data, data.ctypes.data
    for row in range(len(starts)):
        cursor = quoted_starts[row]
        out[cursor] = _QUOTE
        cursor += 1
        if quoted_lengths[row] == lengths[row] + 2:
            copy_bytes(to + cursor, source + starts[row], lengths[row])
            cursor += lengths[row]
        else:
            for at in range(starts[row], starts[row] + lengths[row]):
                byte = data[at]
                if byte < 0x20:
                    out[cursor] = _BACKSLASH
                    letter = _LETTERS[byte] if byte < 0x10 else 117
                    out[cursor + 1] = letter
                    cursor += 2
                    if letter == 117:
                        out[cursor] = 48
                        out[cursor + 1] = 48
                        out[cursor + 2] = _HEX[byte >> 4]
                        out[cursor + 3] = _HEX[byte & 15]
                        cursor += 4
                    continue
                if byte in (_QUOTE, _BACKSLASH):
                    out[cursor] = _BACKSLASH
                    cursor += 1
                out[cursor] = byte
                cursor += 1
        out[cursor] = _QUOTE


@njit(cache=True, nogil=True, error_model="numpy")
def write_wholes(values, data, starts, lengths):  # type: ignore[no-untyped-def]
    """Whole numbers in decimal, each at the end of its `DIGITS` bytes of `data`."""
    for row in range(len(values)):
        value = values[row]
        # The least number has no opposite in 64 bits, but in 64 bits without a sign.
        rest = np.uint64(value) if value >= 0 else ~np.uint64(value) + np.uint64(1)
        at = DIGITS * (row + 1)
        while True:
            at -= 1
            data[at] = 48 + rest % np.uint64(10)
            rest //= np.uint64(10)
            if rest == 0:
                break
        if value < 0:
            at -= 1
            data[at] = 45
        starts[row] = at
        lengths[row] = DIGITS * (row + 1) - at
