"""The live monitor: the drawing of a flow with the figures of a run on it.

Law: whoever runs a flow is never held up. What is observed is only kept; a redraw is sent at most ten times a second,
always of the newest state; the last state is always sent, and nothing is sent when nothing changed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any, Final

import anywidget
import traitlets
from IPython.display import DisplayHandle, display

from styx_lab.core.operator import Figures
from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK
from styx_lab.flow.drawing import svg
from styx_lab.flow.flow import Flow
from styx_lab.lab.monitor_figures import (
    NONE,
    Counters,
    Rates,
    delay_text,
    number_text,
    step_figures,
    totals,
    watermark_text,
    with_drift,
)

__all__ = ["Monitor", "MonitorWidget"]

# Nine a second, so that with the closing one no second has more than ten.
_GAP_S: Final = 1 / 9
_QUIET_S: Final = 1.0
_COUNTS: Final = {"late": "late", "dead": "dead", "matches": "matches", "notifications": "notifications"}
_HEAD: Final = {"rate": "events/s", "watermark": "watermark", "delay": "delay", **_COUNTS}
_STATIC: Final = files("styx_lab.lab") / "static"


def _by_timer(delay: float, action: Callable[[], None]) -> None:
    timer = threading.Timer(delay, action)
    timer.daemon = True
    timer.start()


class MonitorWidget(anywidget.AnyWidget):
    """What stands in the browser: the drawing, which never changes, and the newest state."""

    _esm = (_STATIC / "monitor.js").read_text(encoding="utf-8")
    _css = (_STATIC / "monitor.css").read_text(encoding="utf-8")
    drawing = traitlets.Unicode().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)


class Monitor:
    """Shows a flow while it runs; an `Observer` that any run can be given.

    >>> from styx_lab.flow.flow import flow
    >>> from styx_lab.flow.stream import source
    >>> payments = source("payments", schema={"ts": "int", "amount": "float"}, time="ts")
    >>> monitor = Monitor(flow("large", payments.to("all")))
    >>> monitor.observe({"payments": {"read": 5, "decoded": 4, "dead": 1}, "all": {"in": 4}}, 1_704_067_200_000)
    >>> monitor.finish()
    >>> monitor.snapshot()["dead"], monitor.snapshot()["watermark_iso"]
    (1, '2024-01-01T00:00:00.000Z')

    Args:
        flow: the flow that is run.
        clock: gives seconds; for events per second and for how often to redraw.
        later: calls a function after so many seconds, in any thread.

    Attributes:
        widget: the widget, to put it beside others; a cell shows the monitor itself.

    Time: event time is shown, never used. State: the newest counters, and 60 points of events per second.
    """

    # Not a widget itself: `observe` is a word of traitlets too.
    def __init__(
        self,
        flow: Flow,
        *,
        clock: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], object] = _by_timer,
    ) -> None:
        self._flow = flow
        self._clock = clock
        self._later = later
        self._lock = threading.Lock()  # of what is observed; held for a moment only
        self._sending = threading.RLock()  # of what is sent, so that states go out in order
        self._shown: list[DisplayHandle] = []
        self._sent_at = float("-inf")
        self._due = False  # a redraw is on its way
        self._quiet_due = False  # a look whether nothing comes any more is on its way
        self._begin(None)
        self.widget = MonitorWidget(drawing=svg(flow), state=self._state())

    def _begin(self, rates: Rates | None) -> None:
        self._counters: Counters = {}
        self._watermark = MIN_WATERMARK
        self._newest: int | None = None
        self._status = "ready" if rates is None else "running"
        self._message = ""
        self._rates = rates
        self._rate: float | None = None
        self._seen_at = float("-inf")
        self._ask_inputs: Callable[[], Mapping[str, Figures]] = dict
        self._inputs: dict[str, Figures] = {}
        self._inputs_at = float("-inf")

    def begin(self) -> None:
        """Say that a run begins now, and forget the last one; else a run begins with what is first observed."""
        with self._lock:
            self._begin(Rates(self._clock(), 0))
        self._wake()

    def observe(self, counters: Counters, watermark: int, newest: int | None = None) -> None:
        """Keep the newest counters of a run; may be called from any thread, as often as you like.

        Args:
            counters: per step and counter, since the beginning of the run.
            watermark: the flow's, epoch ms.
            newest: the newest event time, epoch ms, where it is known.
        """
        kept = {step: dict(counts) for step, counts in counters.items()}
        with self._lock:
            if (kept, watermark, newest) == (self._counters, self._watermark, self._newest):
                return
            now = self._clock()
            if self._rates is None:
                self._status = "running"
                self._rates = Rates(now, totals(self._flow, kept).events)
            self._counters, self._watermark, self._newest, self._seen_at = kept, watermark, newest, now
            if now - self._inputs_at >= _GAP_S:
                self._take_inputs(now)
        self._wake()

    def take_figures(self, figures: Callable[[], Mapping[str, Figures]]) -> None:
        """Be told where to ask for what is known of the inputs of models (see `Observer`)."""
        self._ask_inputs = figures

    def _take_inputs(self, now: float) -> None:
        self._inputs, self._inputs_at = dict(self._ask_inputs()), now

    def flush(self) -> None:
        """Send the newest state now, unless it was sent already."""
        with self._sending:
            with self._lock:
                state = self._state()
                if state == self.widget.state:
                    return
                self._sent_at = self._clock()
            self.widget.state = state

    def finish(self) -> None:
        """Say that the run has ended, and show its last state."""
        with self._lock:
            self._take_inputs(self._clock())
        self._end("finished", "")

    def fail(self, error: BaseException | str) -> None:
        """Say that the run has failed, and why, and show its last state."""
        self._end("failed", str(error) or type(error).__name__)

    def snapshot(self) -> dict[str, Any]:
        """The newest figures, for programs.

        Times are epoch ms, or None where there is none; `events_per_s` is that of the last second, of a run that has
        ended the mean; `delay_ms` is the newest event time less the watermark; `inputs` has, by step that scores,
        null rate, NaN rate and drift of each input of its model.
        """
        with self._lock:
            total = totals(self._flow, self._counters)
            known = self._watermark not in {MIN_WATERMARK, MAX_WATERMARK}
            return {
                "flow": self._flow.name,
                "status": self._status,
                "message": self._message,
                "events": total.events,
                "events_per_s": self._rate,
                "watermark": self._watermark if known else None,
                "watermark_iso": watermark_text(self._watermark),
                "delay_ms": self._delay(),
                "late": total.late,
                "dead": total.dead,
                "matches": total.matches,
                "notifications": total.notifications,
                "steps": {step: dict(counts) for step, counts in self._counters.items()},
                "inputs": {step: dict(inputs) for step, inputs in self._inputs.items()},
            }

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The widget, and for where none can run the drawing with the newest figures."""
        data, metadata = self.widget._repr_mimebundle_(**kwargs) or ({}, {})
        with self._lock:
            state, figures = self._state(), self._figures()
        status = f"{state['status']}: {state['message']}" if state["message"] else state["status"]
        told = ", ".join([status, *(f"{label} {state[name]}" for name, label in _HEAD.items())])
        counts = ", ".join(f"{state[name]} {label}" for name, label in _COUNTS.items())
        drawn = {
            "image/svg+xml": svg(self._flow, figures=figures or None, note=f"{status}: {counts}" if figures else None),
            "text/plain": f"Monitor of flow {self._flow.name}: {told}",
        }
        return {**data, **drawn}, metadata

    def _ipython_display_(self) -> None:
        data, metadata = self._repr_mimebundle_()
        self._shown.append(display(data, metadata=metadata, raw=True, display_id=True))  # type: ignore[no-untyped-call]

    def _end(self, status: str, message: str) -> None:
        with self._lock:
            if self._rates is None:
                self._rates = Rates(self._clock(), 0)
            self._status, self._message = status, message
            self._rate = self._rates.mean(self._clock(), totals(self._flow, self._counters).events)
        self.flush()
        for handle in self._shown:
            # What a saved notebook shows where no widget can run are then the last figures, not the first.
            data, metadata = self._repr_mimebundle_()
            handle.update(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]

    def _wake(self) -> None:
        """See to it that a redraw comes as soon as one may."""
        with self._lock:
            if self._due:
                return
            self._due = True
            delay = max(0.0, self._sent_at + _GAP_S - self._clock())
        self._later(delay, self._redraw)

    def _redraw(self) -> None:
        with self._lock:
            self._due = False
            self._sample()
            quiet = self._status == "running" and not self._quiet_due
            self._quiet_due |= quiet
        self.flush()
        if quiet:
            self._later(_QUIET_S, self._look_whether_quiet)

    def _look_whether_quiet(self) -> None:
        """When nothing comes any more, the rate must not stand still at its last value."""
        with self._lock:
            self._quiet_due = False
            if self._status != "running":
                return
            left = self._seen_at + _QUIET_S - self._clock()
            quiet = left < _QUIET_S / 100
            self._quiet_due = not quiet
            if quiet:
                self._sample()
                self._rate = 0.0
        if quiet:
            self.flush()
        else:
            self._later(left, self._look_whether_quiet)

    def _sample(self) -> None:
        if self._status == "running" and self._rates is not None:
            self._rates.add(self._clock(), totals(self._flow, self._counters).events)
            self._rate = self._rates.per_second()

    def _delay(self) -> int | None:
        if self._newest is None or self._watermark in {MIN_WATERMARK, MAX_WATERMARK}:
            return None
        return self._newest - self._watermark

    def _figures(self) -> dict[str, list[tuple[str, str]]]:
        return {
            step.name: with_drift(
                step,
                [(name, number_text(count)) for name, count in step_figures(step, self._counters[step.name])],
                self._inputs.get(step.name),
            )
            for step in self._flow.steps
            if step.name in self._counters
        }

    def _state(self) -> dict[str, Any]:
        total = totals(self._flow, self._counters)
        return {
            "status": self._status,
            "message": self._message,
            "rate": NONE if self._rate is None else number_text(self._rate),
            "watermark": watermark_text(self._watermark),
            "delay": delay_text(self._delay()),
            "late": number_text(total.late),
            "dead": number_text(total.dead),
            "matches": number_text(total.matches),
            "notifications": number_text(total.notifications),
            "points": [] if self._rates is None else self._rates.points(),
            "steps": {step: [list(one) for one in figures] for step, figures in self._figures().items()},
        }
