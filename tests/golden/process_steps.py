"""Never to be changed: the golden flow `flow-process.json` carries this text, and its hash names it."""

from styx_lab import BroadcastState, ListState, MapState, Process, ValueState


class Spends(Process):
    """State of every kind, three inputs, timers."""

    output = {"total": "float", "kinds": "str", "quiet": "bool"}
    total = ValueState("float", default=0.0)
    recent = ListState("float", ttl="1m")
    kinds = MapState("str", "int")
    limits = BroadcastState("str", "float", ttl="1d")

    def on_event(self, event, context):
        self.total.set(self.total.get() + min(event["amount"], self.limits.get(event["status"], 1_000.0)))
        self.recent.append(event["amount"])
        self.kinds[event["status"]] = self.kinds.get(event["status"], 0) + 1
        context.timer("10s")
        yield self._told(quiet=False)

    def on_refund(self, event, context):
        self.total.set(self.total.get() - event["amount"])

    def on_limit(self, event, context):
        self.limits[event["status"]] = event["amount"]

    def on_timer(self, time, context):
        return self._told(quiet=True)

    def _told(self, *, quiet):
        kinds = f"{len(self.recent)} " + " ".join(f"{name}:{count}" for name, count in self.kinds.items())
        return {"total": self.total.get(), "kinds": kinds, "quiet": quiet}
