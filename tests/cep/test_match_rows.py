"""Law: a match's row says of each part what its origin says: the events that it took, and null where it took none."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import styx_lab as styx
from styx_lab import Pattern

SOURCE = styx.source(
    "events", schema={"at": "int", "kind": "str", "who": "str"}, time="at", time_unit="s", key="who", max_delay="0s"
)
B = Pattern.begin("a").where("kind = 'a'").followed_by("b").where("kind = 'b'")
PATTERNS = (
    B.optional().followed_by("c").where("kind = 'c'").within("1h"),
    B.times(0, 2).followed_by("c").where("kind = 'c'").within("1h"),
    B.one_or_more().optional().followed_by("c").where("kind = 'c'").within("4s"),
)


def _said(row: dict[str, Any], parts: list[str]) -> dict[str, list[int]]:
    """When the events happened that a row shows, by part."""
    found = {}
    for part in parts:
        if row[part] is not None:
            at = row[part]["at"]
            found[part] = at if isinstance(at, list) else [at]
    return found


@given(st.sampled_from(PATTERNS), st.lists(st.sampled_from("abcx"), max_size=12))
def test_parts_and_origins_agree(pattern: Pattern, kinds: list[str]) -> None:
    found = SOURCE.detect(pattern)
    flow = styx.flow("matches", found.to("matches"), found.timed_out.to("timed_out"))
    outputs = flow.replay([{"at": at, "kind": kind, "who": "1"} for at, kind in enumerate(kinds)]).outputs
    for name in ("matches", "timed_out"):
        for row in outputs[name].iter_rows(named=True):
            _, _, parts, *_ = json.loads(row["_origin"])
            # The offset of an event is its time here.
            assert _said(row, list(pattern.columns)) == {part: [at for _, _, at in of] for part, of in parts.items()}


def test_what_was_left_out_is_null_beside_a_match_that_has_it() -> None:
    flow = styx.flow("matches", SOURCE.detect(PATTERNS[0]).to("out"))
    out = flow.replay([{"at": at, "kind": kind, "who": "1"} for at, kind in enumerate("abc")]).outputs["out"]
    assert out["b"].is_null().to_list() == [False, True]
