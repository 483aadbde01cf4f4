"""Estimators by word, for those who do not want to choose: `logistic`, `linear`, `tree`, `forest`, `boosting`.

Law: each word gives a model that can be exported, scored natively, and is the same for the same rows and seed.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from styx_lab.errors import ModelError

__all__ = ["WORDS", "make_estimator"]

WORDS: Final = ("logistic", "linear", "tree", "forest", "boosting")
"""What `model=` understands beside an estimator of scikit-learn's."""


def make_estimator(model: Any, target: pl.Series, *, where: str) -> Any:
    """An unfitted estimator: of a word, or a copy of the one given; a logistic regression where none is.

    A tree, forest or boosting predicts numbers where the target has fractions, else classes; `linear` always numbers,
    `logistic` always classes.

    Args:
        model: a word, or an unfitted classifier or regressor.
        target: its values.
        where: what to name in errors.

    Raises:
        ModelError: on an unknown word, or what is neither classifier nor regressor.
    """
    from sklearn.base import clone, is_classifier, is_regressor

    if model is None or isinstance(model, str):
        return _by_word(model or "logistic", target, where)
    try:
        copy = clone(model)
    except TypeError as error:
        raise _wrong(model, where) from error
    if not is_classifier(copy) and not is_regressor(copy):
        raise _wrong(model, where)
    return copy


def _wrong(model: Any, where: str) -> ModelError:
    return ModelError(
        "the model must be a scikit-learn classifier or regressor",
        where=where,
        got=type(model).__name__,
        hint=f"one of {', '.join(WORDS)}, or an unfitted estimator",
    )


def _by_word(word: str, target: pl.Series, where: str) -> Any:
    from sklearn import ensemble, linear_model, tree

    numbers = target.dtype.is_float() and not bool((target == target.floor()).fill_null(value=True).all())
    # Deep trees of many rows make files that no scorer takes; these bounds keep them to a few MB.
    bounds: dict[str, Any] = {"max_depth": 10, "min_samples_leaf": 5}
    match word:
        case "logistic":
            return linear_model.LogisticRegression(max_iter=1_000)
        case "linear":
            return linear_model.LinearRegression()
        case "tree":
            return (tree.DecisionTreeRegressor if numbers else tree.DecisionTreeClassifier)(**bounds)
        case "forest":
            return (ensemble.RandomForestRegressor if numbers else ensemble.RandomForestClassifier)(**bounds)
        case "boosting":
            return (ensemble.HistGradientBoostingRegressor if numbers else ensemble.HistGradientBoostingClassifier)()
    raise ModelError(
        "no such model", where=where, got=word, hint=f"one of {', '.join(WORDS)}, or an unfitted scikit-learn estimator"
    )
