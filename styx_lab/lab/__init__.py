"""The notebook: what a flow looks like while it runs, and the `%styx` magic.

Only this room loads anywidget, ipywidgets and IPython, each on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from styx_lab.errors import MissingDependencyError

if TYPE_CHECKING:
    from styx_lab.lab.magics import load_ipython_extension, unload_ipython_extension
    from styx_lab.lab.monitor import Monitor

__all__ = ["Monitor", "load_ipython_extension", "unload_ipython_extension"]

_HOMES: Final = {"Monitor": "monitor", "load_ipython_extension": "magics", "unload_ipython_extension": "magics"}
_LIBRARIES: Final = {"IPython", "anywidget", "ipywidgets", "traitlets"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name not in _LIBRARIES:
            raise
        raise MissingDependencyError(
            "a library of the notebook is not installed", where=name, got=error.name, hint="pip install 'styx-lab[lab]'"
        ) from error


def __dir__() -> list[str]:
    return __all__
