"""A user's own Python as a step: what he says. `operators/process` has the machine that runs it.

Law: what a class keeps is declared and typed, so that it can be saved without pickle; the class lives in a module, and
a flow carries that module's source.
"""

from __future__ import annotations

from styx_lab.flow.process.process import Process
from styx_lab.flow.process.seen import Context, Emitted, Event
from styx_lab.flow.process.states import BroadcastState, DeclaredState, ListState, MapState, ValueState

__all__ = [
    "BroadcastState",
    "Context",
    "DeclaredState",
    "Emitted",
    "Event",
    "ListState",
    "MapState",
    "Process",
    "ValueState",
]
