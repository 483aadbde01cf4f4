"""The frame a model is trained on, and the pipeline it becomes: text one-hot, numbers scaled, gaps filled.

Law: the pipeline depends on the columns' types and the seed alone, so the same frame gives the same model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import polars as pl

from styx_lab.errors import ModelError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Frame",
    "as_polars",
    "build_pipeline",
    "check_columns",
    "feature_columns",
    "pandas_columns",
    "target_column",
]

Frame = "pl.DataFrame | pd.DataFrame"
UnknownPolicy = Literal["error", "ignore"]

_PLAIN: Final = frozenset({"bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64))}) | {
    "float32",
    "float64",
}
_MOST_CATEGORIES: Final = 1_000


def as_polars(frame: Any, *, where: str) -> pl.DataFrame:
    """A Polars frame of a Polars or pandas one; what pandas calls missing is null.

    Raises:
        ModelError: when it is neither.
    """
    if isinstance(frame, pl.DataFrame):
        return frame
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    if type(frame).__module__.partition(".")[0] != "pandas" or not hasattr(frame, "columns"):
        raise ModelError(
            "the training data must be a Polars or pandas DataFrame", where=where, got=type(frame).__name__
        )
    columns = []
    for name in frame.columns:
        if str(frame[name].dtype) in _PLAIN:
            columns.append(pl.Series(str(name), frame[name].to_numpy(), nan_to_null=True))
            continue
        kept = [None if gap else value for value, gap in zip(frame[name].tolist(), frame[name].isna(), strict=True)]
        try:
            columns.append(pl.Series(str(name), kept))
        except (TypeError, pl.exceptions.PolarsError) as error:
            raise ModelError("a column mixes types", where=f"{where}, column {str(name)!r}") from error
    return pl.DataFrame(columns)


def check_columns(frame: pl.DataFrame, target: str, features: Sequence[str], *, where: str) -> None:
    """Refuse names that are not there, doubled, or the target itself.

    Raises:
        ModelError: naming the column.
    """
    if isinstance(features, str) or not features:
        raise ModelError("features must be a list of column names", where=where, got=features)
    for name in (target, *features):
        if name not in frame.columns:
            raise ModelError("no such column", where=where, got=name, hint=f"one of {', '.join(frame.columns)}")
    doubled = sorted({name for name in features if list(features).count(name) > 1})
    if doubled:
        raise ModelError("a feature is named twice", where=where, got=doubled)
    if target in features:
        raise ModelError("the target must not be a feature", where=where, got=target)
    if frame.height == 0:
        raise ModelError("there are no rows to train on", where=where)


def feature_columns(
    frame: pl.DataFrame, features: Sequence[str], *, where: str
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """The features as sklearn2pmml wants them (float64, or text with NaN for a gap); the numeric ones; the text ones.

    Raises:
        ModelError: on a column of another type, or one that is empty.
    """
    numbers, texts = [], []
    for name in features:
        column = frame.get_column(name)
        if column.null_count() == len(column):
            raise ModelError("a feature is empty in every row", where=where, got=name, hint="leave it out")
        if column.dtype.is_numeric() or column.dtype == pl.Boolean:
            if column.dtype.is_float() and column.is_infinite().any():
                raise ModelError("a feature holds infinity", where=where, got=name, hint="make it null, or limit it")
            numbers.append(name)
        elif isinstance(column.dtype, pl.String | pl.Categorical | pl.Enum):
            if column.n_unique() > _MOST_CATEGORIES:
                raise ModelError(
                    f"a text feature has more than {_MOST_CATEGORIES:,} different values, and each becomes a column",
                    where=f"{where}, feature {name!r}",
                    got=column.n_unique(),
                    hint="leave it out (an id tells a model nothing), or derive a coarser one",
                )
            texts.append(name)
        else:
            raise ModelError(
                "a feature must hold numbers, booleans or text",
                where=f"{where}, feature {name!r}",
                got=str(column.dtype),
                hint="derive a number from it first: an hour, a length, a difference",
            )
    return pandas_columns(frame, features, texts), numbers, texts


def pandas_columns(frame: pl.DataFrame, features: Sequence[str], texts: Sequence[str]) -> pd.DataFrame:
    """The features as sklearn2pmml wants them: float64, or text with NaN for a gap."""
    import numpy as np
    import pandas as pd

    columns: dict[str, Any] = {}
    for name in features:
        column = frame.get_column(name)
        if name in texts:
            values = [np.nan if value is None else value for value in column.cast(pl.String).to_list()]
            columns[name] = pd.Series(np.array(values, dtype=object), dtype=object)
        else:
            columns[name] = pd.Series(column.cast(pl.Float64).to_numpy().astype(np.float64))
    return pd.DataFrame(columns)


def target_column(frame: pl.DataFrame, target: str, *, classify: bool, where: str) -> pd.Series:
    """The target: whole numbers or text for a classifier (a boolean becomes 0 and 1), doubles for a regressor.

    Raises:
        ModelError: when values are missing, of a wrong type, or all the same.
    """
    import pandas as pd

    where = f"{where}, target {target!r}"
    column = frame.get_column(target)
    if column.dtype.is_float():
        column = column.fill_nan(None)
    if column.null_count():
        raise ModelError("the target is missing in some rows", where=where, got=column.null_count(), hint="drop them")
    if not classify:
        if not column.dtype.is_numeric():
            raise ModelError("a regressor needs a target of numbers", where=where, got=str(column.dtype))
        return pd.Series(column.cast(pl.Float64).to_numpy(), name=target)
    if column.dtype == pl.Boolean or column.dtype.is_integer():
        column = column.cast(pl.Int64)
    elif column.dtype.is_float():
        if not (column == column.floor()).all():
            raise ModelError(
                "a classifier needs classes, and these are fractions",
                where=where,
                hint="model='linear', or another regressor",
            )
        column = column.cast(pl.Int64)
    elif isinstance(column.dtype, pl.String | pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    else:
        raise ModelError("a classifier needs whole numbers, booleans or text", where=where, got=str(column.dtype))
    if column.n_unique() < 2:
        raise ModelError("all rows are of one class", where=where, got=column[0], hint="train on rows of both kinds")
    if column.dtype == pl.String:
        return pd.Series(column.to_list(), name=target, dtype=object)
    return pd.Series(column.to_numpy(), name=target)


def build_pipeline(model: Any, numbers: Sequence[str], texts: Sequence[str], *, unknown: UnknownPolicy) -> Any:
    """The unfitted PMMLPipeline: gaps filled, one column a category, numbers scaled unless trees take them."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from sklearn2pmml.pipeline import PMMLPipeline

    parts = []
    if numbers:
        # Trees gain nothing from scaling, and their splits would then hang on the last bit of a scaled number.
        steps = [SimpleImputer(strategy="median")] + ([] if _is_tree(model) else [StandardScaler()])
        parts.append(("numbers", make_pipeline(*steps), list(numbers)))
    if texts:
        encoder = OneHotEncoder(handle_unknown="ignore" if unknown == "ignore" else "error", sparse_output=False)
        parts.append(("texts", make_pipeline(SimpleImputer(strategy="most_frequent"), encoder), list(texts)))
    return PMMLPipeline([("prepare", ColumnTransformer(parts)), ("model", model)])


def _is_tree(model: Any) -> bool:
    return type(model).__module__.startswith(("sklearn.tree", "sklearn.ensemble"))
