"""Each kind of model answers small models as the reference evaluator did, in every corner that was asked for."""

from __future__ import annotations

import math
from typing import Any

import pytest

from styx_lab.errors import ModelError
from styx_lab.models.native import load

from .small import CASES, evaluate, read_cases

KINDS = sorted(each.name.partition(".")[0] for each in CASES.iterdir())


def _same(wanted: Any, got: Any) -> bool:
    if wanted is None or got is None:
        other = got if wanted is None else wanted
        return other is None or (isinstance(other, float) and math.isnan(other))
    if isinstance(wanted, str) or isinstance(got, str):
        return str(wanted) == str(got)
    wanted, got = float(wanted), float(got)
    if not math.isfinite(wanted) or not math.isfinite(got):
        return wanted == got or (math.isnan(wanted) and math.isnan(got))
    return abs(wanted - got) <= 1e-9 * max(1.0, abs(wanted))


@pytest.mark.parametrize("kind", KINDS)
def test_small_models_are_answered_as_the_reference_answers_them(kind: str) -> None:
    for case in read_cases(kind):
        if case.get("refused"):
            with pytest.raises(ModelError, match="in line"):
                load(case["pmml"].encode())
            continue
        rows, wanted = case["rows"], case["wanted"]
        # A text among numbers comes alone: a column has one type.
        types = {name: type(value) for row in rows for name, value in row.items() if value is not None}
        types |= {name: type(value) for name, value in rows[0].items() if value is not None}
        odd = [at for at, row in enumerate(rows) if any(_odd(row[name], types[name]) for name in row)]
        even = [at for at in range(len(rows)) if at not in odd]
        found = dict(zip(even, evaluate(case["pmml"], [rows[at] for at in even]), strict=True))
        found |= {at: evaluate(case["pmml"], [rows[at]])[0] for at in odd}
        for at, row in enumerate(rows):
            told, got = wanted[at], found[at]
            assert (told is None) == (got is None), f"{case['name']}, {row}: wanted {told}, got {got}"
            if told is not None and got is not None:
                for name, value in told.items():
                    assert _same(value, got.get(name)), f"{case['name']}, {row}: wanted {told}, got {got}"


def _odd(value: Any, expected: type) -> bool:
    return value is not None and not isinstance(value, expected)
