"""The keys of a window's results: their columns and the beginning of their origin, by slot.

Law: the origin of a result is the canonical JSON `[step, key, [window start ms, window end ms, firing]]`; it depends on
the key's value, never on its slot.
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.core.events import canonical_json
from styx_lab.core.keys import KeyIndex
from styx_lab.core.texts import Runs, byte_runs

__all__ = ["ResultKeys", "origin_ends"]


class ResultKeys(NamedTuple):
    """The keys of results.

    Attributes:
        columns: those of the key.
        origin: what their origins begin with; the edges and the firing are to follow, and `]]`.
    """

    columns: list[pl.Series]
    origin: list[Runs | str]

    @staticmethod
    def of(step: str, index: KeyIndex, slots: Int64s, schema: dict[str, pl.DataType]) -> ResultKeys:
        """The keys of some slots, a row each.

        Args:
            step: the name of the step.
            index: the slots of the keys.
            slots: of the results.
            schema: the key columns.
        """
        frame, json = index.frame_and_json(slots, schema)
        return ResultKeys(frame.get_columns(), [f"[{canonical_json(step).decode()},[", *json, "],["])


def origin_ends(starts: Int64s, ends: Int64s) -> Runs:
    """How the origins of windows end, that go from `starts` to `ends` (ms) and fire once."""
    return byte_runs([b"%d,%d,0]]" % edges for edges in zip(starts.tolist(), ends.tolist(), strict=True)])
