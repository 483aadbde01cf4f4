"""The actions a person can take. Every skin (Python, the `styx` command, a panel) calls these and no others."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from styx_lab.workbench.explaining import explain, explain_pattern
    from styx_lab.workbench.feature_rows import TrainingRows, features, training_rows
    from styx_lab.workbench.headless import start_job
    from styx_lab.workbench.inputs import InputPaths
    from styx_lab.workbench.jobs import JobReport, ask_savepoint, ask_stop, list_jobs, read_job_output, run_bundle
    from styx_lab.workbench.live_flows import live
    from styx_lab.workbench.lookup import show
    from styx_lab.workbench.promotion import Promotion, promote
    from styx_lab.workbench.replays import replay
    from styx_lab.workbench.training import Training, train

__all__ = [
    "InputPaths",
    "JobReport",
    "Promotion",
    "Training",
    "TrainingRows",
    "ask_savepoint",
    "ask_stop",
    "explain",
    "explain_pattern",
    "features",
    "list_jobs",
    "live",
    "promote",
    "read_job_output",
    "replay",
    "run_bundle",
    "show",
    "start_job",
    "train",
    "training_rows",
]

_HOMES: Final = {
    "InputPaths": "inputs",
    "JobReport": "jobs",
    "Promotion": "promotion",
    "Training": "training",
    "TrainingRows": "feature_rows",
    "ask_savepoint": "jobs",
    "ask_stop": "jobs",
    "explain": "explaining",
    "explain_pattern": "explaining",
    "features": "feature_rows",
    "list_jobs": "jobs",
    "live": "live_flows",
    "promote": "promotion",
    "read_job_output": "jobs",
    "replay": "replays",
    "run_bundle": "jobs",
    "show": "lookup",
    "start_job": "headless",
    "train": "training",
    "training_rows": "feature_rows",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use, so that the command's help stays quick.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
