"""Visits to an insurer's site with a form of three pages, and the truth about who got stuck in it.

Law: the same arguments give the same events on every machine and for ever. Nothing is tuned to a detector: some
customers go back and forth and do reach the end, some only take their time, and some page views arrive too late.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.core.schema import Schema
from styx_lab.errors import FlowError
from styx_lab.samples.draws import Draws

__all__ = ["VISITS_DELAY_MS", "VISITS_SCHEMA", "PageVisits", "generate_page_visits"]

VISITS_SCHEMA: Final = Schema({"ts": "int", "customer": "str", "page": "str", "device": "str"})
"""The columns of a page view; `ts` is epoch ms."""
VISITS_DELAY_MS: Final = 5_000
"""A page view arrives at most so long after it happened, but for four in a thousand."""

_START: Final = 1_709_539_200_000  # 2024-03-04T08:00:00Z, a Monday
_HOUR: Final = 3_600_000
_KINDS: Final = ("looking", "left", "done", "slow", "stuck")
"""Never in the form; only its first page; through in time; through in the end; not through."""
_WEIGHTS: Final = {"desktop": (44, 16, 29, 4, 7), "phone": (46, 18, 20, 4, 12)}
_DEVICES: Final = tuple(_WEIGHTS)
_BROWSED: Final = ("home", "products", "prices", "help")
_GAPS: Final = (1_500, 6_000, 12_000, 25_000, 60_000, 150_000)
_FORM_GAPS: Final = (2_500, 20_000, 40_000, 70_000, 120_000, 260_000)
_PAUSES: Final = (300_000, 420_000, 600_000, 800_000, 1_100_000, 1_700_000)
_WANDERINGS: Final = (
    (), ("help",), ("form 1", "form 2"), ("help", "form 2"), ("prices",), ("form 1", "help", "form 1", "form 2"),
)  # fmt: skip
"""Where one goes who is at the second page and does not go on."""


@dataclass(frozen=True, slots=True, eq=False)
class PageVisits:
    """What `generate_page_visits` made.

    Attributes:
        columns: the page views in order of arrival, with the columns of `VISITS_SCHEMA`.
        arrival: epoch ms, when each arrived.
        truth: a row a visit: customer, device, start and end (epoch ms of its first and last page view), kind, and
            late: whether a page view of the form arrived too late.
    """

    columns: pl.DataFrame
    arrival: Int64s
    truth: pl.DataFrame

    def __len__(self) -> int:
        return len(self.columns)

    def sha256(self) -> str:
        """The hash of the page views, as CSV, with their times of arrival."""
        return sha256(self.columns.with_columns(arrival=self.arrival).write_csv().encode()).hexdigest()


def generate_page_visits(visits: int = 10_000, seed: int = 7) -> PageVisits:
    """Page views of an insurer's customers over one working day.

    >>> sample = generate_page_visits(visits=100)
    >>> sample.columns.columns, len(sample.truth)
    (['ts', 'customer', 'page', 'device'], 100)

    Args:
        visits: how many visits there are, 10 or more; every fifth is the second of its customer.
        seed: where chance comes from.

    Page views come up to 5 s out of order; 0.4 % come later than that.

    Raises:
        FlowError: when an argument is too small.
    """
    for word, given, least in (("visits", visits, 10), ("seed", seed, 0)):
        if given < least:
            raise FlowError(
                f"{word} must be {least} or more", where="generate_page_visits", got=given, hint=f"{word}={least}"
            )
    draws = Draws(seed)
    customers, starts = _comings(draws, visits)
    phone = draws.chance(550, visits)
    kinds = np.where(
        phone, draws.weighted(_WEIGHTS["phone"], visits), draws.weighted(_WEIGHTS["desktop"], visits)
    ).tolist()
    chance = _Chance(draws, visits)
    rows: list[tuple[int, int, str]] = []
    for visit, (start, kind) in enumerate(zip(starts.tolist(), kinds, strict=True)):
        at = start
        for page, gap in chance.path(_KINDS[kind]):
            at += gap
            rows.append((at, visit, page))
    times = np.array([at for at, _, _ in rows], np.int64)
    of = np.array([visit for _, visit, _ in rows], np.int64)
    pages = pl.Series("page", [page for _, _, page in rows])
    delay, late = _delays(draws, len(rows))
    order = np.lexsort((times, times + delay))
    names = pl.Series([f"customer-{customer:05d}" for customer in customers.tolist()])
    devices = pl.Series(list(_DEVICES))[phone.astype(np.int64)]
    columns = pl.DataFrame({"ts": times, "customer": names[of], "page": pages, "device": devices[of]})[order]
    in_form = pages.str.starts_with("form").to_numpy()
    truth = pl.DataFrame(
        {
            "customer": names,
            "device": devices,
            "start": pl.Series(np.minimum.reduceat(times, np.searchsorted(of, np.arange(visits)))),
            "end": pl.Series(np.maximum.reduceat(times, np.searchsorted(of, np.arange(visits)))),
            "kind": pl.Series(list(_KINDS))[kinds],
            "late": np.isin(np.arange(visits), of[late & in_form]),
        }
    )
    return PageVisits(columns, (times + delay)[order], truth)


def _comings(draws: Draws, visits: int) -> tuple[Int64s, Int64s]:
    """Who comes, and when; a second visit is three hours or more after the first, so that no two are at one time."""
    first = visits - visits // 5
    starts = _START + draws.between(0, 8 * _HOUR, first)
    again = draws.some(np.arange(first), visits // 5)
    later = starts[again] + 3 * _HOUR + draws.between(0, 2 * _HOUR, len(again))
    return np.concatenate([np.arange(first), again]), np.concatenate([starts, later])


def _delays(draws: Draws, count: int) -> tuple[Int64s, np.ndarray[Any, Any]]:
    """How long each page view is on its way, ms, and which are late."""
    delay = draws.table((40, 120, 300, 900, 2_200, VISITS_DELAY_MS), count)
    late = draws.chance(4, count)
    later = VISITS_DELAY_MS + draws.table((2_000, 10_000, 30_000, 120_000), count)
    return np.where(late, later, delay), late


class _Chance:
    """Draws that are taken one by one, visit by visit."""

    def __init__(self, draws: Draws, visits: int) -> None:
        many = 16 * visits
        self._gaps = iter(draws.table(_GAPS, many).tolist())
        self._form_gaps = iter(draws.table(_FORM_GAPS, many).tolist())
        self._pauses = iter(draws.table(_PAUSES, many).tolist())
        self._choices = iter(draws.between(0, 60, many).tolist())

    def path(self, kind: str) -> Iterator[tuple[str, int]]:
        """The pages of a visit, each with the time since the one before, ms."""
        yield "home", 0
        for _ in range(next(self._choices) % 4):
            yield _BROWSED[next(self._choices) % 4], next(self._gaps)
        if kind == "looking":
            return
        yield "form 1", next(self._gaps)
        if kind == "left":
            return
        yield "form 2", next(self._form_gaps)
        wandering: Sequence[str] = _WANDERINGS[next(self._choices) % 6] if kind != "done" else ()
        if kind == "done" and next(self._choices) % 6 == 0:
            wandering = ("form 1", "form 2")
        for page in wandering:
            yield page, next(self._form_gaps)
        if kind != "stuck":
            yield "form 3", next(self._pauses) if kind == "slow" else next(self._form_gaps)
