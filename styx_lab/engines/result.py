"""What a run gave: the rows of every output, the counters, and a digest that two runs can be compared by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

import polars as pl

from styx_lab.core.events import EventKind, canonical_lines
from styx_lab.engines.ledger import Counters
from styx_lab.engines.plan import DEAD_LETTERS
from styx_lab.errors import NotFoundError
from styx_lab.flow.flow import Flow
from styx_lab.flow.steps import To

__all__ = ["Result", "digest_lines", "gather"]


def digest_lines(lines: Iterable[bytes]) -> str:
    """SHA-256 of lines, each with its line feed: the digest of the JSON Lines file that holds them.

    >>> digest_lines([b'{"a":1}'])[:12]
    'bfd42f1dfd9c'
    """
    digest = sha256()
    for line in lines:
        digest.update(line)
        digest.update(b"\n")
    return digest.hexdigest()


def gather(pieces: Iterable[Mapping[str, pl.DataFrame]], schemas: Mapping[str, dict[str, pl.DataType]]) -> dict[str, pl.DataFrame]:
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
    """

    def __init__(
        self, flow: Flow, outputs: Mapping[str, pl.DataFrame], counters: Counters, summary: Mapping[str, int]
    ) -> None:
        self.flow = flow
        self.outputs = dict(outputs)
        self.counters = counters
        self.summary = dict(summary)

    @property
    def dead_letters(self) -> pl.DataFrame:
        """The events that a step could not take, each with step, reason and payload."""
        return self.outputs[DEAD_LETTERS]

    @property
    def notifications(self) -> pl.DataFrame:
        """The rows of all outputs that carry notifications.

        Raises:
            NotFoundError: when the flow makes none.
        """
        types = self.flow.types()
        found = [
            self.outputs[step.name]
            for step in self.flow.steps
            if isinstance(step, To) and types[step.inputs[0]].kind is EventKind.NOTIFICATION
        ]
        if not found:
            raise NotFoundError(
                "the flow makes no notifications",
                where=f"flow {self.flow.name!r}",
                hint=f"notify(...) before to(...), or look at .outputs: {', '.join(self.outputs)}",
            )
        return found[0] if len(found) == 1 else pl.concat(found, how="diagonal")

    def digest(self, output: str | None = None) -> str:
        """SHA-256 of an output's canonical JSON lines; of the notifications where none is named."""
        return digest_lines(canonical_lines(self.notifications if output is None else self.outputs[output]))

    def __repr__(self) -> str:
        numbers = ", ".join(f"{count:,} {name}" for name, count in self.summary.items())
        return f"<Result of flow {self.flow.name!r}: {numbers}>"
