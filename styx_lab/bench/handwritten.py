"""The limit: W1, W2, W3 and W5 written by hand for this very work, in columns, on batches of a given size.

Law: they keep their state between batches and give their outputs as the watermark allows, as a step of a flow must;
what they leave out is everything general. So they bound what any general step can reach, and are no step themselves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

import msgspec
import numpy as np
import polars as pl

from styx_lab.bench.cards import card_slots
from styx_lab.bench.kernels import PANES, match_rows, window_rows
from styx_lab.bench.payments import DISORDER_MS, SCHEMA
from styx_lab.bench.reference import DRAIN_ABOVE, EUR, SIZE_MS, SLIDE_MS, WITHIN_MS
from styx_lab.bench.risk_model import risk

__all__ = ["Decoding", "MatchCards", "Matched", "Matching", "Pipeline", "WindowCards", "Windowing", "Windows"]

_ROOM: Final = 65_536
_LONG_AGO: Final = -(2**62)
_WINDOW: Final = (SIZE_MS, SLIDE_MS, DISORDER_MS)
_Decoder = Literal["msgspec", "polars"]
_Rows = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Slots, times, fails, drains, ids."""


class _Kept(msgspec.Struct, gc=False):
    event_id: int
    amount: float
    kind: str


class _Event(msgspec.Struct, gc=False):
    event_id: int
    ts: int
    card_id: str
    amount: float
    merchant: str
    country: str
    kind: str


class Decoding:
    """W1: from payloads to the id and the derived amount of what passes the filter.

    Args:
        decoder: `msgspec` decodes the lines joined to one JSON list, three fields of each; `polars` reads them as
            newline-delimited JSON.
    """

    def __init__(self, decoder: _Decoder) -> None:
        self._decoder = decoder
        self._decode = msgspec.json.Decoder(list[_Kept]).decode
        self._schema = {name: SCHEMA.polars[name] for name in ("event_id", "amount", "kind")}

    def push(self, payloads: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """The ids (int64) and the amounts in euro (float64) of a batch."""
        if self._decoder == "msgspec":
            kept = [event for event in self._decode(b"[" + b",".join(payloads) + b"]") if event.kind != "reversal"]
            ids = np.array([event.event_id for event in kept], np.int64)
            return ids, np.array([event.amount for event in kept], np.float64) * EUR
        frame = pl.read_ndjson(b"\n".join(payloads), schema=self._schema)
        frame = frame.filter(pl.col("kind") != "reversal").select("event_id", pl.col("amount") * EUR)
        return frame["event_id"].to_numpy(), frame["amount"].to_numpy()


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows that fired: the card's slot, the end in epoch ms, the count, the exact sum."""

    slots: np.ndarray
    ends: np.ndarray
    counts: np.ndarray
    sums: np.ndarray


class WindowCards:
    """W2 on arrays: panes of a minute per card in a ring, merged when a window fires. No row may be late."""

    def __init__(self) -> None:
        self._clock = np.array([_LONG_AGO, _LONG_AGO], np.int64)
        self._capacity = 0
        self._active_count = 0
        self._live = np.zeros(0, np.int64)
        self._active = np.zeros(0, np.int64)
        self._panes = (np.zeros(0, np.int64), np.zeros(0, np.float64), np.zeros(0, np.float64))

    def push(
        self, slots: np.ndarray, times: np.ndarray, amounts: np.ndarray, cards: int, *, ending: bool = False
    ) -> list[Windows]:
        """Take a batch; gives what fires.

        Args:
            slots: int64, below `cards`.
            times: int64, epoch ms.
            amounts: float64.
            cards: how many slots there are by now.
            ending: no more will come: all that is open fires.
        """
        if cards > self._capacity:
            self._grow(2 * cards)
        fired = []
        start = 0
        while True:
            room = max(_ROOM, self._capacity)
            outputs = (np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room))
            start, used, self._active_count = window_rows(
                (slots, times, amounts), start, ending, _WINDOW, self._clock, self._panes,
                (self._live, self._active), self._active_count, outputs,
            )  # fmt: skip
            if used:
                slot, end, count, total = outputs
                fired.append(Windows(slot[:used], end[:used], count[:used], total[:used]))
            if start == len(slots) and not (ending and self._active_count):
                return fired

    def _grow(self, capacity: int) -> None:
        counts, highs, lows = self._panes
        wide = capacity * PANES
        self._panes = (_longer(counts, wide), _longer(highs, wide), _longer(lows, wide))
        self._live, self._active = _longer(self._live, capacity), _longer(self._active, capacity)
        self._capacity = capacity


class Windowing:
    """W2 on decoded frames: the cards' slots, then `WindowCards`, then a frame of what fired."""

    def __init__(self, batch: int) -> None:
        self._cards = card_slots(batch)
        self._windows = WindowCards()

    def push(self, frame: pl.DataFrame, *, ending: bool = False) -> list[pl.DataFrame]:
        """Take a batch; gives frames of `card_id`, `window_end`, `count` and `sum`."""
        slots = self._cards.slots(frame["card_id"])
        times, amounts = frame["ts"].to_numpy(), frame["amount"].to_numpy()
        fired = self._windows.push(slots, times, amounts, len(self._cards), ending=ending)
        return [
            pl.DataFrame(
                {
                    "card_id": self._cards.names(windows.slots),
                    "window_end": windows.ends,
                    "count": windows.counts,
                    "sum": windows.sums,
                }
            )
            for windows in fired
        ]


@dataclass(frozen=True, slots=True)
class Matched:
    """Matches: int64 event ids, one row of three a match, and where each last event stood in the order of arrival."""

    ids: np.ndarray
    arrivals: np.ndarray


class MatchCards:
    """W3 on arrays: rows wait for the watermark in order of event time, then step their card's run of fails."""

    def __init__(self) -> None:
        self._clock = np.array([_LONG_AGO], np.int64)
        self._seen = 0
        nothing, never = np.empty(0, np.int64), np.empty(0, np.bool_)
        self._waiting: _Rows = (nothing, nothing, never, never, nothing)
        self._arrivals = np.empty(0, np.int64)
        self._cards = (np.zeros(0, np.int8), np.zeros((0, 2), np.int64), np.zeros((0, 2), np.int64))

    @property
    def oldest(self) -> int:
        """Where the earliest arrival that still waits stands in the order of arrival."""
        return int(self._arrivals.min()) if len(self._arrivals) else self._seen

    def push(
        self,
        slots: np.ndarray,
        times: np.ndarray,
        fails: np.ndarray,
        drains: np.ndarray,
        ids: np.ndarray,
        cards: int,
        *,
        ending: bool = False,
    ) -> Matched:
        """Take a batch; gives what the watermark completes.

        Args:
            slots: int64, below `cards`.
            times: int64, epoch ms.
            fails: bool, is it a fail.
            drains: bool, is it an auth above 100.
            ids: int64 event ids.
            cards: how many slots there are by now.
            ending: no more will come.
        """
        if cards > len(self._cards[0]):
            run, fail_times, fail_ids = self._cards
            self._cards = (_longer(run, 2 * cards), _longer(fail_times, 2 * cards), _longer(fail_ids, 2 * cards))
        pending = len(self._arrivals)
        batch = (slots, times, fails, drains, ids)
        rows = cast(_Rows, tuple(np.concatenate(pair) for pair in zip(self._waiting, batch, strict=True)))
        arrivals = np.concatenate([self._arrivals, np.arange(self._seen, self._seen + len(slots))])
        order, found = np.empty(len(arrivals), np.int64), np.empty((len(arrivals), 4), np.int64)
        matches, waiting = match_rows(
            rows, pending, ending, WITHIN_MS, DISORDER_MS, self._clock, order, self._cards, found
        )
        places = order[:waiting]
        self._waiting = cast(_Rows, tuple(column[places] for column in rows))
        self._arrivals = arrivals[places]
        self._seen += len(slots)
        return Matched(found[:matches, :3], arrivals[found[:matches, 3]])


class Matching:
    """W3 on decoded frames: the cards' slots, the two conditions, then `MatchCards`."""

    def __init__(self, batch: int) -> None:
        self._cards = card_slots(batch)
        self._matches = MatchCards()

    @property
    def oldest(self) -> int:
        """Where the earliest arrival that still waits stands in the order of arrival."""
        return self._matches.oldest

    def push(self, frame: pl.DataFrame, *, ending: bool = False) -> Matched:
        """Take a batch; gives the matches that the watermark completes."""
        kind = frame["kind"]
        return self._matches.push(
            self._cards.slots(frame["card_id"]),
            frame["ts"].to_numpy(),
            (kind == "fail").to_numpy(),
            ((kind == "auth") & (frame["amount"] > DRAIN_ABOVE)).to_numpy(),
            frame["event_id"].to_numpy(),
            len(self._cards),
            ending=ending,
        )


class Pipeline:
    """W5: from payloads to notifications as JSON: decoding, W3, the score of each match, the notification.

    Args:
        decoder: as for `Decoding`, all seven fields.
        batch: how many payloads come at a time.
    """

    def __init__(self, decoder: _Decoder, batch: int) -> None:
        self._decoder = decoder
        self._decode = msgspec.json.Decoder(list[_Event]).decode
        self._encode = msgspec.json.Encoder().encode
        self._matching = Matching(batch)
        self._matches = MatchCards()
        self._slots: dict[str, int] = {}
        self._held: deque[tuple[int, pl.DataFrame | list[_Event]]] = deque()
        self._seen = 0

    def push(self, payloads: Sequence[bytes], *, ending: bool = False) -> list[bytes]:
        """Take a batch; gives the notifications."""
        if self._decoder == "msgspec":
            events = self._decode(b"[" + b",".join(payloads) + b"]")
            self._held.append((self._seen, events))
            matched, oldest = self._match(events, ending=ending), self._matches.oldest
        else:
            frame = pl.read_ndjson(b"\n".join(payloads), schema=SCHEMA.polars)
            self._held.append((self._seen, frame))
            matched, oldest = self._matching.push(frame, ending=ending), self._matching.oldest
        self._seen += len(payloads)
        made = [self._notify(ids, arrival) for ids, arrival in zip(matched.ids.tolist(), matched.arrivals, strict=True)]
        while len(self._held) > 1 and self._held[1][0] <= oldest:
            self._held.popleft()
        return made

    def _match(self, events: list[_Event], *, ending: bool) -> Matched:
        known = self._slots
        kinds = [event.kind for event in events]
        amounts = np.array([event.amount for event in events], np.float64)
        return self._matches.push(
            np.array([known.setdefault(event.card_id, len(known)) for event in events], np.int64),
            np.array([event.ts for event in events], np.int64),
            np.array([kind == "fail" for kind in kinds], np.bool_),
            np.array([kind == "auth" for kind in kinds], np.bool_) & (amounts > DRAIN_ABOVE),
            np.array([event.event_id for event in events], np.int64),
            len(known),
            ending=ending,
        )

    def _notify(self, ids: list[int], arrival: int) -> bytes:
        # Matches are few (one in 800 events): their other columns are looked up where they came in.
        first, held = next((first, held) for first, held in reversed(self._held) if first <= arrival)
        if isinstance(held, pl.DataFrame):
            card, amount, merchant, country = held.row(int(arrival - first))[2:6]
        else:
            event = held[arrival - first]
            card, amount, merchant, country = event.card_id, event.amount, event.merchant, event.country
        notification: dict[str, Any] = {
            "events": ids,
            "card_id": card,
            "risk": risk(amount, merchant, country),
            "message": f"Card {card}: {amount:.2f} after two declines",
        }
        return self._encode(notification)


def _longer(array: np.ndarray, length: int) -> np.ndarray:
    longer = np.zeros((length, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer
