"""Functions that the tests of patterns use as conditions; a flow carries this module's text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Event = Mapping[str, Any]


def rising(event: Event, match: Mapping[str, Sequence[Event]]) -> bool:
    """Whether the amount is more than all before."""
    return all(event["amount"] > one["amount"] for one in match.get("a", ()))


def lonely(event: Event) -> bool:
    """One argument too few."""
    return bool(event)


async def later(event: Event, match: object) -> bool:
    """An answer that comes later."""
    return bool(event) and bool(match)


class Conditions:
    """A place that no flow can carry a function from."""

    @staticmethod
    def inside(event: Event, match: object) -> bool:
        """A condition in a class."""
        return bool(event) and bool(match)


small = lambda event, match: event["amount"] < 1 and not match  # noqa: E731 - it is about lambdas
