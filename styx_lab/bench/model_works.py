"""The models that are measured: trained here and now with scikit-learn, on rows of a seeded generator; as PMML.

Law: numbers are such as 32 bits hold, so that an evaluator that reckons in 32 bits sees the same rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from styx_lab.errors import MissingDependencyError, NotFoundError

__all__ = ["FURTHER", "ROWS", "WORKS", "ModelWork", "need", "train_work"]

ROWS: Final = 10_000
_TRAINED: Final = 4_000
_FEATURES: Final = 12
_SEED: Final = 20_261_125
_MERCHANTS: Final = 20
_COUNTRIES: Final = 10
_LABELS: Final = ("support vectors", "nearest neighbours")
"""Models whose score is their label: their votes are no probabilities."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ModelWork:
    """A trained model, and rows to score.

    Attributes:
        name: of the work.
        pmml: the exported file.
        rows: what is scored.
        steps: the fitted scikit-learn pipeline's steps; empty where the model was written by hand.
        truth: scikit-learn's answer from a frame: the positive class's probability, or the label or number.
    """

    name: str
    pmml: bytes
    rows: pl.DataFrame
    steps: tuple[tuple[str, Any], ...] = ()
    truth: Callable[[pl.DataFrame], npt.NDArray[Any]] | None = None


def need(module: str) -> Any:
    """A library of the extra `bench`.

    Raises:
        MissingDependencyError: when it is not installed.
    """
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f"the benchmark of models measures beside {module.partition('.')[0]}, which is not installed",
            where="bench models",
            hint="pip install 'styx-lab[bench]'",
        ) from error


def _numbers() -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.int64]]:
    chance = np.random.default_rng(_SEED)
    table = chance.normal(size=(ROWS, _FEATURES)).astype(np.float32).astype(np.float64)
    target = table[:, 0] + table[:, 1] * table[:, 2] + 0.5 * chance.normal(size=ROWS) > 0
    return {f"x{at}": table[:, at] for at in range(_FEATURES)}, target.astype(np.int64)


def _payments() -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.int64]]:
    chance = np.random.default_rng(_SEED)
    amount = chance.lognormal(4, 1, ROWS).astype(np.float32).astype(np.float64)
    country = chance.choice([f"country {at}" for at in range(_COUNTRIES)], ROWS).astype(object)
    columns = {
        "amount": amount,
        "hour": chance.integers(0, 24, ROWS).astype(np.float64),
        "merchant": chance.choice([f"merchant {at}" for at in range(_MERCHANTS)], ROWS).astype(object),
        "country": country,
    }
    target = np.log(amount) - 4 + 2 * (country == "country 1") + 0.5 * chance.normal(size=ROWS) > 0
    return columns, target.astype(np.int64)


def _texts() -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.int64]]:
    chance = np.random.default_rng(_SEED)
    words = np.array([f"word{at}" for at in range(60)])
    texts = [" ".join(chance.choice(words, 8)) for _ in range(ROWS)]
    return {"text": np.array(texts, dtype=object)}, np.array([int("word7" in text.split()) for text in texts])


def _scaled(estimator: Callable[[], Any]) -> Callable[[], list[tuple[str, Any]]]:
    return lambda: [("scale", need("sklearn.preprocessing").StandardScaler()), ("model", estimator())]


def _alone(module: str, name: str, *arguments: Any, **settings: Any) -> Callable[[], list[tuple[str, Any]]]:
    return lambda: [("model", getattr(need(module), name)(*arguments, **settings))]


def _logistic() -> Any:
    return need("sklearn.linear_model").LogisticRegression()


def _one_hot() -> list[tuple[str, Any]]:
    prepared = need("sklearn.preprocessing")
    columns = need("sklearn.compose").ColumnTransformer(
        [
            ("texts", prepared.OneHotEncoder(), ["merchant", "country"]),
            ("rest", prepared.StandardScaler(), ["amount", "hour"]),
        ]
    )
    return [("columns", columns), ("model", _logistic())]


def _text_index() -> list[tuple[str, Any]]:
    splitter = need("sklearn2pmml.feature_extraction.text").Splitter
    index = need("sklearn.feature_extraction.text").TfidfVectorizer(
        analyzer="word", tokenizer=splitter(), token_pattern=None, norm=None, preprocessor=None, strip_accents=None
    )
    return [("index", need("sklearn.compose").ColumnTransformer([("text", index, "text")])), ("model", _logistic())]


_Make = tuple[
    Callable[[], tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.int64]]], Callable[[], list[tuple[str, Any]]]
]

WORKS: Final[dict[str, _Make]] = {
    "logistic regression": (_numbers, _scaled(_logistic)),
    "one-hot, scaling, logistic regression": (_payments, _one_hot),
    "forest of 100 trees": (
        _numbers,
        _alone("sklearn.ensemble", "RandomForestClassifier", 100, max_depth=8, random_state=1),
    ),
    "boosting of 300 trees": (
        _numbers,
        _alone("sklearn.ensemble", "GradientBoostingClassifier", n_estimators=300, random_state=1),
    ),
}
"""W4: every event is scored. For each the rows and the pipeline."""

FURTHER: Final[dict[str, _Make]] = {
    "support vectors": (_numbers, _alone("sklearn.svm", "SVC")),
    "nearest neighbours": (_numbers, _alone("sklearn.neighbors", "KNeighborsClassifier")),
    "neural network": (
        _numbers,
        _alone("sklearn.neural_network", "MLPClassifier", (50, 20), max_iter=30, random_state=1),
    ),
    "naive Bayes": (_numbers, _alone("sklearn.naive_bayes", "GaussianNB")),
    "k-means": (_numbers, _alone("sklearn.cluster", "KMeans", 8, n_init=1, random_state=1)),
    "text index": (_texts, _text_index),
}
"""Further kinds, so that none of them is slow unseen."""


def train_work(name: str) -> ModelWork:
    """Train and export a model of `WORKS` or `FURTHER`, or read one that is written by hand.

    Raises:
        MissingDependencyError: when scikit-learn, pandas, sklearn2pmml or Java is not installed.
        NotFoundError: on an unknown name.
    """
    from styx_lab.bench.model_texts import TEXTS
    from styx_lab.models import export_pipeline

    if name in TEXTS:
        columns, _ = _payments()
        return ModelWork(
            name, TEXTS[name], pl.DataFrame(columns, schema_overrides={"merchant": pl.String, "country": pl.String})
        )
    known = WORKS | FURTHER
    if name not in known:
        raise NotFoundError(
            "no such model", where="bench models", got=name, hint=f"one of {', '.join([*known, *TEXTS])}"
        )
    make_rows, make_steps = known[name]
    columns, target = make_rows()
    texts = [column for column, values in columns.items() if values.dtype == object]
    pandas, pipelines = need("pandas"), need("sklearn2pmml.pipeline")
    steps = make_steps()
    pipeline = pipelines.PMMLPipeline(steps)
    table = pandas.DataFrame(columns)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a network would like to learn longer
        pipeline.fit(table[:_TRAINED], None if name == "k-means" else pandas.Series(target[:_TRAINED], name="target"))
    with TemporaryDirectory(prefix="styx-bench-") as folder:
        export_pipeline(pipeline, Path(folder, "model.pmml"), verify=table[:10])
        pmml = Path(folder, "model.pmml").read_bytes()
    rows = pl.DataFrame({column: values.tolist() for column, values in columns.items()})
    with_probability = hasattr(pipeline, "predict_proba") and name not in _LABELS

    def truth(frame: pl.DataFrame) -> npt.NDArray[Any]:
        given = pandas.DataFrame(
            {
                each: frame.get_column(each).to_list() if each in texts else frame.get_column(each).to_numpy()
                for each in columns
            }
        )
        return np.asarray(pipeline.predict_proba(given)[:, 1] if with_probability else pipeline.predict(given))

    return ModelWork(name, pmml, rows, tuple(steps), truth)
