"""The models that a server has, opened for scoring, and what it says of them.

Law: a model that is replaced while it scores finishes its rows as it was; each row has results or a message, whatever
rows it comes with.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import polars as pl

from styx_lab.core.ports import ModelRecord, Scorer
from styx_lab.models import PmmlSummary, check_pmml, open_scorer
from styx_lab.models.fields import InputField
from styx_lab.workbench.json_columns import ColumnKinds, json_column

__all__ = ["Served", "ServedModels"]

_KINDS: Final = {
    "MiningModel": "Ensemble model",
    "TreeModel": "Tree model",
    "RegressionModel": "Regression",
    "GeneralRegressionModel": "General regression",
    "ClusteringModel": "Clustering model",
    "NeuralNetwork": "Neural network",
    "NearestNeighborModel": "k-Nearest neighbors model",
    "NaiveBayesModel": "Naive Bayes model",
    "SupportVectorMachineModel": "Support vector machine",
    "RuleSetModel": "Ruleset model",
    "Scorecard": "Scorecard",
}
_WORDS: Final = {
    pl.Float64(): "double",
    pl.Float32(): "float",
    pl.Int64(): "integer",
    pl.Boolean(): "boolean",
    pl.String(): "string",
}
_MOST_MODELS: Final = 1_000


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class Served:
    """One model of a server."""

    id: str
    pmml: bytes
    summary: PmmlSummary
    scorer: Scorer
    created: str
    accessed: str

    def brief(self) -> dict[str, Any]:
        """What the list of models says of it."""
        return {
            "id": self.id,
            "miningFunction": self.summary.function,
            "summary": _KINDS.get(self.summary.kind, self.summary.kind),
            "properties": {
                "created.timestamp": self.created,
                "accessed.timestamp": self.accessed,
                "file.size": len(self.pmml),
                "file.checksum": sha256(self.pmml).hexdigest(),
                "model.version": None,
            },
        }

    def whole(self) -> dict[str, Any]:
        """The same with its fields."""
        target = self.summary.target
        schema: dict[str, Any] = {"inputFields": [_field(each) for each in self.summary.fields]}
        if target is not None:
            kind = "continuous" if self.summary.function == "regression" else "categorical"
            data_type = self.summary.target_type or _word(self.scorer.outputs[target])
            said: dict[str, Any] = {"id": target, "dataType": data_type, "opType": kind}
            if self.summary.classes:
                said["values"] = list(self.summary.classes)
            schema["targetFields"] = [said]
        schema["outputFields"] = [
            {"id": name, "dataType": _word(dtype)} for name, dtype in self.scorer.outputs.items() if name != target
        ]
        return {**self.brief(), "schema": schema}

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Results, or a message, for each row of arguments; what the model does not know is passed over."""
        if not rows:
            return []
        nested = {
            at: name for at, row in enumerate(rows) for name, value in row.items() if isinstance(value, list | dict)
        }
        columns = []
        for name, field in self.scorer.inputs.items():
            values = [None if at in nested else row.get(name) for at, row in enumerate(rows)]
            seen = ColumnKinds()
            for value in values:
                seen.add(value)
            columns.append(json_column(name, values, seen.dtype(field)))
        frame = pl.DataFrame(columns)
        if not frame.width:  # a model without inputs answers as often as it is asked
            frame = pl.DataFrame({"": [None] * len(rows)})
        names = list(self.scorer.outputs)
        found = self.scorer.score(frame, names)
        results = found.outputs.to_dicts() if names else [{"score": value} for value in found.values.to_list()]
        kinds = found.kinds.to_list() if found.kinds is not None else [None] * len(rows)
        answers: list[dict[str, Any]] = []
        for error, kind, result in zip(found.errors.to_list(), kinds, results, strict=True):
            # An answer without a target is none of a fault: Openscoring gives nulls.
            empty = error is not None and kind in ("missing", "failed") and error.startswith("no valid target")
            answers.append({"results": result} if error is None or empty else {"message": error})
        for at, name in nested.items():
            answers[at] = {"message": f"argument {name!r} is no single value"}
        return answers

    def close(self) -> None:
        """Let go of it."""
        self.scorer.close()


class ServedModels:
    """Models by id; safe for many threads."""

    def __init__(self) -> None:
        self._models: dict[str, Served] = {}
        self._lock = threading.Lock()

    def put(self, name: str, pmml: bytes) -> tuple[Served, bool]:
        """Check, open and serve a model; gives it, and whether there was none of that name.

        Raises:
            ModelError: when it is refused, or there are too many.
        """
        from styx_lab.errors import ModelError

        summary = check_pmml(pmml, name=name)
        scorer = open_scorer(ModelRecord(name, 0, pmml, sha256(pmml).hexdigest(), "", {}))
        made = Served(name, pmml, summary, scorer, _now(), _now())
        with self._lock:
            if name not in self._models and len(self._models) >= _MOST_MODELS:
                raise ModelError("the server has as many models as it takes", where="serve", got=_MOST_MODELS)
            new = name not in self._models
            self._models[name] = made
        return made, new

    def get(self, name: str) -> Served | None:
        """A model, or None; it counts as accessed."""
        with self._lock:
            if name not in self._models:
                return None
            self._models[name] = replace(self._models[name], accessed=_now())
            return self._models[name]

    def remove(self, name: str) -> bool:
        """Serve a model no more; whether there was one."""
        with self._lock:
            return self._models.pop(name, None) is not None

    def list(self) -> list[Served]:
        """All, by name."""
        with self._lock:
            return [self._models[name] for name in sorted(self._models)]


def _field(each: InputField) -> dict[str, Any]:
    return {"id": each.name, "dataType": _word(each.dtype)}


def _word(dtype: pl.DataType) -> str:
    return _WORDS.get(dtype, str(dtype).lower())
