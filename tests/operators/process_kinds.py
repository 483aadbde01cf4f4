"""Small processes, each for one test: a flow carries the source of this module."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from styx_lab import BroadcastState, ListState, MapState, Process, ValueState


class Sets(Process):
    """Sets a timer for each number (ms after the event), and says each other word."""

    output = {"said": "str"}

    def on_event(self, event, context):
        for word in event["do"].split():
            if word.isdigit():
                context.timer(timedelta(milliseconds=int(word)))
            else:
                yield {"said": word}

    def on_timer(self, time, context):
        assert context.time == time <= context.watermark
        return {"said": f"{context.key} {time.microsecond // 1000}"}


class Chain(Process):
    """So many timers, ten ms apart, each set by the one before."""

    output = {"said": "str"}
    left = ValueState("int")

    def on_event(self, event, context):
        self.left.set(int(event["do"]))
        context.timer("10ms")

    def on_timer(self, time, context):
        left = self.left.get() - 1
        if left >= 0:
            self.left.set(left)
            context.timer("10ms")
            yield {"said": f"{context.key} {left}"}


class Forever(Process):
    """A heartbeat that never stops."""

    output = {"said": "str"}

    def on_event(self, event, context):
        context.timer("10ms")

    def on_timer(self, time, context):
        context.timer("10ms")
        return {"said": "beat"}


class UntilTheEnd(Forever):
    """A heartbeat that stops with the input."""

    def on_timer(self, time, context):
        if not context.ended:
            context.timer("10ms")
        return {"said": "beat"}


class Sums(Process):
    """The sum so far; fails after it wrote."""

    output = {"said": "str"}
    sum = ValueState("int", default=0)
    words = ListState("str")

    def on_event(self, event, context):
        self.words.append(event["do"])
        self.sum.set(self.sum.get() + 1)
        self.sum.set(self.sum.get() - 1 + int(event["do"]))
        assert len(self.words) <= 2
        return {"said": str(self.sum.get())}


class FailsLater(Process):
    """Fails in its timer."""

    output = {"said": "str"}
    words = MapState("str", "str")

    def on_event(self, event, context):
        if event["do"]:
            context.timer(timedelta(milliseconds=int(event["do"])))

    def on_timer(self, time, context):
        yield {"said": "never seen"}
        yield {"said": self.words["nothing"]}


class Does(Process):
    """Does what an event says, in Python."""

    output = {"n": "int", "real": "float"}
    n = ValueState("int")
    at = ValueState("datetime")
    text = ListState("str")
    m = MapState("str", "float")
    limits = BroadcastState("str", "int")

    def on_event(self, event, context):
        found = eval(event["do"])
        return found if isinstance(found, list | str | int) else None

    def on_rule(self, event, context):
        eval(event["do"])


class Both(Process):
    """Two inputs and a timer."""

    output = {"said": "str"}

    def on_event(self, event, context):
        if event["do"]:
            context.timer(timedelta(milliseconds=int(event["do"])))

    def on_other(self, event, context):
        yield {"said": f"other {event['do']}"}

    def on_timer(self, time, context):
        yield {"said": f"timer {time.microsecond // 1000}"}


class Twice(Process):
    """Two events for each cause."""

    output = {"said": "str"}

    def on_event(self, event, context):
        context.emit({"said": "one"})
        if event["do"]:
            context.timer(timedelta(milliseconds=int(event["do"])))
        return [{"said": "two"}]

    def on_timer(self, time, context):
        yield from [{"said": "three"}, {"said": "four"}]


class Numbers(Process):
    """Values of NumPy's types, and none."""

    output = {"whole": "int", "real": "float", "flag": "bool", "at": "datetime", "nothing": "float", "missing": "str"}

    def on_event(self, event, context):
        return {
            "whole": np.int32(3),
            "real": 2,
            "flag": np.bool_(True),
            "at": event.time.astimezone(),
            "nothing": float("nan"),
        }


class Remembers(Process):
    """Keeps something of every kind for a tenth of a second."""

    output = {"said": "str"}
    value = ValueState("str", ttl="100ms")
    values = ListState("str", ttl="100ms")
    words = MapState("str", "int", ttl="100ms")

    def on_event(self, event, context):
        self.value.set("x")
        self.values.extend(["y", "z"])
        self.words["w"] = 1
        context.timer("100ms")

    def on_timer(self, time, context):
        assert self.value.get() is None
        assert self.values.get() == list(self.words) == []


class Postpones(Process):
    """Takes its timer back with each event, and sets it anew."""

    output = {"said": "str"}
    deadline = ValueState("datetime")

    def on_event(self, event, context):
        if self.deadline.get() is not None:
            context.delete_timer(self.deadline.get())
        self.deadline.set(context.timer("1h"))

    def on_timer(self, time, context):
        yield {"said": "at last"}


class AllTypes(Process):
    """State of every type, for a key of two columns."""

    output = {"said": "str"}
    flags = ListState("bool")
    at = ValueState("datetime")
    reals = MapState("datetime", "float", ttl="1m")
    texts = MapState("bool", "str")

    def on_event(self, event, context):
        self.flags.append(event["n"] % 3 == 0)
        self.reals[event.time] = event["n"] / 3
        self.texts[event["n"] % 2 == 0] = event["do"] + "é"
        said = f"{self.at.get()} {self.flags.get()} {dict(self.reals)} {list(self.texts.items())} {context.key}"
        self.at.set(event.time)
        context.timer("9ms")
        return {"said": said}

    def on_timer(self, time, context):
        return {"said": f"{self.at.get()} {time}"}


class ByTheClock(Process):
    """Sets timers of the clock, says each that is taken."""

    output = {"said": "str"}

    def on_event(self, event, context):
        for word in event["do"].split():
            match word[0]:
                case "-":
                    context.delete_processing_timer(context.processing_time + timedelta(milliseconds=int(word[1:])))
                case "w":
                    context.timer(context.time + timedelta(milliseconds=int(word[1:])))
                case "@":
                    context.processing_timer(EPOCH + timedelta(milliseconds=int(word[1:])))
                case "!":
                    eval(word[1:])
                case _:
                    context.processing_timer(timedelta(milliseconds=int(word)))
        return {"said": f"event {_ms(context.processing_time)}"}

    def on_timer(self, time, context):
        return {"said": f"watermark {_ms(time)} {_ms(context.processing_time)}"}

    def on_processing_timer(self, time, context):
        return {"said": f"clock {_ms(time)} {_ms(context.processing_time)}"}


class Heartbeat(Process):
    """Beats by the clock, for ever."""

    output = {"said": "str"}

    def on_event(self, event, context):
        context.processing_timer("10ms")

    def on_processing_timer(self, time, context):
        context.processing_timer("10ms")
        return {"said": "beat"}


class FailsByTheClock(Process):
    """Fails in its timer of the clock."""

    output = {"said": "str"}

    def on_event(self, event, context):
        context.processing_timer("10ms")

    def on_processing_timer(self, time, context):
        context.processing_timer("1h")
        yield {"said": "never seen"}
        context.processing_timer(time)


def _ms(time):
    return (time - EPOCH) // timedelta(milliseconds=1)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
