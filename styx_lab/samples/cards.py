"""Card payments with card-testing attacks in them, and the truth about which.

Law: the same arguments give the same bytes on every machine and for ever. Nothing is tuned to a detector: there are
customers who look like attackers, attacks that do not look like the textbook, and events of attacks that come late,
twice or damaged.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import numpy as np
import polars as pl

from styx_lab.connectors.recording_content import RECORDING_COLUMNS, ContentHash
from styx_lab.connectors.recording_writer import RecordingWriter
from styx_lab.core.batch import Int64s
from styx_lab.core.schema import Schema
from styx_lab.errors import FlowError, OutputError
from styx_lab.samples.card_history import make_history
from styx_lab.samples.card_payloads import damaged, payment_id, payments
from styx_lab.samples.card_sequences import KINDS, Sequences, attacks, decoys
from styx_lab.samples.card_world import ATTACK_HOURS, HOURS, Cards, abroad, card_id, everyday_amounts, make_cards
from styx_lab.samples.draws import Draws

__all__ = ["CARDS_SCHEMA", "CardsSample", "generate_cards"]

CARDS_SCHEMA: Final = Schema(
    {
        "payment_id": "str",
        "ts": "int",
        "card_id": "str",
        "amount": "float",
        "status": "str",
        "merchant": "str",
        "country": "str",
    }
)
"""The columns of a payment; `ts` is epoch ms."""

_START: Final = 1_709_510_400_000  # 2024-03-04T00:00:00Z, a Monday
_HOUR: Final = 3_600_000
_PARTITIONS: Final = 4
_BOUND: Final = 2_000
_TRUTH: Final = "truth.jsonl beside this file has one line for each card-testing attack"


@dataclass(frozen=True, slots=True, eq=False)
class CardsSample:
    """What `generate_cards` made.

    Attributes:
        rows: the payments as rows of a recording, in order of arrival.
        truth: one dictionary an attack: attack, card_id, start and end (epoch ms of the first decline and of the
            drain), drain_payment_id, drained, declines, kind, and whether one of its events is late or malformed.
        customers: card_id, customer_id, home_country, segment, member_since (days).
        history: labelled candidates to train on, none of them in `rows`.
    """

    rows: pl.DataFrame = field(repr=False)
    truth: list[dict[str, Any]] = field(repr=False)
    customers: pl.DataFrame = field(repr=False)
    history: pl.DataFrame = field(repr=False)

    def __len__(self) -> int:
        return self.rows.height

    @property
    def payloads(self) -> list[bytes]:
        """The payloads in order of arrival."""
        return self.rows["payload"].to_list()

    def content_sha256(self) -> str:
        """The content hash that the recording of these payments has."""
        content = ContentHash()
        content.update(self.rows)
        return content.hexdigest()

    def write(self, folder: str | Path) -> dict[str, Path]:
        """Write the four files into a folder, which is made if need be, and give their paths by name.

        Raises:
            OutputError: when the folder cannot be made or written.
        """
        to = Path(folder)
        paths = {
            "payments": to / "payments.recording.parquet",
            "truth": to / "truth.jsonl",
            "customers": to / "customers.parquet",
            "history": to / "history.parquet",
        }
        try:
            to.mkdir(parents=True, exist_ok=True)
            lines = [json.dumps(attack) + "\n" for attack in self.truth]
            paths["truth"].write_text("".join(lines), encoding="utf-8")
            self.customers.write_parquet(paths["customers"])
            self.history.write_parquet(paths["history"])
        except (OSError, pl.exceptions.PolarsError) as error:
            hint = "free some space, or name a folder that may be written"
            raise OutputError("the sample cannot be written", where=str(to), got=str(error), hint=hint) from error
        with RecordingWriter(
            paths["payments"],
            name="payments",
            schema=CARDS_SCHEMA,
            time="ts",
            key=["card_id"],
            partitions=range(_PARTITIONS),
            truth=_TRUTH,
        ) as writer:
            writer.write_rows(self.rows)
        return paths


def generate_cards(events: int = 200_000, seed: int = 7, *, cards: int = 2_000, hours: int = 24) -> CardsSample:
    """Card payments in 4 partitions, with one card-testing attack in a thousand of them.

    >>> sample = generate_cards(events=2_000)
    >>> len(sample), len(sample.truth)
    (2000, 2)

    Args:
        events: how many are delivered, 1,000 or more.
        seed: where chance comes from.
        cards: how many cards there are; few are used often (Zipf).
        hours: how much event time is covered, 2 or more; there are quiet and busy hours.

    Events come up to 2 s out of order; 0.2 % come later than that; 0.3 % come twice; 0.5 % are malformed.

    Raises:
        FlowError: when an argument is too small.
    """
    for word, given, least in (("events", events, 1_000), ("cards", cards, 10), ("hours", hours, 2), ("seed", seed, 0)):
        if given < least:
            raise FlowError(
                f"{word} must be {least} or more", where="generate_cards", got=given, hint=f"{word}={least}"
            )
    draws = Draws(seed)
    world = make_cards(draws, cards)
    count = events // 1_000
    attacked = attacks(draws, world, np.resize(draws.order(cards), count), _starts(draws, count, hours))
    count = events * 3 // 2_000
    busy = draws.weighted(world.popularity, count)
    refused = decoys(draws, world, busy, _starts(draws, count, hours, customers=True))
    twice = events * 3 // 1_000
    everyday = events - twice - int(attacked.there.sum()) - int(refused.there.sum())
    table = _Table.of(
        _everyday(draws, world, everyday, hours), _flat(attacked, first=0), _flat(refused, first=None)
    ).by_time()
    delivery = _deliver(draws, table, twice)
    return CardsSample(
        rows=_rows(draws, table, delivery, cards),
        truth=_truth(attacked, table, delivery),
        customers=world.frame(),
        history=make_history(seed + 1_000_003, sequences=3_000, start=_START - 40 * 24 * _HOUR),
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """Payments: one entry each; `attack` is the index of the attack it belongs to, -1 for none."""

    card: Int64s
    time: Int64s
    amount: Int64s
    declined: Int64s
    merchant: Int64s
    country: Int64s
    attack: Int64s

    @staticmethod
    def of(*parts: tuple[Int64s, ...]) -> _Table:
        return _Table(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def by_time(self) -> _Table:
        order = np.argsort(self.time, kind="stable")
        columns = (self.card, self.time, self.amount, self.declined, self.merchant, self.country, self.attack)
        return _Table(*(column[order] for column in columns))


@dataclass(frozen=True, slots=True)
class _Delivery:
    """How payments come: their places in the table in order of arrival, and which are late or malformed (by place)."""

    place: Int64s
    arrival: Int64s
    late: Int64s
    malformed: Int64s


def _starts(draws: Draws, count: int, hours: int, *, customers: bool = False) -> Int64s:
    """When runs of payments begin; not in the last hour, so that they end in time."""
    weights = [(HOURS if customers else ATTACK_HOURS)[hour % 24] for hour in range(hours - 1)]
    hour = draws.weighted(weights, count)
    return _START + hour * _HOUR + draws.between(0, _HOUR, count)


def _everyday(draws: Draws, world: Cards, count: int, hours: int) -> tuple[Int64s, ...]:
    card = draws.weighted(world.popularity, count)
    hour = draws.weighted([HOURS[hour % 24] for hour in range(hours)], count)
    time = _START + hour * _HOUR + draws.between(0, _HOUR, count)
    merchant, amount = everyday_amounts(draws, count)
    country = abroad(draws, world.home[card], 80)
    declined = draws.chance(np.where(country == world.home[card], 25, 60), count).astype(np.int64)
    return card, time, amount, declined, merchant, country, np.full(count, -1, np.int64)


def _flat(runs: Sequences, *, first: int | None) -> tuple[Int64s, ...]:
    """The payments of runs; attacks are numbered from `first`."""
    run, slot = np.nonzero(runs.there)
    number = np.full(len(run), -1, np.int64) if first is None else run + first
    columns = (runs.time, runs.amount, (np.arange(runs.there.shape[1]) < 4)[None, :].repeat(len(runs), axis=0))
    time, amount, declined = (column[run, slot].astype(np.int64) for column in columns)
    return runs.card[run], time, amount, declined, runs.merchant[run, slot], runs.country[run, slot], number


def _deliver(draws: Draws, table: _Table, twice: int) -> _Delivery:
    count = len(table.time)
    places = np.arange(count)
    of_attacks = np.flatnonzero(table.attack >= 0)
    attacks_found = int(table.attack.max()) + 1
    # Chance alone would give attacks one late event or none, and their share of trouble is what a detector must bear.
    late = np.union1d(
        draws.some(places, count * 2 // 1_000 - 1), draws.some(of_attacks, max(attacks_found * 4 // 100, 1))
    ).astype(np.int64)
    hurt = draws.some(of_attacks, max(attacks_found * 3 // 100, 1))
    others = np.setdiff1d(places, hurt)
    malformed = np.union1d(hurt, draws.some(others, (count + twice) * 5 // 1_000 - len(hurt))).astype(np.int64)
    delay = draws.between(0, _BOUND, count)
    delay[late] = _BOUND + draws.table((3_000, 10_000, 20_000, 40_000, 118_000), len(late))
    arrival = table.time + delay
    again = draws.some(np.setdiff1d(places, malformed), twice)
    arrivals = np.concatenate([arrival, arrival[again] + draws.table((40, 150, 400, 800, 1_400, 4_000), len(again))])
    order = np.argsort(arrivals, kind="stable")
    return _Delivery(np.concatenate([places, again])[order], arrivals[order], late, malformed)


def _rows(draws: Draws, table: _Table, delivery: _Delivery, cards: int) -> pl.DataFrame:
    place = delivery.place
    texts = payments(table.card, table.time, table.amount, table.declined, table.merchant, table.country)
    payload = texts.cast(pl.Binary).to_list()
    for index, bad in zip(
        delivery.malformed.tolist(), damaged(draws, texts[delivery.malformed].to_list()), strict=True
    ):
        payload[index] = bad
    names = pl.Series([card_id(card) for card in range(cards)])
    partition_of = np.array([crc32(name.encode()) % _PARTITIONS for name in names], np.int32)
    partition = partition_of[table.card[place]]
    offset = np.empty(len(place), np.int64)
    for part in range(_PARTITIONS):
        rows = np.flatnonzero(partition == part)
        offset[rows] = np.arange(len(rows))
    frame = pl.DataFrame(
        {
            "partition": partition,
            "offset": offset,
            "timestamp": table.time[place],
            "arrival": delivery.arrival,
            "key": names[table.card[place]].cast(pl.Binary),
            "headers": pl.Series([[]], dtype=RECORDING_COLUMNS["headers"]).new_from_index(0, len(place)),
            "payload": pl.Series(payload, dtype=pl.Binary)[place],
        }
    )
    return frame.cast(RECORDING_COLUMNS)  # type: ignore[arg-type]


def _truth(runs: Sequences, table: _Table, delivery: _Delivery) -> list[dict[str, Any]]:
    start, end = runs.time[:, 0], runs.time[:, -1]
    late = set(table.attack[delivery.late].tolist())
    malformed = set(table.attack[delivery.malformed].tolist())
    drain: dict[int, int] = {}
    for place in np.flatnonzero(table.attack >= 0).tolist():
        if table.time[place] == end[table.attack[place]]:
            drain[int(table.attack[place])] = place
    return [
        {
            "attack": f"attack-{number:04d}",
            "card_id": card_id(int(runs.card[run])),
            "start": int(start[run]),
            "end": int(end[run]),
            "drain_payment_id": payment_id(drain[run]),
            "drained": int(runs.amount[run, -1]) / 100,
            "declines": int(runs.there[run, :4].sum()),
            "kind": KINDS[runs.kind[run]],
            "late": run in late,
            "malformed": run in malformed,
        }
        for number, run in enumerate(np.argsort(start, kind="stable").tolist())
    ]
