"""The evaluator gives what the reference evaluator gave: 60 models, their good rows and 1,584 bad ones."""

from __future__ import annotations

import pytest

from styx_lab.models.native import load

from .reference_cases import CASES, answers, bad_frame, differs, read_case


def test_there_are_sixty_cases() -> None:
    assert len(CASES) == 60
    assert sum(len(read_case(name).bad) for name in CASES) == 1_584


@pytest.mark.parametrize("name", CASES)
def test_good_rows_have_the_references_answers(name: str) -> None:
    case = read_case(name)
    found, errors = answers(load(case.pmml, name=name), case.rows)
    for row, (wanted, got, error) in enumerate(zip(case.expected, found, errors, strict=True)):
        refused = wanted.get("#error", "")
        assert (error is not None) == bool(refused), f"row {row}: wanted {refused or wanted}, got {error or got}"
        if error is None:
            for column, value in wanted.items():
                if column != "#error":
                    assert not differs(value, got[column], case.kinds.get(column, "num")), f"row {row}, {column}: {got}"


@pytest.mark.parametrize("name", CASES)
def test_bad_rows_are_answered_as_the_reference_answers_them(name: str) -> None:
    case = read_case(name)
    document = load(case.pmml, name=name)
    for bad in case.bad:
        (got,), (error,) = answers(document, bad_frame(bad["row"]))
        if "error" in bad:
            assert error is not None, f"{bad['tag']}: wanted {bad['error']}, got {got}"
            continue
        assert error is None, f"{bad['tag']}: wanted {bad['expected']}, got {error}"
        for column, value in bad["expected"].items():
            kind = "str" if isinstance(value, str) else "bool" if isinstance(value, bool) else "num"
            assert not differs(value, got.get(column), kind), f"{bad['tag']}, {column}: wanted {value}, got {got}"


@pytest.mark.parametrize("name", CASES)
def test_a_row_has_its_answer_whatever_rows_it_comes_with(name: str) -> None:
    case = read_case(name)
    document = load(case.pmml, name=name)
    whole = answers(document, case.rows)
    for size in (1, 7):
        parts = [answers(document, case.rows[start : start + size]) for start in range(0, case.rows.height, size)]
        assert repr([row for found, _ in parts for row in found]) == repr(whole[0])
        assert [error for _, errors in parts for error in errors] == whole[1]
