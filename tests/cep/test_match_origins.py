"""The origin of a match is canonical JSON of its step, key and events, and no two are alike."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from styx_lab.bench.group_cases import run_flow, slices_of, stream_of
from styx_lab.bench.patterns import GENERAL
from styx_lab.bench.payments import payments
from styx_lab.core.events import canonical_json
from styx_lab.core.texts import byte_runs, join_runs
from styx_lab.flow.flow import flow
from styx_lab.operators.cep.found import COLUMNS, SLOT, STEP
from styx_lab.operators.cep.matches import _again


@pytest.mark.parametrize("name", ["loop", "group", "not"])
def test_an_origin_is_canonical_and_names_the_events_of_each_part(name):
    pattern, data = GENERAL[name].pattern, payments(2_000)
    made = flow("p", stream_of().detect(pattern, name="the_step").to("out"))
    found = pl.concat(run_flow(lambda: made, ("payments",), slices_of(data, 500)))
    ids = data.columns["event_id"].to_list()
    assert found.height
    assert found["_origin"].is_unique().all()
    for match in found.iter_rows(named=True):
        origin = json.loads(match["_origin"])
        assert canonical_json(origin).decode() == match["_origin"]
        assert origin[:2] == ["the_step", [match["card_id"]]]
        taken = {part: [ids[place] for _, _, place in events] for part, events in origin[2].items()}
        told = {part: match[part]["event_id"] for part in pattern.columns}
        assert taken == {part: one if isinstance(one, list) else [one] for part, one in told.items()}


def test_what_a_step_has_twice_is_numbered():
    inner = byte_runs([b"a", b"a", b"b", b"a", b"a", b"a"])
    found = np.zeros((6, COLUMNS), np.int64)
    found[:, STEP], found[:, SLOT] = [0, 0, 0, 0, 1, 1], [7, 7, 7, 8, 7, 8]
    assert join_runs(_again(inner, found), 6).to_list() == ["", ",1", "", "", "", ""]
    found[:, STEP] = np.arange(6)
    assert _again(inner, found) == []
