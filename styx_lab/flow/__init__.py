"""What you say: streams, step specs, windows, patterns, checks, the JSON form and the drawing of a flow.

`styx_lab.flow` is this room and, called, the function that makes a flow: `styx.flow("card-fraud", stream)` is
`styx_lab.flow.flow.flow("card-fraud", stream)`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    # Python binds a submodule's name in its package, so the word `flow` can only be both as a module one can call.
    def __call__(self, name: str, *streams: Any) -> Any:
        from styx_lab.flow.flow import flow

        return flow(name, *streams)


sys.modules[__name__].__class__ = _Room
