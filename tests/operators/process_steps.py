"""A process that does what its events say, for the comparison with a slow one: a flow carries this module's source."""

from __future__ import annotations

import json
from datetime import timedelta

from styx_lab import ListState, MapState, Process, ValueState


class Obeys(Process):
    """Each event's `do` is a list of instructions; `then` is the list that timers follow."""

    output = {"said": "str"}
    value = ValueState("int", default=-1, ttl="20ms")
    kept = ValueState("str")
    numbers = ListState("int", ttl="25ms")
    words = MapState("str", "int", ttl="30ms")
    ever = MapState("int", "bool")
    then = ValueState("str", default="[]")

    def on_event(self, event, context):
        yield from self._obey(json.loads(event["do"]), context)

    def on_timer(self, time, context):
        yield {"said": f"at {context.time.isoformat()}"}
        yield from self._obey(json.loads(self.then.get()), context)

    def on_processing_timer(self, time, context):
        yield {"said": f"clock {time.isoformat()}"}
        yield from self._obey(json.loads(self.then.get()), context)

    def _obey(self, instructions, context):
        for what, *given in instructions:
            match what:
                case "value":
                    self.value.set(given[0])
                case "kept":
                    self.kept.set(given[0])
                case "append":
                    self.numbers.append(given[0])
                case "reverse":
                    self.numbers.set(self.numbers.get()[::-1])
                case "word":
                    self.words[given[0]] = given[1]
                case "no word":
                    self.words.pop(given[0], None)
                case "ever":
                    self.ever[given[0]] = True
                case "never":
                    del self.ever[given[0]]
                case "clear":
                    for state in (self.value, self.kept, self.numbers, self.words, self.ever):
                        state.clear()
                case "then":
                    self.then.set(json.dumps(given[0]))
                case "timer":
                    context.timer(context.time + timedelta(milliseconds=given[0]))
                case "no timer":
                    context.delete_timer(context.time + timedelta(milliseconds=given[0]))
                case "clock timer":
                    context.processing_timer(context.processing_time + timedelta(milliseconds=given[0]))
                case "no clock timer":
                    context.delete_processing_timer(context.processing_time + timedelta(milliseconds=given[0]))
                case "fail":
                    raise ValueError("as it was told")
                case "say":
                    numbers, words, ever = self.numbers.get(), list(self.words.items()), list(self.ever)
                    parts = [
                        self.value.get(),
                        self.kept.get(),
                        numbers,
                        words,
                        ever,
                        len(self.words),
                        len(self.numbers),
                    ]
                    yield {"said": json.dumps(parts)}
