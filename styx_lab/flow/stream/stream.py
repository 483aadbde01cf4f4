"""A stream with all its verbs."""

from __future__ import annotations

from styx_lab.flow.stream.detection import DetectionVerbs
from styx_lab.flow.stream.ends import EndVerbs
from styx_lab.flow.stream.joins import JoinVerbs
from styx_lab.flow.stream.limits import LimitVerbs
from styx_lab.flow.stream.process import ProcessVerbs
from styx_lab.flow.stream.shape import ShapeVerbs
from styx_lab.flow.stream.trends import TrendVerbs
from styx_lab.flow.stream.windows import WindowVerbs

__all__ = ["Stream"]


class Stream(ShapeVerbs, WindowVerbs, JoinVerbs, LimitVerbs, TrendVerbs, ProcessVerbs, DetectionVerbs, EndVerbs):
    """Events on their way through a flow: the steps so far, and the port of the last one.

    >>> from styx_lab.flow.stream import source
    >>> stream = source("payments", schema={"ts": "int", "amount": "float"}, time="ts").filter("amount > 500")
    >>> isinstance(stream, Stream), [step.name for step in stream.steps]
    (True, ['payments', 'filter'])
    """

    __slots__ = ()
