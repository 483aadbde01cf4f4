"""What a match does to the others that share its events: Flink's after-match skip strategies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["NO_SKIP", "AfterMatch"]


@dataclass(frozen=True, slots=True)
class AfterMatch:
    """An after-match skip strategy.

    Attributes:
        strategy: Flink's word.
        part: the part that `skip_to_first` and `skip_to_last` go to.
        throw_on_miss: whether a match without that part ends the job.
    """

    strategy: Literal["no_skip", "skip_to_next", "skip_past_last_event", "skip_to_first", "skip_to_last"] = "no_skip"
    part: str | None = None
    throw_on_miss: bool = False


NO_SKIP = AfterMatch()
