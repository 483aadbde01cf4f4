"""A model that several scorers open is compiled once; what is kept is bounded, and is what the file says."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from styx_lab.errors import ModelError
from styx_lab.models import NativeScorer, PmmlLimits, compiled
from tests.models.reference_cases import read_case


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    compiled.forget_compiled()
    yield
    compiled.forget_compiled()


def test_the_same_bytes_are_compiled_once() -> None:
    data = read_case("lr_cancer_scaled").pmml
    first, second = NativeScorer("a@1", data), NativeScorer("b@2", bytes(bytearray(data)))
    assert first._document is not None
    assert second._document is not None
    assert first._document.model is second._document.model
    assert (first.name, second.name) == ("a@1", "b@2")
    first.close()
    assert second.score(read_case("lr_cancer_scaled").rows).errors.null_count() == 60


def test_errors_name_the_scorer_that_was_asked() -> None:
    case = read_case("lr_cancer_scaled")
    scorers = [NativeScorer(name, case.pmml) for name in ("a@1", "b@2")]
    broken = case.rows[:1].with_columns(pl.lit("abc").alias(case.rows.columns[0]))
    assert [scorer.score(broken).errors[0].partition(":")[0] for scorer in scorers] == ["model 'a@1'", "model 'b@2'"]


def test_a_change_of_one_byte_is_another_model() -> None:
    data = read_case("lr_cancer_scaled").pmml
    NativeScorer("a@1", data)
    with pytest.raises(ModelError, match="'b@1'"):
        NativeScorer("b@1", data.replace(b'version="4.4"', b'version="9.4"'))
    with pytest.raises(ModelError, match="bigger than 100 bytes"):
        NativeScorer("c@1", data, limits=PmmlLimits(bytes=100))


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = read_case("hand_reg_exp").pmml
    for number in range(compiled.MOST_MODELS + 3):
        NativeScorer("a@1", data + b"\n" * number)
    assert len(compiled._kept) == compiled.MOST_MODELS
    monkeypatch.setattr(compiled, "MOST_BYTES", 2 * len(data) + 10)
    NativeScorer("a@1", data + b" \n")
    assert len(compiled._kept) <= 2


def test_threads_may_share_a_model() -> None:
    case = read_case("et_digits")
    scorers = [NativeScorer(f"a@{number}", case.pmml) for number in range(4)]
    holes = case.rows.with_columns(pl.when(pl.int_range(pl.len()) % 3 > 0).then(pl.col(case.rows.columns[20])))
    batches = [pl.concat([case.rows, holes] * (number + 1)) for number in range(4)]
    alone = [scorer.score(frame) for scorer, frame in zip(scorers, batches, strict=True)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            together = list(pool.map(lambda pair: pair[0].score(pair[1]), zip(scorers, batches, strict=True)))
            for one, other in zip(alone, together, strict=True):
                assert one.values.equals(other.values)
                assert one.errors.equals(other.errors)
