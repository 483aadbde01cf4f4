"""What a run gave: the rows of every output, the counters, and a digest that two runs can be compared by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final

import polars as pl

from styx_lab.core.events import canonical_lines
from styx_lab.core.operator import Figures
from styx_lab.engines.ledger import Counters
from styx_lab.engines.plan import DEAD_LETTERS
from styx_lab.errors import NotFoundError
from styx_lab.flow.flow import Flow

__all__ = ["Result", "digest_lines", "gather"]

_DRIFT: Final[dict[str, pl.DataType]] = {
    "input": pl.String(),
    "rows": pl.Int64(),
    "null_rate": pl.Float64(),
    "nan_rate": pl.Float64(),
    "psi": pl.Float64(),
    "note": pl.String(),
}


def digest_lines(lines: Iterable[bytes]) -> str:
    """SHA-256 of lines, each with its line feed: the digest of the JSON Lines file that holds them.

    >>> digest_lines([b'{"a":1}'])[:12]
    'e346432021b0'
    """
    digest = sha256()
    for line in lines:
        digest.update(line)
        digest.update(b"\n")
    return digest.hexdigest()


def gather(
    pieces: Iterable[Mapping[str, pl.DataFrame]], schemas: Mapping[str, dict[str, pl.DataType]]
) -> dict[str, pl.DataFrame]:
    """One frame an output of what many slices gave."""
    frames: dict[str, list[pl.DataFrame]] = {name: [pl.DataFrame(schema=schema)] for name, schema in schemas.items()}
    for piece in pieces:
        for name, frame in piece.items():
            if frame.height:
                frames[name].append(frame)
    return {name: pl.concat(parts) for name, parts in frames.items()}


class Result:
    """The outcome of a run over a finite input.

    Attributes:
        flow: the flow that ran.
        outputs: a frame for each output, in the order in which its rows came.
        counters: per step, then by name.
        summary: events, processed, late, dead, matches, notifications.
        figures: what steps say of their columns (see `drift`), by step, column and figure.
    """

    def __init__(
        self,
        flow: Flow,
        outputs: Mapping[str, pl.DataFrame],
        counters: Counters,
        summary: Mapping[str, int],
        figures: Mapping[str, Figures] | None = None,
    ) -> None:
        self.flow = flow
        self.outputs = dict(outputs)
        self.counters = counters
        self.summary = dict(summary)
        self.figures = dict(figures or {})

    @property
    def dead_letters(self) -> pl.DataFrame:
        """The events that a step could not take, each with step, reason and payload."""
        return self.outputs[DEAD_LETTERS]

    @property
    def notifications(self) -> pl.DataFrame:
        """The rows of all outputs that carry notifications; of several, the events as canonical JSON text.

        Raises:
            NotFoundError: when the flow makes none.
        """
        names = self.flow.notification_outputs
        if not names:
            raise NotFoundError(
                "the flow makes no notifications",
                where=f"flow {self.flow.name!r}",
                hint=f"notify(...) before to(...), or look at .outputs: {', '.join(self.outputs)}",
            )
        if len(names) == 1:
            return self.outputs[names[0]]
        return pl.concat(self._as_text(self.outputs[name]) for name in names)

    @staticmethod
    def _as_text(frame: pl.DataFrame) -> pl.DataFrame:
        events = [line.decode() for line in canonical_lines(frame["event"].struct.unnest())]
        return frame.with_columns(pl.Series("event", events, pl.String))

    def drift(self, step: str | None = None) -> pl.DataFrame:
        """What the inputs of a model were: how often null or NaN, and how far from the rows it was trained on.

        A row an input: `rows`, `null_rate`, `nan_rate`, `psi` (the population stability index, see
        `styx_lab.models.profile.psi`; null where there is none, and then `note` says why).

        Args:
            step: the step that scores; may be left out where there is one.

        Raises:
            NotFoundError: when there is no such step.
        """
        if step is None and len(self.figures) == 1:
            (step,) = self.figures
        if step not in self.figures:
            known = ", ".join(self.figures)
            raise NotFoundError(
                "no step that scores has that name" if step else "say which step that scores",
                where=f"flow {self.flow.name!r}",
                got=step,
                hint=f"one of {known}" if known else "the flow scores with no model",
            )
        rows = [{"input": name, **figures} for name, figures in self.figures[step].items()]
        return pl.DataFrame(rows, schema=_DRIFT)

    def digest(self, output: str | None = None) -> str:
        """SHA-256 of an output's canonical JSON lines; of all with notifications, in turn, where none is named."""
        names = self.flow.notification_outputs if output is None else (output,)
        return digest_lines(line for name in names for line in canonical_lines(self.outputs[name]))

    def __repr__(self) -> str:
        numbers = ", ".join(f"{count:,} {name}" for name, count in self.summary.items())
        return f"<Result of flow {self.flow.name!r}: {numbers}>"
