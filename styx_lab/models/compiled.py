"""Compiled models by the hash of their bytes, so that scorers of one file in one process load it once.

Law: what is kept is a function of the bytes and the limits alone; what was refused is not kept. A compiled model
has no state between batches, so any number of scorers and threads may share it. What is kept is bounded: the models
used last, up to `MOST_MODELS` and `MOST_BYTES` of their files.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from threading import Lock
from typing import Final

from styx_lab.models.guard import PmmlLimits, parse_pmml
from styx_lab.models.native.document import Document, compile_tree
from styx_lab.models.summary import PmmlSummary, read_summary

__all__ = ["MOST_BYTES", "MOST_MODELS", "CompiledFile", "compile_file", "forget_compiled"]

MOST_MODELS: Final = 16
MOST_BYTES: Final = 32 * 1024 * 1024

_kept: OrderedDict[tuple[bytes, PmmlLimits], tuple[CompiledFile, int]] = OrderedDict()
_lock: Final = Lock()


@dataclass(frozen=True, slots=True)
class CompiledFile:
    """A file, read and compiled.

    Attributes:
        summary: what it says.
        document: what it does.
    """

    summary: PmmlSummary
    document: Document

    def named(self, name: str) -> CompiledFile:
        """The same under another name."""
        if self.summary.name == name:
            return self
        return CompiledFile(replace(self.summary, name=name), replace(self.document, name=name))


def compile_file(
    pmml: bytes, *, name: str, limits: PmmlLimits, confirm: Callable[[CompiledFile], None]
) -> CompiledFile:
    """Read and compile a PMML file, unless that was done.

    Args:
        pmml: its bytes.
        name: what to call the model.
        limits: how big it may be.
        confirm: is called with what was compiled before it is kept, and raises when it must not be used.

    Raises:
        ModelError: when it is refused.
    """
    key = (sha256(pmml).digest(), limits)
    with _lock:
        kept = _kept.get(key)
        if kept is not None:
            _kept.move_to_end(key)
            return kept[0].named(name)
    root = parse_pmml(pmml, name=name, limits=limits)
    found = CompiledFile(read_summary(root, name=name), compile_tree(root, name=name))
    confirm(found)
    with _lock:
        _kept[key] = (found, len(pmml))
        while len(_kept) > MOST_MODELS or sum(size for _, size in _kept.values()) > MOST_BYTES:
            _kept.popitem(last=False)
    return found


def forget_compiled() -> None:
    """Let go of all that is kept."""
    with _lock:
        _kept.clear()
