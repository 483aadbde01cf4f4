"""PMML is checked here before any other parser sees it: small enough, plain enough, and a model that gives something.

Law: what passes has no DOCTYPE, no entities, nothing external, is UTF-8 (so that every parser reads the same text), is
inside the limits, holds no element that PMML does not know, derives no field from itself, and names a target or
an output. Every engine's file, the store's and an upload's, comes through here first.
"""

from __future__ import annotations

import gc
import stat
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element

from styx_lab.errors import InputMissingError, ModelError
from styx_lab.models.cycles import refuse_cycles
from styx_lab.models.summary import PmmlSummary, read_summary, read_target
from styx_lab.models.survey import PmmlLimits, Survey, check_bytes, parse_events, survey
from styx_lab.models.tree import PlacedElement, Tree

__all__ = ["PlacedElement", "PmmlLimits", "check_pmml", "parse_pmml", "read_pmml"]

_DEFAULT: Final = PmmlLimits()


def read_pmml(path: str | Path, *, limits: PmmlLimits = _DEFAULT) -> bytes:
    """The bytes of a PMML file; one that is too big is refused before it is read.

    >>> read_pmml("no/such/model.pmml")
    Traceback (most recent call last):
        ...
    styx_lab.errors.InputMissingError: no/such/model.pmml: there is no such file. Try: give the path of a PMML file

    Args:
        path: the file.
        limits: how big it may be.

    Raises:
        InputMissingError: when there is no such file.
        ModelError: when it is too big, or no plain file.
    """
    where = str(path)
    try:
        # A pipe would make the opening wait for somebody to write.
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise ModelError("this is no plain file", where=where, hint="give the path of a PMML file")
        with Path(path).open("rb") as file:
            if (size := Path(path).stat().st_size) <= limits.bytes:
                pmml = file.read(limits.bytes + 1)  # it may have grown since
                size = len(pmml)
    except OSError as error:
        reason = (
            "there is no such file" if isinstance(error, FileNotFoundError) else f"it cannot be read ({error.strerror})"
        )
        raise InputMissingError(reason, where=where, hint="give the path of a PMML file") from error
    if size > limits.bytes:
        raise ModelError(
            f"the PMML file is bigger than {limits.bytes:,} bytes",
            where=where,
            got=size,
            hint="train a smaller model, or pass wider PmmlLimits",
        )
    return pmml


def check_pmml(pmml: bytes, *, name: str = "model", limits: PmmlLimits = _DEFAULT) -> PmmlSummary:
    """Check a PMML file and say what the model in it needs and gives.

    >>> check_pmml(b"<html/>", name="fraud@3")
    Traceback (most recent call last):
        ...
    styx_lab.errors.ModelError: model 'fraud@3': this is no PMML file; got '<html>'. Try: export the model with ...

    Args:
        pmml: the file's bytes.
        name: what to call the model in errors, as `fraud@3`.
        limits: how big it may be.

    Raises:
        ModelError: when it is refused; the message names the model and says why.
    """
    found = _check(pmml, name, limits)
    return read_summary(found.outline, name=name, used=found.used, traits=found.traits)


def parse_pmml(pmml: bytes, *, name: str = "model", limits: PmmlLimits = _DEFAULT, aimless: bool = False) -> Element:
    """The checked tree of a PMML file, for an evaluator of its own.

    >>> parse_pmml(b"<!DOCTYPE PMML SYSTEM 'pmml.dtd'><PMML/>", name="fraud@3")
    Traceback (most recent call last):
        ...
    styx_lab.errors.ModelError: model 'fraud@3': the PMML file has a DOCTYPE or entities, which are refused ...

    Args:
        pmml, name, limits: as in `check_pmml`.
        aimless: whether a model that names neither a target nor an output will do: it has an answer all the same, which
            has no name.

    Raises:
        ModelError: as `check_pmml`, but for what only the model's own schema can tell.
    """
    found = _check(pmml, name, limits)
    if not aimless:
        read_target(found.outline, name=name)
    return _build(pmml, f"model {name!r}")


def _check(pmml: bytes, name: str, limits: PmmlLimits) -> Survey:
    where = f"model {name!r}"
    check_bytes(pmml, where, limits)
    found = survey(pmml, where, limits)
    refuse_cycles(found.outline, where, depth=limits.nesting, calls=limits.elements)
    return found


def _build(pmml: bytes, where: str) -> Element:
    """The tree of a file that was surveyed."""
    trees: list[Tree] = []

    def begin(expat: Any) -> None:
        expat.ordered_attributes = False
        tree = Tree(expat)
        expat.StartElementHandler = tree.start
        expat.EndElementHandler = tree.end
        expat.CharacterDataHandler = tree.data
        trees.append(tree)

    collecting = gc.isenabled()
    gc.disable()  # nothing of a tree is garbage yet: looking for some takes a quarter of the time
    try:
        parse_events(pmml, where, begin)
    finally:
        if collecting:
            gc.enable()
    return trees[0].root
