"""The names of steps, and steps of several streams put together."""

from __future__ import annotations

from collections.abc import Sequence

from styx_lab.errors import FlowError
from styx_lab.flow.steps import Step

__all__ = ["checked_name", "fresh_name", "merge_steps", "refuse_duplicate"]


def merge_steps(branches: Sequence[Sequence[Step]]) -> tuple[Step, ...]:
    """The steps of several streams, each once, in order; refuses two different ones of one name."""
    merged: dict[str, Step] = {}
    for branch in branches:
        for step in branch:
            if merged.setdefault(step.name, step) != step:
                raise FlowError(
                    "two different steps have the same name",
                    where=f"step {step.name!r}",
                    hint=f"give one of them a name: {step.verb}(..., name='...')",
                )
    return tuple(merged.values())


def refuse_duplicate(name: str, steps: Sequence[Step]) -> None:
    """Refuse a name that a step has already."""
    for step in steps:
        if step.name == name:
            raise FlowError(
                "two steps have the same name",
                where=f"step {name!r}",
                got=f"{step.verb}() has it already",
                hint="rename one",
            )


def checked_name(name: str, verb: str) -> str:
    """The name, if it can be one."""
    if not isinstance(name, str) or not name.replace("-", "_").isidentifier():
        raise FlowError(
            "a step's name must be a plain word", where=f"{verb}()", got=name, hint="letters, digits, _ and -"
        )
    return name


def fresh_name(name: str | None, verb: str, steps: Sequence[Step]) -> str:
    """The name that was given, or the verb with the first number that is free."""
    if name is not None:
        return checked_name(name, verb)
    taken = {step.name for step in steps}
    number = 1
    while (found := verb if number == 1 else f"{verb}_{number}") in taken:
        number += 1
    return found
