"""Models: train with scikit-learn, export as PMML, check what comes in, score.

Law: importing this room loads no heavy library and starts no Java; each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from styx_lab.core.java import Java, find_java, use_java
    from styx_lab.models.export import export_pipeline
    from styx_lab.models.guard import PmmlLimits, check_pmml
    from styx_lab.models.native_scorer import NativeScorer
    from styx_lab.models.pypmml_scorer import PypmmlScorer
    from styx_lab.models.report import FeatureReport, ModelReport
    from styx_lab.models.scorers import ENGINES, open_scorer
    from styx_lab.models.summary import PmmlSummary
    from styx_lab.models.training import TrainedModel, train

__all__ = [
    "ENGINES",
    "FeatureReport",
    "Java",
    "ModelReport",
    "NativeScorer",
    "PmmlLimits",
    "PmmlSummary",
    "PypmmlScorer",
    "TrainedModel",
    "check_pmml",
    "export_pipeline",
    "find_java",
    "open_scorer",
    "train",
    "use_java",
]

_PLACES: Final = {
    "ENGINES": "scorers",
    "FeatureReport": "report",
    "Java": ".core.java",
    "ModelReport": "report",
    "NativeScorer": "native_scorer",
    "PmmlLimits": "guard",
    "PmmlSummary": "summary",
    "PypmmlScorer": "pypmml_scorer",
    "TrainedModel": "training",
    "check_pmml": "guard",
    "export_pipeline": "export",
    "find_java": ".core.java",
    "open_scorer": "scorers",
    "train": "training",
    "use_java": ".core.java",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_PLACES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
