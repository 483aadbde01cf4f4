"""Small models that ask after one corner each (a missing argument, a vote that ties), with the reference's answers.

Each line of `corners.jsonl.gz` is a model and rows with answers; `null` stands for a row (or a model) that it refuses.
"""

from __future__ import annotations

import gzip
import json
from typing import Any

from styx_lab.errors import ModelError
from styx_lab.models.native import load

from .conftest import CASES
from .reference_cases import answers, bad_frame, differs


def test_every_corner_is_answered_as_the_reference_answers_it() -> None:
    lines = gzip.decompress((CASES / "corners.jsonl.gz").read_bytes()).decode().splitlines()
    models = rows = 0
    wrong = []
    for line in lines:
        case = json.loads(line)
        models += 1
        try:
            document = load(case["pmml"].encode())
        except ModelError as error:
            wrong += [(str(error), row, wanted) for row, wanted in case["rows"] if wanted is not None]
            continue
        for row, wanted in case["rows"]:
            rows += 1
            (got,), (error_text,) = answers(document, bad_frame({name: _value(each) for name, each in row.items()}))
            if (error_text is not None) != (wanted is None) or (wanted is not None and _differ(wanted, got)):
                wrong.append((case["pmml"], row, wanted, error_text or got))
    assert not wrong, wrong[:3]
    assert models > 500
    assert rows > 3_000


def _value(written: Any) -> Any:
    return float(written["f"]) if isinstance(written, dict) else written


def _differ(wanted: dict[str, Any], got: dict[str, Any]) -> bool:
    for name, value in wanted.items():
        each = _value(value)
        kind = "bool" if isinstance(each, bool) else "num" if isinstance(each, int | float) else "str"
        if differs(each, got.get("_target" if name == "None" else name), kind):
            return True
    return False
