"""The one hook by which a flow offers what upper floors do (`flow.replay(...)`), without looking up.

`styx_lab/__init__.py` fills it; nothing here knows who answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from styx_lab.errors import FlowError

__all__ = ["call", "offer"]

_offered: list[Callable[[str], Callable[..., Any]]] = []


def offer(find: Callable[[str], Callable[..., Any]]) -> None:
    """Say who answers: `find(name)` gives the function of that name, loading it on first use."""
    _offered[:] = [find]


def call(name: str, *args: Any, **kwargs: Any) -> Any:
    """Call an action by name.

    Raises:
        FlowError: when nobody offered any (only where `styx_lab` itself was not imported).
    """
    if not _offered:
        raise FlowError("nothing can run a flow here", got=name, hint="import styx_lab")
    return _offered[0](name)(*args, **kwargs)
