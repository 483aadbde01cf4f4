"""One way to open a model for scoring; the evaluator behind it is a word.

Law: every engine is a row of one table, opened in the same manner, so that another can be added without a
change elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, Final

from styx_lab.core.ports import ModelRecord, Scorer
from styx_lab.errors import ModelError

__all__ = ["ENGINES", "open_scorer"]


def _pypmml(name: str, pmml: bytes) -> Scorer:
    from styx_lab.models.pypmml_scorer import PypmmlScorer

    return PypmmlScorer(name, pmml)


def _jpmml(name: str, pmml: bytes) -> Scorer:
    from styx_lab.models.jpmml_scorer import JpmmlScorer

    return JpmmlScorer(name, pmml)


def _openscoring(name: str, pmml: bytes, **settings: Any) -> Scorer:
    from styx_lab.models.openscoring_client import OpenscoringSettings
    from styx_lab.models.openscoring_scorer import OpenscoringScorer

    return OpenscoringScorer(name, pmml, OpenscoringSettings(**settings))


def _native(name: str, pmml: bytes) -> Scorer:
    from styx_lab.models.native_scorer import NativeScorer

    return NativeScorer(name, pmml)


_OPEN: Final[dict[str, Callable[..., Scorer]]] = {
    "native": _native,
    "pypmml": _pypmml,
    "jpmml": _jpmml,
    "openscoring": _openscoring,
}
ENGINES: Final = tuple(_OPEN)
"""The evaluators of PMML that can be asked for by name."""


def _settings(engine: str) -> tuple[str, ...]:
    """What may be said of an engine beside its name."""
    if engine != "openscoring":
        return ()
    from styx_lab.models.openscoring_client import OpenscoringSettings

    return tuple(each.name for each in fields(OpenscoringSettings))


def open_scorer(record: ModelRecord, engine: str = "native", **settings: Any) -> Scorer:
    """Open a model of the store for scoring: `open_scorer(store.get_model("fraud@champion"))`.

    >>> record = ModelRecord("fraud", 3, b"<PMML/>", sha256="", created="", meta={})
    >>> open_scorer(record, engine="abacus")
    Traceback (most recent call last):
        ...
    styx_lab.errors.ModelError: model 'fraud@3': unknown engine; got 'abacus'. Try: one of native, pypmml, ...

    Args:
        record: the model as the store keeps it.
        engine: the evaluator: `native` needs nothing but this package, the others the extra of their name.
        settings: of the engine: those of `OpenscoringSettings` for `openscoring`; the others have none.

    Raises:
        ModelError: on an unknown engine or setting, or when the model is refused.
        MissingDependencyError: when the engine needs something that is not installed.
    """
    name = f"{record.name}@{record.version}" if record.version else record.name  # a file has no version
    if engine not in _OPEN:
        raise ModelError("unknown engine", where=f"model {name!r}", got=engine, hint=f"one of {', '.join(_OPEN)}")
    known = _settings(engine) if settings else ()
    for each in settings:
        if each not in known:
            hint = f"it has {', '.join(known) or 'none'}"
            raise ModelError(f"engine {engine!r} has no such setting", where=f"model {name!r}", got=each, hint=hint)
    return _OPEN[engine](name, record.pmml, **settings)
