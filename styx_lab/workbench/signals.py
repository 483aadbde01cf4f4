"""Signals of a running job: SIGTERM and the first Ctrl-C ask it to drain, a second Ctrl-C ends it at once.

Law: nothing is done inside a signal handler that could wait. `Event.set` takes a lock, and the handler may have
interrupted the very thread that holds it (the runner waits on the same event): so Python's own wake-up descriptor wakes
a thread of ours, and that one sets the event. It does so even while the main thread is inside a long call of Polars.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from threading import Event, Thread
from types import FrameType, TracebackType
from typing import Any, Final, Self

__all__ = ["StopOnSignal"]

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class StopOnSignal:
    """A context manager, for the main thread only.

    Attributes:
        stop: set by SIGTERM and by the first Ctrl-C.
        interrupted: how often Ctrl-C came.

    Args:
        tell: called once, in a thread of its own, when the first signal comes.
    """

    def __init__(self, tell: Callable[[str], None] = lambda _: None) -> None:
        self.stop = Event()
        self.interrupted = 0
        self._tell = tell
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._wake = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.getsignal(number) for number in _SIGNALS}
        self.take()
        self._thread = Thread(target=self._watch, name="styx-signals", daemon=True)
        self._thread.start()
        return self

    def take(self) -> None:
        """Take the signals (again): a library that is loaded later may have put handlers of its own before ours."""
        for number in _SIGNALS:
            signal.signal(number, self._came)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wake)
        self._writer.close()
        self._thread.join()
        self._reader.close()

    def _came(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            self.interrupted += 1
            if self.interrupted > 1:
                raise KeyboardInterrupt

    def _watch(self) -> None:
        while numbers := self._reader.recv(64):
            asked = [signal.Signals(number) for number in numbers if number in _SIGNALS]
            if asked and not self.stop.is_set():
                self.stop.set()
                again = "; Ctrl-C again ends it at once" if signal.SIGINT in asked else ""
                self._tell(f"{asked[0].name}: draining: finishing and committing what is in hand{again}")
