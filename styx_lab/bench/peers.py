"""The peer: W5 as one writes it by hand with streamz and pypmml, one dictionary at a time.

Law: it is written as its users write it, neither slowed down nor helped. It takes events as they arrive, so where they
come out of order its answer is wrong, and the report says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from styx_lab.bench.reference import DRAIN_ABOVE, WITHIN_MS
from styx_lab.bench.risk_model import PROBABILITY, pmml
from styx_lab.errors import MissingDependencyError

__all__ = ["StreamzByHand", "pypmml_score"]

_Event = dict[str, Any]
_Matches = list[_Event]


class StreamzByHand:
    """A graph of ordinary streamz nodes: decode, follow each card, score, notify.

    >>> peer = StreamzByHand(lambda drain: 0.5)
    >>> peer.push([b'{"kind":"fail","card_id":"a","ts":%d,"event_id":%d}' % (t, t) for t in (1, 2)])
    >>> peer.push([b'{"kind":"auth","card_id":"a","ts":3,"event_id":3,"amount":250.0}'])
    >>> peer.notifications
    ['{"events": [1, 2, 3], "card_id": "a", "risk": 0.5, "message": "Card a: 250.00 after two declines"}']

    Args:
        score: from the last event of a match to its score.

    Raises:
        MissingDependencyError: when streamz is not installed.
    """

    def __init__(self, score: Callable[[_Event], float]) -> None:
        try:
            from streamz import Stream
        except ImportError as error:
            raise MissingDependencyError(
                "streamz is not installed", where="bench", hint="pip install 'styx-lab[lab]'"
            ) from error
        self.notifications: list[str] = []
        self._source = Stream()
        (
            self._source.map(json.loads)
            .accumulate(_follow, start={}, returns_state=True)
            .filter(lambda match: match is not None)
            .map(lambda match: _notification(match, score(match[2])))
            .map(json.dumps)
            .sink(self.notifications.append)
        )

    def push(self, payloads: Sequence[bytes]) -> None:
        """Emit payloads, one at a time."""
        emit = self._source.emit
        for payload in payloads:
            emit(payload)


def _follow(cards: dict[str, _Matches], event: _Event) -> tuple[dict[str, _Matches], _Matches | None]:
    fails = cards.setdefault(event["card_id"], [])
    if event["kind"] == "fail":
        cards[event["card_id"]] = [*fails[-1:], event]
        return cards, None
    cards[event["card_id"]] = []
    drained = event["kind"] == "auth" and event["amount"] > DRAIN_ABOVE
    if drained and len(fails) == 2 and event["ts"] - fails[0]["ts"] < WITHIN_MS:
        return cards, [*fails, event]
    return cards, None


def _notification(match: _Matches, risk: float) -> _Event:
    drain = match[2]
    return {
        "events": [event["event_id"] for event in match],
        "card_id": drain["card_id"],
        "risk": risk,
        "message": f"Card {drain['card_id']}: {drain['amount']:.2f} after two declines",
    }


def pypmml_score() -> Callable[[_Event], float]:
    """The benchmark's model in pypmml, asked for one event at a time.

    Raises:
        MissingDependencyError: when pypmml is not installed, or no Java is found.
    """
    from styx_lab.models.gateway import load_model

    model, _ = load_model(pmml().decode())

    def score(event: _Event) -> float:
        return float(model.predict({name: event[name] for name in ("amount", "merchant", "country")})[PROBABILITY])

    return score
