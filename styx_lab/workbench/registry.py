"""The registry of models: what there is, what it is made of, what differs, and which names point where.

Law: a version never changes; what moves are aliases and notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

from styx_lab.core.ports import ModelRecord
from styx_lab.errors import NotFoundError
from styx_lab.models import PmmlSummary, check_pmml, open_scorer
from styx_lab.models.card import METRICS, ModelCard
from styx_lab.stores import SqliteStore
from styx_lab.workbench.models import find_model
from styx_lab.workbench.scoring import score_rows

__all__ = [
    "ModelDifference",
    "ModelEntry",
    "add_model",
    "diff_models",
    "list_models",
    "note_model",
    "point_alias",
    "remove_alias",
    "show_model",
]

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One version of a model in the registry.

    Attributes:
        model: as `fraud@3`; of a file its name.
        aliases: the names that point at it now.
        created: when it was kept, ISO 8601, UTC; empty for a file.
        sha256, bytes: of its PMML.
        kind: the model element of the file, as `MiningModel`.
        function: `classification`, `regression`, ...
        inputs: the columns that it needs, with their types.
        target: what it predicts.
        outputs: the further columns it can give, with their types.
        metrics: what training measured.
        measured_on: on which rows.
        training: rows, hash of the training data, features, versions of libraries, seed.
        verification: how many rows are embedded in the file; every scorer asked for them when it was opened.
        notes: what people wrote of it.
        report: the whole report of training.
    """

    model: str
    aliases: tuple[str, ...]
    created: str
    sha256: str
    bytes: int
    kind: str
    function: str
    inputs: Mapping[str, str]
    target: str | None
    outputs: Mapping[str, str]
    metrics: Mapping[str, float]
    measured_on: str | None
    training: Mapping[str, Any]
    verification: int
    notes: str
    report: Mapping[str, Any] = field(repr=False)

    def card(self) -> ModelCard:
        """What a notebook shows of it."""
        return ModelCard(
            self.model,
            f"{self.kind}, {self.function}" + (f" of {self.target}" if self.target else ""),
            self.aliases,
            self.inputs,
            {one["name"]: one.get("importance") for one in self.report.get("features", ())},
            str(self.report.get("importance_by") or ""),
            self.outputs,
            self.metrics,
            self.measured_on,
            {
                "verified": f"{self.verification} embedded rows" if self.verification else "no rows",
                "size": f"{self.bytes:,} bytes",
                "sha256": self.sha256[:16],
                "trained on": f"{self.training['trained_on']:,} rows" if self.training else "",
                "created": self.created[:16].replace("T", " "),
                "note": self.notes,
            },
        )

    def __str__(self) -> str:
        return str(self.card())

    def _repr_html_(self) -> str:
        return self.card()._repr_html_()


@dataclass(frozen=True, slots=True)
class ModelDifference:
    """How two models differ.

    Attributes:
        left, right: the models.
        facts: what is not the same: fact -> (left, right).
        rows: how many rows were scored; `None` where none were given.
        differ: how many of them have another score, or an error on one side.
        largest: the largest distance of two scores; `None` where no two numbers differ.
        examples: the first rows that differ: the inputs, `left`, `right`.
    """

    left: str
    right: str
    facts: Mapping[str, tuple[Any, Any]]
    rows: int | None = None
    differ: int = 0
    largest: float | None = None
    examples: tuple[Mapping[str, Any], ...] = ()


def list_models(*, store: str | Path | None = None) -> list[ModelEntry]:
    """Every version of every model, by name and version."""
    with SqliteStore(store) as kept:
        return [_entry(kept.get_model(f"{one.name}@{one.version}"), kept) for one in kept.list_models()]


def show_model(model: str | Path, *, store: str | Path | None = None) -> ModelEntry:
    """One model of the registry (`fraud`, `fraud@3`, `fraud@champion`), or in a `.pmml` file.

    It is opened for scoring, so that the rows embedded in it are asked for.

    Raises:
        NotFoundError, InputMissingError: when there is none.
        ModelError: when it is refused, or its embedded rows come out otherwise.
    """
    record = find_model(model, store=store)
    open_scorer(record).close()
    if record.version == 0:
        return _entry(record, None)
    with SqliteStore(store) as kept:
        return _entry(record, kept)


def add_model(
    pmml: str | Path, name: str, *, alias: str | None = None, note: str = "", store: str | Path | None = None
) -> ModelEntry:
    """Keep a PMML file from elsewhere as a new version of a model.

    Args:
        pmml: the file. It is checked and opened first: what cannot be scored is not kept.
        name: what the registry calls it.
        alias: a name such as `challenger` to give it.
        note: what to say of it.
        store: the store; the default one where none is named.

    Raises:
        InputMissingError: when there is no such file.
        ModelError: when it is refused.
        StoreError: on a name that is none.
    """
    record = find_model(pmml, file=True)
    open_scorer(record).close()
    with SqliteStore(store) as kept:
        made = kept.put_model(name, record.pmml, meta={"added_from": Path(pmml).name})
        if alias is not None:
            kept.set_alias("model", name, alias, made.version)
    if note:
        note_model(f"{made.name}@{made.version}", note, store=store)
    return show_model(f"{made.name}@{made.version}", store=store)


def point_alias(model: str, alias: str, *, store: str | Path | None = None) -> tuple[str, str | None]:
    """Let an alias point at a model; gives the model and what it pointed at before.

    Raises:
        NotFoundError: when there is no such model.
        StoreError: on an alias that is no name.
    """
    with SqliteStore(store) as kept:
        record = kept.get_model(model)
        before = [one for one in kept.list_aliases("model", record.name) if one.alias == alias]
        kept.set_alias("model", record.name, alias, record.version)
    return f"{record.name}@{record.version}", f"{record.name}@{before[0].version}" if before else None


def remove_alias(name: str, alias: str, *, store: str | Path | None = None) -> None:
    """Forget an alias; the version that it pointed at stays.

    Raises:
        NotFoundError: when there is no such alias.
    """
    with SqliteStore(store) as kept:
        kept.delete_alias("model", name, alias)


def note_model(model: str, text: str, *, store: str | Path | None = None) -> str:
    """Write a note of a model, in place of what was there; gives the model as `fraud@3`.

    Raises:
        NotFoundError: when there is no such model.
    """
    with SqliteStore(store) as kept:
        record = kept.get_model(model)
        kept.put_config(_note_key(record), text)
    return f"{record.name}@{record.version}"


def diff_models(
    left: str | Path,
    right: str | Path,
    *,
    rows: str | Path | pl.DataFrame | None = None,
    store: str | Path | None = None,
) -> ModelDifference:
    """What two models differ in; with rows, also in what they answer.

    Raises:
        NotFoundError, InputMissingError, DataError, ModelError: when a model or the rows cannot be used.
    """
    one, other = show_model(left, store=store), show_model(right, store=store)
    facts = {name: pair for name, pair in _facts(one, other, left, right, store) if pair[0] != pair[1]}
    if rows is None:
        return ModelDifference(one.model, other.model, facts)
    lefts = pl.concat(score_rows(left, rows, outputs=(), keep=True, store=store))
    rights = pl.concat(score_rows(right, rows, outputs=(), store=store))
    was, now = lefts["score"], rights["score"]
    differ = was.cast(pl.String).ne_missing(now.cast(pl.String)) if was.dtype != now.dtype else was.ne_missing(now)
    distance = (was - now).abs().max() if was.dtype.is_numeric() and now.dtype.is_numeric() else None
    inputs = [name for name in one.inputs if name in lefts.columns]
    chosen = differ.arg_true().head(_SHOWN).to_list()
    examples = tuple(
        {**{name: lefts[name][row] for name in inputs}, "left": _told(lefts, row), "right": _told(rights, row)}
        for row in chosen
    )
    largest = None if distance is None or not differ.any() else float(str(distance))
    return ModelDifference(one.model, other.model, facts, lefts.height, int(differ.sum()), largest, examples)


def _told(scored: pl.DataFrame, row: int) -> Any:
    value = scored["score"][row]
    return scored["error"][row] if value is None else value


def _facts(
    one: ModelEntry, other: ModelEntry, left: str | Path, right: str | Path, store: str | Path | None
) -> list[tuple[str, tuple[Any, Any]]]:
    pairs: list[tuple[str, tuple[Any, Any]]] = [
        (name, (getattr(one, name), getattr(other, name)))
        for name in ("kind", "function", "target", "bytes", "sha256", "verification", "measured_on", "notes")
    ]
    for what in ("inputs", "outputs", "metrics", "training"):
        ours, theirs = getattr(one, what), getattr(other, what)
        pairs += [
            (f"{what[:-1] if what.endswith('s') else what} {name}", (ours.get(name), theirs.get(name)))
            for name in {**ours, **theirs}
        ]
    ours, theirs = _parts(left, store), _parts(right, store)
    pairs += [(name, (ours.get(name, 0), theirs.get(name, 0))) for name in {**ours, **theirs}]
    return pairs


def _parts(model: str | Path, store: str | Path | None) -> dict[str, int]:
    """How many of the parts that make a model big it has."""
    pmml = find_model(model, store=store).pmml
    names = {"trees": b"TreeModel", "nodes": b"Node", "coefficients": b"NumericPredictor", "vectors": b"VectorInstance"}
    return {name: pmml.count(b"<%s " % tag) + pmml.count(b"<%s>" % tag) for name, tag in names.items()}


def _entry(record: ModelRecord, kept: SqliteStore | None) -> ModelEntry:
    name = f"{record.name}@{record.version}" if record.version else record.name
    summary: PmmlSummary = check_pmml(record.pmml, name=name)
    report: dict[str, Any] = dict(record.meta.get("report") or {})
    aliases: tuple[str, ...] = ()
    notes = ""
    if kept is not None:
        aliases = tuple(
            sorted(one.alias for one in kept.list_aliases("model", record.name) if one.version == record.version)
        )
        try:
            notes = str(kept.get_config(_note_key(record)))
        except NotFoundError:
            notes = ""
    from styx_lab.models.outputs import plan_outputs

    return ModelEntry(
        model=name,
        aliases=aliases,
        created=record.created,
        sha256=record.sha256,
        bytes=len(record.pmml),
        kind=summary.kind,
        function=summary.function,
        inputs={each: str(dtype) for each, dtype in summary.inputs.items()},
        target=summary.target,
        outputs={each.name: str(each.dtype) for each in plan_outputs(summary).values()},
        metrics={metric: report[metric] for metric in METRICS if report.get(metric) is not None},
        measured_on=report.get("measured_on"),
        training=dict(record.meta.get("training") or {}),
        verification=len(summary.verification.rows) if summary.verification is not None else 0,
        notes=notes,
        report=report,
    )


def _note_key(record: ModelRecord) -> str:
    return f"note.model.{record.name}.{record.version}"
