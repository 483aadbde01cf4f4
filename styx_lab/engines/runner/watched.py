"""Observers of a run are told that it begins, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from styx_lab.core.ports import Observer

__all__ = ["watched"]


@contextmanager
def watched(observers: Sequence[Observer]) -> Iterator[None]:
    """Tell observers of the beginning and the end of what is done within."""
    for observer in observers:
        observer.begin()
    try:
        yield
    except BaseException as error:
        for observer in observers:
            observer.fail(error)
        raise
    for observer in observers:
        observer.finish()
