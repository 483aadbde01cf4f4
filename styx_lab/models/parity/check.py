"""The parity check: scikit-learn, the native evaluator and a reference are asked about the same rows.

Law: the same model, rows and seed give the same report; a model that one of them cannot load is a note, never a pass
in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from hashlib import sha256
from itertools import pairwise
from typing import Any, Final
from xml.etree.ElementTree import Element

import polars as pl

from styx_lab.core.ports import ModelRecord
from styx_lab.errors import MissingDependencyError, ModelError, StyxError
from styx_lab.models.answers import plan_answer
from styx_lab.models.guard import parse_pmml
from styx_lab.models.parity.asking import SCORE, Answerer, Embedded, Engine, Pipeline
from styx_lab.models.parity.bad_rows import bad_rows
from styx_lab.models.parity.boundaries import Thresholds, boundary_rows, thresholds
from styx_lab.models.parity.compare import PairReport, compare, gather
from styx_lab.models.parity.examples import ExampleSet, evenly
from styx_lab.models.parity.generated import generated_rows
from styx_lab.models.parity.invented import invented_rows
from styx_lab.models.parity.known import KnownDifference, known_differences
from styx_lab.models.parity.precision import PRECISION, SINGLE_PRECISION, single_precision
from styx_lab.models.parity.reaching import rows_at_splits
from styx_lab.models.parity.report import ParityReport
from styx_lab.models.preparation import as_polars
from styx_lab.models.scorers import ENGINES, open_scorer
from styx_lab.models.summary import PmmlSummary, read_summary
from styx_lab.models.verification import verification_frame

__all__ = ["REFERENCES", "check_parity"]

REFERENCES: Final = ("jpmml", "pypmml")
"""The evaluators to hold the native one against, the best first; one that is not installed is passed over."""

_VERIFICATION: Final = re.compile(rb"<((?:\w+:)?ModelVerification)\b[^>]*?(?:/>|>.*?</\1\s*>)", re.DOTALL)


def check_parity(
    pmml: bytes,
    *,
    name: str = "model",
    pipeline: Any = None,
    rows: Any = None,
    rows_are: str = "training",
    reference: str | None = "auto",
    precision: float | None = None,
    seed: int = 0,
    most_rows: int = 2_000,
) -> ParityReport:
    """Compare what scikit-learn, the native evaluator and a reference make of a model, row by row.

    >>> import polars as pl
    >>> from styx_lab.models import train
    >>> rows = pl.DataFrame({"amount": [10.0, 900.0, 20.0, 800.0] * 10, "fraud": [0, 1, 0, 1] * 10})
    >>> model = train(rows, target="fraud", features=["amount"], name="fraud")
    >>> report = check_parity(model.export(), name="fraud", pipeline=model.pipeline, rows=rows, reference=None)
    >>> report.passed, report.table()["set"].to_list()
    (True, ['embedded', 'training', 'generated', 'bad'])

    The rows are those given; rows generated from their ranges and categories, with corners; rows on and next to every
    threshold in the file; and bad rows. Rows that are embedded in the file are held against the answers beside them.

    Args:
        pmml: the file's bytes.
        name: what to call the model.
        pipeline: the fitted pipeline it was exported from; without one the evaluators alone are compared.
        rows: rows as the pipeline was trained on (Polars or pandas); without them they are made from the file.
        rows_are: what to call them: `training` or `examples`.
        reference: `jpmml`, `pypmml`, `None` for none; `auto` for the first of those that is installed.
        precision: how far apart two numbers may be, as a share; 1e-9 where it is not given, 1e-6 where the file
            reckons in 32 bits.
        seed: of the generated rows.
        most_rows: how many of the given rows to ask about, evenly spread.

    Raises:
        ModelError: when the file is refused, or the native evaluator cannot load it.
    """
    root = parse_pmml(pmml, name=name)
    summary = read_summary(root, name=name)
    where = f"model {name!r}"
    if reference not in ("auto", None, *ENGINES) or reference == "native":
        known = ", ".join(each for each in ENGINES if each != "native")
        raise ModelError("unknown reference", where=where, got=reference, hint=f"one of {known}, or none")
    single = single_precision(root)
    nearness = precision if precision is not None else SINGLE_PRECISION if single else PRECISION
    if not nearness >= 0:
        raise ModelError("a precision is a share of nought or more", where=where, got=nearness)
    notes: list[str] = []
    # Each scorer would refuse a model at its first embedded row that differs; here all rows are wanted.
    bare = _VERIFICATION.sub(b"", pmml)
    with ExitStack() as stack:
        native = Engine("native", open_scorer(ModelRecord(name, 0, bare, "", "", {}), engine="native"))
        stack.callback(native.close)
        chain: list[Answerer] = [native]
        other = _reference(reference, name, bare, notes)
        if other is not None:
            chain.append(other)
            stack.callback(other.close)
        given = None if rows is None else as_polars(rows, where=where)
        if pipeline is not None and given is None:
            raise ModelError("a pipeline is compared on rows, and none are given", where=where, hint="rows=frame")
        evaluators = list(chain)
        if pipeline is not None and given is not None:
            chain.insert(0, Pipeline(pipeline, summary, _fitted_on(pipeline, given, where)))
        causes = known_differences(root, pipeline, given)
        pairs: list[PairReport] = []
        embedded = verification_frame(summary)
        if embedded is not None:
            pairs += _compared(
                ExampleSet("embedded", (embedded,)), [Embedded(summary), *evaluators], summary, nearness, causes
            )
        drawn = thresholds(root)
        for examples in _sets(summary, root, drawn, given, rows_are, seed, most_rows):
            if examples.note:
                notes.append(f"{examples.name}: {examples.note}")
            if len(examples):
                pairs += _compared(examples, chain, summary, nearness, causes)
    met = {known for each in pairs for known in each.known}
    return ParityReport(
        name=name,
        sha256=sha256(pmml).hexdigest(),
        precision=nearness,
        reference=None if other is None else other.name,
        pairs=tuple(pairs),
        why="as it was asked for" if precision is not None else single or "the file reckons in 64 bits",
        notes=tuple(notes),
        causes={each.name: each.text for each in causes if not each.of_engine or each.name in met},
        seed=seed,
    )


def _compared(
    examples: ExampleSet,
    chain: list[Answerer],
    summary: PmmlSummary,
    precision: float,
    causes: Sequence[KnownDifference],
) -> Iterator[PairReport]:
    shares = {f"probability({label})" for label in summary.classes}
    shares |= {each.name for each in summary.outputs if each.feature == "probability"}
    labels: set[str] = set()
    kind = plan_answer(summary).kind
    if summary.function == "classification":
        labels |= {each for each in (summary.target,) if each is not None}
        (shares if kind == "probability" else labels).add(SCORE)
    answers = [(each.name, gather([each.ask(part) for part in examples.parts])) for each in chain]
    for left, right in pairwise(answers):
        yield compare(examples, left, right, precision=precision, shares=shares, labels=labels, known=causes)


def _reference(wanted: str | None, name: str, pmml: bytes, notes: list[str]) -> Engine | None:
    """The reference, opened; what stands against one is noted."""
    if wanted is None:
        notes.append("reference: none was asked for")
        return None
    for engine in REFERENCES if wanted == "auto" else (wanted,):
        if engine not in ENGINES:
            continue
        try:
            return Engine(engine, open_scorer(ModelRecord(name, 0, pmml, "", "", {}), engine=engine))
        except MissingDependencyError as error:
            if wanted != "auto":
                raise
            notes.append(f"reference: {engine} is not installed ({error.what})")
        except StyxError as error:
            notes.append(f"reference: {engine} cannot load it: {error.what}")
    return None


def _fitted_on(pipeline: Any, rows: pl.DataFrame, where: str) -> dict[str, pl.DataType]:
    """The columns that a pipeline was fitted on, with the types that the rows have."""
    names = [
        str(each) for each in getattr(pipeline, "feature_names_in_", getattr(pipeline, "active_fields", rows.columns))
    ]
    absent = [each for each in names if each not in rows.columns]
    if absent:
        raise ModelError(f"the rows lack the pipeline's {', '.join(map(repr, absent))}", where=where, got=rows.columns)
    return {each: rows.schema[each] for each in names}


def _sets(
    summary: PmmlSummary,
    root: Element,
    drawn: Thresholds,
    given: pl.DataFrame | None,
    rows_are: str,
    seed: int,
    most: int,
) -> Iterator[ExampleSet]:
    if given is None:
        rows = invented_rows(summary, root, drawn, seed=seed)
        yield ExampleSet("invented", (), (), "there are no example rows: all are made from the file")
    else:
        absent = [each for each in summary.inputs if each not in given.columns]
        if absent:
            raise ModelError(
                f"the rows lack the model's {', '.join(map(repr, absent))}",
                where=f"model {summary.name!r}",
                got=given.columns,
            )
        rows = given
        kept = evenly(given, most)
        note = "" if kept.height == given.height else f"{kept.height:,} of {given.height:,} rows, evenly spread"
        yield ExampleSet(rows_are, (kept,), (), note)
    types: Mapping[str, str] = {each.name: each.data_type for each in summary.fields}
    yield generated_rows(rows, list(summary.inputs), seed=seed)
    yield boundary_rows(drawn, rows, types, reached=rows_at_splits(root, rows))
    yield bad_rows(rows, {each: rows.schema[each] for each in summary.inputs})
