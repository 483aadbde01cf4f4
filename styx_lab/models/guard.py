"""PMML is checked here before any other parser sees it: small enough, plain enough, and a model that gives something.

Law: what passes has no DOCTYPE, no entities, nothing external, is UTF-8 (so that every parser reads the same text), is
inside the limits, and names a target or an output.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from styx_lab.errors import ModelError
from styx_lab.models.summary import PmmlSummary, local_name, read_summary

__all__ = ["PlacedElement", "PmmlLimits", "check_pmml", "parse_pmml"]


@dataclass(frozen=True, slots=True)
class PmmlLimits:
    """How big a PMML file may be.

    Attributes:
        bytes: of the file.
        depth: of elements in elements; a deeper tree overflows the stack of a JVM.
        elements: of all kinds together.
        segments: of an ensemble; a JVM takes minutes for 200,000.
        attributes: of one element.
    """

    bytes: int = 64 * 1024 * 1024
    depth: int = 1_000
    elements: int = 2_000_000
    segments: int = 20_000
    attributes: int = 200


_DEFAULT: Final = PmmlLimits()
_ENCODING: Final = re.compile(rb"""^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_PMML_NAMESPACE: Final = re.compile(r"(?:\{http://www\.dmg\.org/PMML-(?:3[_.]2|4[_.]\d)\})?PMML")


class PlacedElement(Element):
    """An element that knows the line of the file it began in."""

    line: int = 0


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
    return read_summary(parse_pmml(pmml, name=name, limits=limits), name=name)


def parse_pmml(pmml: bytes, *, name: str = "model", limits: PmmlLimits = _DEFAULT) -> Element:
    """The checked tree of a PMML file, for an evaluator of its own.

    >>> parse_pmml(b"<!DOCTYPE PMML SYSTEM 'pmml.dtd'><PMML/>", name="fraud@3")
    Traceback (most recent call last):
        ...
    styx_lab.errors.ModelError: model 'fraud@3': the PMML file has a DOCTYPE or entities, which are refused ...

    Raises:
        ModelError: as `check_pmml`, but for what only the model's own schema can tell.
    """
    where = f"model {name!r}"
    root = _parse(pmml, where, limits)
    if not _PMML_NAMESPACE.fullmatch(root.tag):
        got = "PMML of another namespace" if local_name(root) == "PMML" else f"<{local_name(root)[:40]}>"
        raise ModelError(
            "this is no PMML file",
            where=where,
            got=got,
            hint="export the model with styx_lab.models.train(...).export() or sklearn2pmml",
        )
    version = root.get("version", "")
    if not re.fullmatch(r"3\.2|4\.\d(\.\d)?", version):
        raise ModelError("only PMML 3.2 to 4.4 can be read", where=where, got=version, hint="export it as PMML 4.4")
    _refuse_cycles(root, where)
    return root


def _parse(pmml: bytes, where: str, limits: PmmlLimits) -> Element:
    if not pmml.strip():
        raise ModelError("the PMML file is empty", where=where)
    if len(pmml) > limits.bytes:
        raise ModelError(
            f"the PMML file is bigger than {limits.bytes:,} bytes",
            where=where,
            got=len(pmml),
            hint="train a smaller model, or pass wider PmmlLimits",
        )
    declared = _ENCODING.match(pmml.removeprefix(b"\xef\xbb\xbf"))
    encoding = declared[1].decode("ascii").lower() if declared else "utf-8"
    try:
        pmml.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError("the PMML file is not UTF-8", where=where, hint="save it as UTF-8") from error
    if encoding not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise ModelError("the PMML file is not declared as UTF-8", where=where, got=encoding, hint="save it as UTF-8")
    tree = _Tree(where, limits)
    parser = DefusedXMLParser(target=tree, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    tree.expat = parser.parser
    try:
        parser.feed(pmml)
        root: Element = parser.close()
    except DefusedXmlException as error:
        raise ModelError(
            "the PMML file has a DOCTYPE or entities, which are refused for safety",
            where=where,
            got=type(error).__name__,
            hint="remove the <!DOCTYPE ...> line",
        ) from error
    except ParseError as error:
        raise ModelError(
            f"the PMML file is broken or cut off ({error})", where=where, hint="export it again"
        ) from error
    return root


class _Tree:
    """Builds the tree and stops at the first limit, so that a file cannot cost more than its limits."""

    def __init__(self, where: str, limits: PmmlLimits) -> None:
        self._builder = TreeBuilder(element_factory=PlacedElement)
        self.expat: Any = None  # the parser beneath, which knows the line
        self._where = where
        self._limits = limits
        self._depth = 0
        self._elements = 0
        self._segments = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> Element:
        self._depth += 1
        self._elements += 1
        self._segments += tag.endswith("Segment")
        limits = self._limits
        if (
            self._depth > limits.depth
            or self._elements > limits.elements
            or self._segments > limits.segments
            or len(attributes) > limits.attributes
        ):
            self._refuse(len(attributes))
        element = self._builder.start(tag, dict(attributes))
        element.line = self.expat.CurrentLineNumber  # type: ignore[attr-defined]
        return element

    def _refuse(self, attributes: int) -> None:
        """Say which limit a file is beyond."""
        for count, most, what in (
            (self._depth, self._limits.depth, "is nested deeper than {:,} elements"),
            (self._elements, self._limits.elements, "has more than {:,} elements"),
            (self._segments, self._limits.segments, "has more than {:,} segments"),
            (attributes, self._limits.attributes, "has an element with more than {:,} attributes"),
        ):
            if count > most:
                raise ModelError(
                    f"the PMML file {what.format(most)}",
                    where=self._where,
                    hint="train a smaller model, or pass wider PmmlLimits",
                )

    def end(self, tag: str) -> Element:
        self._depth -= 1
        return self._builder.end(tag)

    def data(self, text: str) -> None:
        self._builder.data(text)

    def close(self) -> Any:
        return self._builder.close()


def _refuse_cycles(root: Element, where: str) -> None:
    """Derived fields that need each other would be evaluated for ever."""
    for scope in root.iter():
        if local_name(scope) not in ("TransformationDictionary", "LocalTransformations"):
            continue
        needs = {}
        for derived in scope:
            if local_name(derived) == "DerivedField":
                field = derived.get("name", "")
                # A field of an outer scope may have the same name as the one that is derived from it.
                needs[field] = {
                    node.get("field", "") for node in derived.iter() if node.get("field") not in (None, field)
                }
        done: set[str] = set()
        for start in needs:
            path: list[str] = []
            on_path: set[str] = set()
            todo: list[tuple[str, bool]] = [(start, False)]
            while todo:
                field, leaving = todo.pop()
                if leaving:
                    path.pop()
                    on_path.discard(field)
                    done.add(field)
                elif field in on_path:
                    circle = " -> ".join([*path[path.index(field) :], field])
                    raise ModelError("its derived fields go round in a circle", where=where, got=circle[:200])
                elif field not in done and field in needs:
                    path.append(field)
                    on_path.add(field)
                    todo.append((field, True))
                    todo.extend((other, False) for other in sorted(needs[field]))
