"""The compiled side of `KeyIndex`: a hash table over the bytes of keys, which are kept one after another in an arena.

Law: a hash is an index, never an identity. The table's words say where to look; the bytes of the key are compared
before a slot is given.

A key is a run of bytes. A word of the table is `tag << 32 | slot + 1`, or 0 where there is none; the tag is 31 bits of
the key's hash, and its lowest bits are the place where the search begins. So the table can be made longer, and the gap
that a key leaves can be closed, without reading a key.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from styx_lab.core.arrow import Bytes
from styx_lab.core.batch import Int64s
from styx_lab.core.compiled import njit
from styx_lab.core.text_kernel import copy_bytes

__all__ = [
    "CONTROL_WORDS",
    "DEAD",
    "FREE",
    "LENGTH",
    "LIVE",
    "NEXT",
    "USED",
    "KeyArrays",
    "copy_keys",
    "drop_slots",
    "find_slots",
    "lay_out",
    "move_keys",
    "put_words",
    "rehash",
    "take_words",
]

# Words of `control`: slots given out so far, those that are free again, those in use, bytes used and bytes dead in the
# arena, and a word of no meaning.
NEXT, FREE, LIVE, USED, DEAD, TOUCHED = range(6)
CONTROL_WORDS: Final = 6
# Columns of `places`.
START, LENGTH = range(2)
_BLOCK: Final = 64
_FREE_SLOT: Final = -1
_MIX: Final = np.uint64(0xFF51AFD7ED558CCD)
_START: Final = np.uint64(0x9E3779B97F4A7C15)


class KeyArrays(NamedTuple):
    """All keys, as flat arrays."""

    control: Int64s
    table: Int64s
    """A power of two long, at most half full."""
    arena: Bytes
    places: np.ndarray[tuple[int, int], np.dtype[np.int64]]
    """Where each slot's key begins in the arena, and how long it is; -1 where the slot is free."""
    free: Int64s
    """A stack of the slots that are free again."""


@njit(cache=True, nogil=True, error_model="numpy")
def _tag(data, start, length, tags):  # type: ignore[no-untyped-def]
    """31 bits of a key's hash, of which `tags` says which are used (all of them, but in tests of collisions)."""
    mixed = np.uint64(length) * _START
    at = np.uint64(start)
    eight = np.uint64(8)
    for _ in range(length >> 3):
        word = np.uint64(0)
        for byte in range(8):
            word |= np.uint64(data[at + np.uint64(byte)]) << np.uint64(8 * byte)
        mixed = (mixed ^ word) * _MIX
        mixed ^= mixed >> np.uint64(32)
        at += eight
    for byte in range(length & 7):
        mixed = (mixed ^ np.uint64(data[at + np.uint64(byte)])) * _MIX
        mixed ^= mixed >> np.uint64(32)
    mixed *= _MIX
    return np.int64(mixed >> np.uint64(33)) & tags


@njit(cache=True, nogil=True, error_model="numpy")
def _same(left, left_at, right, right_at, length):  # type: ignore[no-untyped-def]
    # Unsigned places need no test for a negative one; a loop without a way out compares many bytes at once.
    left_at = np.uint64(left_at)
    right_at = np.uint64(right_at)
    differ = np.uint8(0)
    for byte in range(np.uint64(length)):
        differ |= left[left_at + byte] ^ right[right_at + byte]
    return differ == 0


@njit(cache=True, nogil=True, error_model="numpy")
def find_slots(keys, data, starts, lengths, tags, first, slots):  # type: ignore[no-untyped-def]
    """The slot of each key of a batch, from row `first` on; unknown keys get one. Gives the row at which room ran out.

    Keys are `lengths` bytes of `data` from `starts` on.
    """
    control, table, arena, free, places = keys.control, keys.table, keys.arena, keys.free, keys.places
    mask = len(table) - 1
    row_tags = np.empty(_BLOCK, np.int64)
    likely = np.empty(_BLOCK, np.int64)
    begins = np.empty(_BLOCK, np.int64)
    for block in range(first, len(starts), _BLOCK):
        # A million keys are in no cache. Looked up one after another, each waits for memory three times; so what many
        # keys need is asked for at once, and is there when it is looked at.
        count = min(_BLOCK, len(starts) - block)
        for at in range(count):
            row_tags[at] = _tag(data, starts[block + at], lengths[block + at], tags)
            likely[at] = (table[row_tags[at] & mask] & 0xFFFFFFFF) - 1
        for at in range(count):
            begins[at] = places[max(likely[at], 0), START]
        for at in range(count):
            # The key of no bytes may begin at the very end.
            if begins[at] < len(arena):
                control[TOUCHED] ^= arena[begins[at]]
        for at in range(count):
            row = block + at
            start = starts[row]
            length = lengths[row]
            tag = row_tags[at]
            place = tag & mask
            slot = -1
            while table[place]:
                if table[place] >> 32 == tag:
                    known = (table[place] & 0xFFFFFFFF) - 1
                    if places[known, LENGTH] == length and _same(arena, places[known, START], data, start, length):
                        slot = known
                        break
                place = (place + 1) & mask
            if slot < 0:
                used = control[USED]
                if 2 * (control[LIVE] + 1) > len(table) or used + length > len(arena):
                    return row
                if control[FREE]:
                    control[FREE] -= 1
                    slot = free[control[FREE]]
                elif control[NEXT] < len(places):
                    slot = control[NEXT]
                    control[NEXT] += 1
                else:
                    return row
                table[place] = (tag << 32) | (slot + 1)
                for byte in range(length):
                    arena[used + byte] = data[start + byte]
                places[slot, START] = used
                places[slot, LENGTH] = length
                control[USED] += length
                control[LIVE] += 1
            slots[row] = slot
    return len(starts)


@njit(cache=True, nogil=True, error_model="numpy")
def rehash(old, table):  # type: ignore[no-untyped-def]
    """Fill an empty table with the words of another."""
    mask = len(table) - 1
    for word in old:
        if word:
            place = (word >> 32) & mask
            while table[place]:
                place = (place + 1) & mask
            table[place] = word


@njit(cache=True, nogil=True, error_model="numpy")
def drop_slots(keys, slots, tags):  # type: ignore[no-untyped-def]
    """Let go of the keys of slots; each gap in the table is closed, so that no search ends early."""
    control, table, free, places = keys.control, keys.table, keys.free, keys.places
    mask = len(table) - 1
    for slot in slots:
        place = _tag(keys.arena, places[slot, START], places[slot, LENGTH], tags) & mask
        while (table[place] & 0xFFFFFFFF) - 1 != slot:
            place = (place + 1) & mask
        gap = place
        while True:
            place = (place + 1) & mask
            if not table[place]:
                break
            home = (table[place] >> 32) & mask
            if (place - home) & mask >= (place - gap) & mask:
                table[gap] = table[place]
                gap = place
        table[gap] = 0
        control[DEAD] += places[slot, LENGTH]
        places[slot, LENGTH] = _FREE_SLOT
        free[control[FREE]] = slot
        control[FREE] += 1
        control[LIVE] -= 1


@njit(cache=True, nogil=True, error_model="numpy")
def move_keys(keys, arena):  # type: ignore[no-untyped-def]
    """Put the living keys one after another into another arena."""
    places, used = keys.places, 0
    to, old = arena.ctypes.data, keys.arena.ctypes.data
    for slot in range(keys.control[NEXT]):
        # A free slot begins where the table may look before it compares lengths.
        start, length = places[slot, START], places[slot, LENGTH]
        places[slot, START] = used
        if length > 0:
            copy_bytes(to + used, old + start, length)
            used += length
    keys.control[USED] = used
    keys.control[DEAD] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def lay_out(keys, slots, starts, lengths):  # type: ignore[no-untyped-def]
    """How long slots' keys are, and where each begins if they lie one behind the other; gives the length of all."""
    places, start = keys.places, 0
    for row in range(len(slots)):
        starts[row] = start
        lengths[row] = places[slots[row], LENGTH]
        start += lengths[row]
    return start


@njit(cache=True, nogil=True, error_model="numpy")
def copy_keys(keys, slots, starts, data):  # type: ignore[no-untyped-def]
    """The bytes of slots' keys, each to where it shall begin."""
    places = keys.places
    to, arena = data.ctypes.data, keys.arena.ctypes.data
    for row in range(len(slots)):
        slot = slots[row]
        copy_bytes(to + starts[row], arena + places[slot, START], places[slot, LENGTH])


@njit(cache=True, nogil=True, error_model="numpy")
def put_words(data, cursors, words):  # type: ignore[no-untyped-def]
    """Append a number of eight bytes to each key of a batch that is being made."""
    for row in range(len(words)):
        for byte in range(8):
            data[cursors[row] + byte] = (words[row] >> (8 * byte)) & 0xFF
        cursors[row] += 8


@njit(cache=True, nogil=True, error_model="numpy")
def take_words(data, cursors, words):  # type: ignore[no-untyped-def]
    """Read what `put_words` appended."""
    for row in range(len(words)):
        word = np.int64(0)
        for byte in range(8):
            word |= np.int64(data[cursors[row] + byte]) << (8 * byte)
        words[row] = word
        cursors[row] += 8
