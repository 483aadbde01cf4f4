"""An explanation: what became of a key's events in a pattern, as tables, as text and as a picture.

Law (true): all of it is read off the trace of the reading, which gives what the operator gives, or was evaluated on the
event it is said of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import polars as pl

from styx_lab.core.schema import TIME_DTYPE
from styx_lab.core.time import MAX_WATERMARK
from styx_lab.operators.cep.explain.around import Around
from styx_lab.operators.cep.explain.causes import Cause, Causes
from styx_lab.operators.cep.explain.follow import Followed
from styx_lab.operators.cep.explain.lives import Life, lives_of
from styx_lab.operators.cep.explain.steps import Progress, Steps
from styx_lab.operators.cep.explain.unmet import Unmet
from styx_lab.operators.cep.reading import trace

__all__ = ["Explanation", "Miss"]

_FAR_AWAY: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Miss:
    """A partial match that became no match, and how near it came.

    Attributes:
        partial: its number.
        progress: how far it got.
        cause: why it became no match.
    """

    partial: int
    progress: Progress
    cause: Cause


class Explanation:
    """What became of the events of one key; made by `pattern.explain` and `flow.explain`.

    Print it for the answer and the details; in a notebook it shows the timeline too.

    Args:
        followed: what happened.
        key: the key, as text; empty where there is none.
        engine: which operator runs the pattern, and why.
        around: the moment that is asked about; None for all.
        missed: the matches there would have been with late events in time: their events by part.
        lost: the dead letters before the step that name the key, in words.
        notes: further lines, of what lies behind the step.
    """

    def __init__(
        self,
        followed: Followed,
        *,
        key: str,
        engine: str,
        around: Around | None = None,
        missed: Sequence[Mapping[str, Sequence[int]]] = (),
        lost: Sequence[str] = (),
        notes: Sequence[str] = (),
    ) -> None:
        self.followed = followed
        self.key = key
        self.engine = engine
        self.around = around
        self.missed = tuple(missed)
        self.lost = tuple(lost)
        self.notes = tuple(notes)
        self.pattern = followed.step.pattern
        self.lives = lives_of(followed.entries, followed.times)
        self.steps = Steps(self.pattern.parts)
        self.causes = Causes(followed, self.lives, self.steps)

    # What is asked about.

    @cached_property
    def chosen(self) -> tuple[Life, ...]:
        """The partial matches that were alive around the moment, else those nearest to it; all where none was named."""
        lives = list(self.lives)
        if self.around is None or not lives:
            return tuple(lives)
        gaps = {life.number: self.around.gap(*self.span(life)) for life in lives}
        nearest = min(gaps.values())
        return tuple(life for life in lives if gaps[life.number] <= nearest)

    @property
    def nothing_alive(self) -> bool:
        """Whether nothing was alive around the moment."""
        return self.around is not None and not any(self.around.gap(*self.span(life)) == 0 for life in self.chosen)

    def span(self, life: Life) -> tuple[int, int]:
        """When it lived; what came too late for it belongs to it too."""
        began = self.lives.start_of(life)
        if isinstance(life.last, trace.TimedOut):
            late = self.causes.of(life).at
            return began, max(life.last.deadline, began, late if late is not None else began)
        if life.end_at is None:
            return began, _FAR_AWAY
        last = self.followed.times[life.taken[-1][1]]
        return began, max(began, last if life.end_at == MAX_WATERMARK else life.end_at)

    @cached_property
    def matches(self) -> tuple[Life, ...]:
        """Those of the chosen that are matches."""
        return tuple(life for life in self.chosen if life.end == "matched")

    @cached_property
    def misses(self) -> tuple[Miss, ...]:
        """Those of the chosen that became no match, the nearest first; without those that only split."""
        found = [
            Miss(life.number, self.steps.progress(life.taken), self.causes.of(life))
            for life in self.chosen
            if life.end not in ("matched", "split")
        ]
        return tuple(
            sorted(
                found, key=lambda miss: (-miss.progress.share, -miss.progress.done, miss.cause.distance, miss.partial)
            )
        )

    # Tables.

    @cached_property
    def table(self) -> pl.DataFrame:
        """A row for each partial match of the key: when it lived, what it took, how it ended and why."""
        rows = []
        for life in self.lives:
            progress = self.steps.progress(life.taken)
            cause = self.causes.of(life)
            rows.append(
                {
                    "partial": life.number,
                    "split_from": life.parent,
                    "began": self.lives.start_of(life),
                    "ended": None if life.end_at == MAX_WATERMARK else life.end_at,
                    "end": life.end,
                    "steps_done": progress.done,
                    "steps": progress.of,
                    "taken": life.parts_text(),
                    "cause": cause.text,
                    "cause_event": cause.event,
                    "late_by_ms": cause.late_by,
                }
            )
        schema = {
            "partial": pl.Int64, "split_from": pl.Int64, "began": pl.Int64, "ended": pl.Int64, "end": pl.String,
            "steps_done": pl.Int64, "steps": pl.Int64, "taken": pl.String, "cause": pl.String, "cause_event": pl.Int64,
            "late_by_ms": pl.Int64,
        }  # fmt: skip
        return pl.DataFrame(rows, schema=schema).with_columns(pl.col("began", "ended").cast(TIME_DTYPE))

    @cached_property
    def happenings(self) -> pl.DataFrame:
        """A row for each thing that happened to a partial match, in order."""
        rows = [
            {"partial": life.number, "at": None if at == MAX_WATERMARK else at, "what": what, "part": part,
             "event": event, "text": text}
            for life in self.lives
            for at, what, part, event, text in self.told(life)
        ]  # fmt: skip
        schema = {
            "partial": pl.Int64, "at": pl.Int64, "what": pl.String, "part": pl.String, "event": pl.Int64,
            "text": pl.String,
        }  # fmt: skip
        return pl.DataFrame(rows, schema=schema).with_columns(pl.col("at").cast(TIME_DTYPE))

    @cached_property
    def events(self) -> pl.DataFrame:
        """The events of the key as they came, with their numbers and what became of them as they came."""
        fates = []
        for event in range(len(self.followed.times)):
            if event in self.followed.late:
                fates.append("late")
            elif event in self.followed.dead:
                fates.append("dead")
            else:
                fates.append("left_out" if event in self.followed.left_out else "read")
        names = list(self.followed.leaves.stream.names)
        return self.followed.frame.select(
            pl.Series("event", range(len(fates)), pl.Int64), pl.Series("fate", fates, pl.String), "_time", *names
        )

    def told(self, life: Life) -> list[tuple[int, str, str | None, int | None, str]]:
        """What happened to a partial match: time, what, part, event, and the whole in words."""
        from styx_lab.operators.cep.explain.words import told

        return told(self, life)

    def counts(self) -> Counter[str]:
        """How many partial matches ended how."""
        return Counter(life.end for life in self.lives)

    # Shown.

    @cached_property
    def text(self) -> str:
        """The answer in a few lines, then the details."""
        from styx_lab.operators.cep.explain.as_text import as_text

        return as_text(self)

    @cached_property
    def answer(self) -> str:
        """The answer alone."""
        from styx_lab.operators.cep.explain.as_text import answer

        return "\n".join(answer(self))

    @cached_property
    def svg(self) -> str:
        """The timeline: each partial match a bar, from its first event to its end; self-contained SVG."""
        from styx_lab.operators.cep.explain.as_svg import as_svg

        return as_svg(self)

    def to_json(self) -> dict[str, Any]:
        """The whole as JSON values: the answer, the near misses, the matches, what happened to each partial match."""

        def unmet(one: Unmet) -> dict[str, Any]:
            return {"text": one.text, "left": one.left, "was": one.was, "sign": one.sign, "needed": one.right}

        return {
            "answer": self.answer,
            "key": self.key,
            "at": None if self.around is None else str(self.around),
            "pattern": str(self.pattern),
            "engine": self.engine,
            "events": dict(Counter(self.events["fate"].to_list())),
            "partial_matches": dict(self.counts()),
            "matches": [
                {"partial": life.number, "events": life.parts(), "at_ms": life.end_at} for life in self.matches
            ],
            "near_misses": [
                {
                    "partial": miss.partial,
                    "steps_done": miss.progress.done,
                    "steps": miss.progress.of,
                    "kind": miss.cause.kind,
                    "cause": miss.cause.text,
                    "event": miss.cause.event,
                    "late_by_ms": miss.cause.late_by,
                    "unmet": [unmet(one) for one in miss.cause.unmet],
                }
                for miss in self.misses
            ],
            "happenings": self.happenings.to_dicts(),
            "dead_letters_before": list(self.lost),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        from html import escape

        return f'{self.svg}<pre class="styx-explanation">{escape(self.text)}</pre>'
