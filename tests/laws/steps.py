"""Processes of every kind of state, input and timer, for the laws: a flow carries the source of this module."""

from __future__ import annotations

from datetime import timedelta

from styx_lab import BroadcastState, ListState, MapState, Process, ValueState


class Everything(Process):
    """Values, lists, maps with and without time to live; timers set, set again, taken back; failures of many kinds."""

    output = {"what": "str", "n": "int", "seen": "float", "kinds": "str", "at": "datetime", "late": "bool"}
    n = ValueState("int", default=0)
    recent = ValueState("int", default=0, ttl="15ms")
    seen = ListState("float", ttl="25ms")
    kinds = MapState("str", "int", ttl="30ms")
    tries = MapState("int", "str")
    deadline = ValueState("datetime")

    def on_event(self, event, context):
        self.n.set(self.n.get() + 1)
        self.recent.set(self.recent.get() + 1)
        if event["amount"] is not None:
            self.seen.append(event["amount"])
        status = event["status"] or "none"
        self.kinds[status] = self.kinds.get(status, 0) + 1
        if self.deadline.get() is not None:
            context.delete_timer(self.deadline.get())
        self.deadline.set(context.timer("12ms"))
        context.timer(event.time + timedelta(milliseconds=30))
        if event["tries"] is not None:
            self.tries.pop(event["tries"], None)
            self.tries[event["tries"]] = status
            if event["tries"] == 4:
                yield self._told("undone", context)
                # All of the above is as if it had not been.
                raise ValueError(f"four tries by {context.key}")
        yield self._told("event", context)
        if status == "declined":
            context.emit({"what": "declined", "at": context.time})
            if len(self.tries) > 3:
                self.tries.clear()

    def on_timer(self, time, context):
        yield self._told("timer", context)
        if time == self.deadline.get():
            self.deadline.clear()
            del self.kinds[next(iter(self.kinds), "nothing")]
            context.timer("7ms")
        elif self.n.get() % 3 == 0:
            self.n.clear()

    def _told(self, what, context):
        kinds = ",".join(f"{name}={count}" for name, count in self.kinds.items())
        tries = ",".join(f"{number}{name}" for number, name in self.tries.items())
        return {
            "what": f"{what} {self.recent.get()} {tries}",
            "n": self.n.get(),
            "seen": float(len(self.seen)),
            "kinds": kinds,
            "at": self.deadline.get(),
            "late": context.time <= context.watermark,
        }


class Refunded(Process):
    """Two keyed inputs and a broadcast one."""

    output = {"limit": "float", "balance": "float", "from_refund": "bool"}
    balance = ValueState("float", default=0.0)
    limits = BroadcastState("str", "float")
    news = BroadcastState("int", "str", ttl="40ms")

    def on_event(self, event, context):
        limit = self.limits.get(event["status"] or "", 500.0)
        self.balance.set(self.balance.get() + min(event["amount"] or 0.0, limit))
        yield {"limit": limit, "balance": self.balance.get(), "from_refund": False}
        if len(self.news) > 1:
            context.timer("5ms")

    def on_refund(self, event, context):
        if event["tries"] == 3:
            self.balance.clear()
        return {"balance": self.balance.get(), "from_refund": True}

    def on_rule(self, event, context):
        if event["amount"] is not None:
            self.limits[event["status"] or "none"] = event["amount"]
        self.news[event["tries"]] = event["card_id"]  # fails where there are none
        if len(self.limits) > 3:
            self.limits.popitem()

    def on_timer(self, time, context):
        return [{"limit": float(len(self.news)), "balance": self.balance.get()}]


class Paid(Process):
    """Sums what came to the second: the same whatever the order within the bound, for it takes events at timers."""

    output = {"amounts": "int", "least": "float"}
    waiting = MapState("datetime", "float")

    def on_event(self, event, context):
        self.waiting[event.time] = event["amount"] or 0.0
        context.timer(event.time)

    def on_timer(self, time, context):
        ripe = [at for at in self.waiting if at <= time]
        yield {"amounts": len(ripe), "least": min((self.waiting[at] for at in ripe), default=None)}
        for at in ripe:
            del self.waiting[at]


class Quiet(Process):
    """Tells, by the clock, of a key that has been quiet for a while: how many came before."""

    output = {"n": "int", "at": "datetime"}
    n = ValueState("int", default=0)
    deadline = ValueState("datetime")

    def on_event(self, event, context):
        self.n.set(self.n.get() + 1)
        if self.deadline.get() is not None:
            context.delete_processing_timer(self.deadline.get())
        self.deadline.set(context.processing_timer("1500ms"))

    def on_processing_timer(self, time, context):
        yield {"n": self.n.get(), "at": time}
        self.n.clear()
        self.deadline.clear()


class Clocked(Process):
    """Timers of both kinds that set each other, state that lives a while, failures; gives nothing for an event."""

    output = {"what": "str", "n": "int", "amount": "float", "at": "datetime", "clock": "datetime"}
    n = ValueState("int", default=0)
    recent = ListState("float", ttl="25ms")
    deadline = ValueState("datetime")

    def on_event(self, event, context):
        self.n.set(self.n.get() + 1)
        self.recent.append(event["amount"] or 0.0)
        if self.deadline.get() is None or self.n.get() % 3 == 0:
            if self.deadline.get() is not None:
                context.delete_processing_timer(self.deadline.get())
            self.deadline.set(context.processing_timer("15ms"))
        if event["status"] == "declined":
            # Of a time that is over.
            context.processing_timer(context.processing_time - timedelta(milliseconds=3))
        if self.n.get() % 2 == 0:
            context.timer("8ms")

    def on_refund(self, event, context):
        context.processing_timer("4ms")
        self.n.set(self.n.get() + 10)

    def on_timer(self, time, context):
        if not context.ended:
            context.processing_timer("9ms")
        return self._told("watermark", time, context)

    def on_processing_timer(self, time, context):
        yield self._told("clock", time, context)
        assert context.time > context.watermark or context.ended
        assert time <= context.processing_time
        if self.n.get() % 5 == 0:
            self.n.set(self.n.get() + 1)
            context.timer("6ms")
            context.processing_timer("7ms")
        if self.n.get() % 7 == 0:
            raise ValueError("seven")
        if time == self.deadline.get():
            self.deadline.clear()

    def _told(self, what, time, context):
        return {
            "what": what,
            "n": self.n.get(),
            "amount": sum(self.recent),
            "at": time,
            "clock": context.processing_time,
        }


class ClockedAlone(Clocked):
    """The same with one input."""

    on_refund = None
