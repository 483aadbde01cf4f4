"""The public test kit: timed scripts, a fake clock, contracts for anybody's sources, sinks, stores and so on.

>>> from styx_lab.connectors import MemorySource
>>> from styx_lab.core.schema import Schema
>>> from styx_lab.testing import check_source
>>> check_source(lambda: MemorySource([{"card": "a"}, {"card": "b"}], Schema({"card": "str"})))

Law: the product never imports this room. `styx_lab.testing.strategies` needs hypothesis, the rest needs nothing more
than Styx Lab itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from styx_lab.testing.aggregates import check_aggregate
    from styx_lab.testing.clock import FakeClock
    from styx_lab.testing.lookups import check_lookup
    from styx_lab.testing.operators import check_operator
    from styx_lab.testing.scorers import check_scorer
    from styx_lab.testing.script import Script
    from styx_lab.testing.script_run import ENGINES, Played
    from styx_lab.testing.sinks import check_sink
    from styx_lab.testing.sources import check_source
    from styx_lab.testing.stores import check_store

__all__ = [
    "ENGINES",
    "FakeClock",
    "Played",
    "Script",
    "check_aggregate",
    "check_lookup",
    "check_operator",
    "check_scorer",
    "check_sink",
    "check_source",
    "check_store",
]

_HOMES: Final = {
    "ENGINES": "script_run",
    "FakeClock": "clock",
    "Played": "script_run",
    "Script": "script",
    "check_aggregate": "aggregates",
    "check_lookup": "lookups",
    "check_operator": "operators",
    "check_scorer": "scorers",
    "check_sink": "sinks",
    "check_source": "sources",
    "check_store": "stores",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
