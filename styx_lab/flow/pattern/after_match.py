"""What a match does to the others that share its events: Flink's after-match skip strategies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from styx_lab.errors import FlowError

__all__ = ["NO_SKIP", "AfterMatch"]


@dataclass(frozen=True, slots=True)
class AfterMatch:
    """An after-match skip strategy: which other matches go when one was found.

    >>> from styx_lab import Pattern
    >>> once = Pattern.begin("a", after_match=AfterMatch.skip_past_last_event()).one_or_more().followed_by("b")
    >>> print(once)
    begin a[1 or more] -> followed by b, after a match skip past last event

    With every strategy but `no_skip`, a match waits as long as a partial match lives that began before it, so give the
    pattern a `within`. "Began" is always by the first event; an event inside other matches is not barred. Follows Flink
    CEP (`AfterMatchSkipStrategy`).

    Attributes:
        strategy: Flink's word.
        part: the part that `skip_to_first` and `skip_to_last` go to.
        throw_on_miss: whether a match without that part ends the job.
    """

    strategy: Literal["no_skip", "skip_to_next", "skip_past_last_event", "skip_to_first", "skip_to_last"] = "no_skip"
    part: str | None = None
    throw_on_miss: bool = False

    @staticmethod
    def no_skip() -> AfterMatch:
        """Every match there is comes out, overlapping ones too."""
        return AfterMatch()

    @staticmethod
    def skip_to_next() -> AfterMatch:
        """Others that began with the same event go."""
        return AfterMatch("skip_to_next")

    @staticmethod
    def skip_past_last_event() -> AfterMatch:
        """All that began up to the match's last event go: matches do not overlap."""
        return AfterMatch("skip_past_last_event")

    @staticmethod
    def skip_to_first(part: str, *, throw_on_miss: bool = False) -> AfterMatch:
        """All that began before the first event of a part go.

        Args:
            part: the part's name; it must stand at the top of the pattern.
            throw_on_miss: whether a match without that part, or that began with its event, ends the job; otherwise
                nothing goes.
        """
        return AfterMatch("skip_to_first", _named(part), throw_on_miss)

    @staticmethod
    def skip_to_last(part: str, *, throw_on_miss: bool = False) -> AfterMatch:
        """All that began before the last event of a part go.

        Args:
            part: the part's name; it must stand at the top of the pattern.
            throw_on_miss: whether a match without that part, or that began with its event, ends the job; otherwise
                nothing goes.
        """
        return AfterMatch("skip_to_last", _named(part), throw_on_miss)

    def __str__(self) -> str:
        words = self.strategy.replace("_", " ")
        part = "" if self.part is None else f" {self.part}"
        return words + part + (", or fail" if self.throw_on_miss else "")


def _named(part: str) -> str:
    if not isinstance(part, str) or not part:
        raise FlowError("not the name of a part", where="after_match", got=part, hint="AfterMatch.skip_to_first('b')")
    return part


NO_SKIP = AfterMatch()
"""Every match comes out."""
