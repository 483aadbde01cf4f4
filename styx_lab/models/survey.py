"""A PMML file is surveyed from its first byte to its last before anything is built of it.

Law: what is broken, beyond a limit or of no known name is refused in one pass that keeps nothing: a bad file costs no
more memory than its own bytes. A DOCTYPE or an entity ends the pass at once; nothing outside is ever looked at.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from styx_lab.errors import ModelError
from styx_lab.models.summary import MODEL_KINDS
from styx_lab.models.vocabulary import ELEMENTS

__all__ = ["PmmlLimits", "check_bytes", "parse_events", "survey"]


@dataclass(frozen=True, slots=True)
class PmmlLimits:
    """How big a PMML file may be.

    Attributes:
        bytes: of the file.
        depth: of elements in elements; a deeper tree overflows the stack of a JVM.
        elements: of all kinds together.
        nesting: of elements that are no tree's nodes in each other, through derived fields and functions too: about as
            many calls as Python's stack bears.
        segments: of an ensemble; a JVM takes minutes for 200,000.
        attributes: of one element, and namespaces that it declares.
    """

    bytes: int = 64 * 1024 * 1024
    depth: int = 500
    nesting: int = 100
    elements: int = 1_000_000
    segments: int = 20_000
    attributes: int = 200


_PIECE: Final = 1024 * 1024
"""The longest comment, tag or processing instruction: expat 2.5 scans one of 60 of these sixty times."""
_LONG: Final = re.compile(rb"<[^<]{%d,}+" % _PIECE)
_TAG: Final = re.compile(rb"""<[^<>"']*+(?:"[^"<]*+"[^<>"']*+|'[^'<]*+'[^<>"']*+)*+>""")
_ENCODING: Final = re.compile(rb"""^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_NAMESPACE: Final = re.compile(r"http://www\.dmg\.org/PMML-(?:3[_.]2|4[_.][0-4])")
_VERSION: Final = re.compile(r"3\.2|4\.[0-4](\.\d)?")
_TOP: Final = frozenset({"Header", "MiningBuildTask", "DataDictionary", "TransformationDictionary", "Extension"})
_BIGGER: Final = "train a smaller model, or pass wider PmmlLimits"
_AGAIN: Final = "export it again"


def check_bytes(pmml: bytes, where: str, limits: PmmlLimits) -> None:
    """Refuse what can be told from the bytes alone.

    Raises:
        ModelError: when the file is empty, too big, packed, not UTF-8, cut off, or has a piece that is too long.
    """
    if len(pmml) > limits.bytes:
        raise ModelError(
            f"the PMML file is bigger than {limits.bytes:,} bytes", where=where, got=len(pmml), hint=_BIGGER
        )
    head = pmml[:4]
    if head[:2] == b"\x1f\x8b" or head == b"PK\x03\x04":
        raise ModelError("the PMML file is packed", where=where, hint="unpack it first: gunzip model.pmml.gz")
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in pmml:
        raise ModelError(
            "the PMML file is not UTF-8: it has NUL bytes or the mark of UTF-16", where=where, hint="save it as UTF-8"
        )
    if not pmml.removeprefix(b"\xef\xbb\xbf").strip():
        raise ModelError("the PMML file is empty", where=where, hint=_AGAIN)
    _check_encoding(pmml, where)
    if pmml.count(b"<") - pmml.count(b"</") > limits.elements + 1_000:  # a thousand comments are no elements
        raise _too_many("has more than {:,} elements", limits.elements, where)
    _check_pieces(pmml, where)


def _check_encoding(pmml: bytes, where: str) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(pmml)
    try:
        for start in range(0, len(view), _PIECE):
            decoder.decode(view[start : start + _PIECE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise ModelError("the PMML file is not UTF-8", where=where, hint="save it as UTF-8") from error
    declared = _ENCODING.match(pmml[:1_000].removeprefix(b"\xef\xbb\xbf"))
    encoding = declared[1].decode("ascii").lower() if declared else "utf-8"
    if encoding not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise ModelError("the PMML file is not declared as UTF-8", where=where, got=encoding, hint="save it as UTF-8")


def _check_pieces(pmml: bytes, where: str) -> None:
    for opening, closing in ((b"<!--", b"-->"), (b"<?", b"?>")):
        start = pmml.find(opening)
        while start >= 0:
            end = pmml.find(closing, start + len(opening))
            if (len(pmml) if end < 0 else end) - start > _PIECE:
                raise ModelError(
                    f"the PMML file has a comment of more than {_PIECE:,} bytes", where=where, hint="take it out"
                )
            start = -1 if end < 0 else pmml.find(opening, end)
    for found in _LONG.finditer(pmml):
        if pmml.startswith((b"<!", b"<?"), found.start()):
            continue  # comments were looked at; what is quoted as CDATA comes in pieces
        tag = _TAG.match(pmml, found.start(), found.end())
        if tag is None or tag.end() - tag.start() > _PIECE:
            raise ModelError(
                f"the PMML file is broken, or has a tag of more than {_PIECE:,} bytes", where=where, hint=_AGAIN
            )


def survey(pmml: bytes, where: str, limits: PmmlLimits) -> None:
    """Refuse what is no sound PMML, is beyond a limit, has an element that PMML does not know, or no model.

    Raises:
        ModelError: saying which, and where.
    """
    watch = _Watch(where, limits)
    parse_events(pmml, where, watch.begin)
    if not watch.models:
        raise ModelError("the PMML file has no model in it", where=where, hint="export the whole pipeline")


def parse_events(pmml: bytes, where: str, begin: Callable[[Any], None]) -> None:
    """Read a file with expat, guarded against DOCTYPE and entities.

    Args:
        pmml: the file.
        where: the model, for errors.
        begin: is given the parser, to put its handlers into.

    Raises:
        ModelError: when the file is broken, or has a DOCTYPE.
    """
    parser = DefusedXMLParser(target=object(), forbid_dtd=True, forbid_entities=True, forbid_external=True)
    expat = parser.parser
    expat.DefaultHandlerExpand = expat.CommentHandler = expat.ProcessingInstructionHandler = None
    expat.StartElementHandler = expat.EndElementHandler = expat.CharacterDataHandler = None
    begin(expat)
    try:
        parser.feed(pmml)
        parser.close()
    except DefusedXmlException as error:
        raise ModelError(
            "the PMML file has a DOCTYPE or entities, which are refused for safety",
            where=where,
            got=type(error).__name__,
            hint="remove the <!DOCTYPE ...> line",
        ) from error
    except ParseError as error:
        raise ModelError(f"the PMML file is broken or cut off ({error})", where=where, hint=_AGAIN) from error


class _Watch:
    """Counts, and stops at the first limit or unknown name."""

    def __init__(self, where: str, limits: PmmlLimits) -> None:
        self.models = 0
        self._home = ""
        self._where = where
        self._limits = limits

    def begin(self, expat: Any) -> None:
        """Put the handlers in: closures, as they are called a million times."""
        limits, known = self._limits, dict.fromkeys(ELEMENTS, 0)
        most_depth, most_elements, most_attributes = limits.depth, limits.elements, 2 * limits.attributes
        most_nesting = limits.nesting
        depth = elements = segments = spaces = nodes = 0
        free = 1 << 30  # below this depth stands what PMML does not name: rows of a table, extensions
        names: dict[str, int] = {}

        def space(prefix: str | None, uri: str) -> None:
            nonlocal spaces
            spaces += 1
            if spaces > limits.attributes:
                raise _too_many(_ATTRIBUTES, limits.attributes, self._where)

        def start(tag: str, attributes: list[str]) -> None:
            nonlocal depth, elements, segments, free, spaces, nodes
            depth += 1
            elements += 1
            spaces = 0
            if depth > most_depth or elements > most_elements or len(attributes) > most_attributes:
                raise self._beyond(depth, elements)
            if depth > free:
                return
            kind = names.get(tag)
            if kind is None:
                if not names:
                    self._check_root(tag, attributes)
                    self._home = tag.rpartition("}")[0]
                kind = names[tag] = self._kind(tag, known, depth, expat)
            if depth == 2:
                self._check_top(tag, kind, expat)
            if kind == _NODE:
                nodes += 1
            elif depth - nodes > most_nesting:
                raise _too_many(_NESTING, most_nesting, self._where)
            elif kind == _FREE:
                free = depth
            elif kind == _SEGMENT:
                segments += 1
                if segments > limits.segments:
                    raise _too_many("has more than {:,} segments", limits.segments, self._where)

        def end(tag: str) -> None:
            nonlocal depth, free, nodes
            if depth == free:
                free = 1 << 30
            elif depth < free and names[tag] == _NODE:
                nodes -= 1
            depth -= 1

        expat.StartNamespaceDeclHandler = space
        expat.StartElementHandler = start
        expat.EndElementHandler = end

    def _beyond(self, depth: int, elements: int) -> ModelError:
        limits = self._limits
        if depth > limits.depth:
            return _too_many("is nested deeper than {:,} elements", limits.depth, self._where)
        if elements > limits.elements:
            return _too_many("has more than {:,} elements", limits.elements, self._where)
        return _too_many(_ATTRIBUTES, limits.attributes, self._where)

    def _check_root(self, tag: str, attributes: list[str]) -> None:
        namespace, _, name = tag.rpartition("}")
        if name != "PMML" or (namespace and not _NAMESPACE.fullmatch(namespace)):
            raise ModelError(
                "this is no PMML file",
                where=self._where,
                got="PMML of another namespace" if name == "PMML" else f"<{name[:40]}>",
                hint="export the model with styx_lab.models.train(...).export() or sklearn2pmml",
            )
        version = dict(zip(attributes[::2], attributes[1::2], strict=True)).get("version", "")
        if not _VERSION.fullmatch(version):
            raise ModelError(
                "only PMML 3.2 to 4.4 can be read", where=self._where, got=version[:40], hint="export it as PMML 4.4"
            )

    def _kind(self, tag: str, known: dict[str, int], depth: int, expat: Any) -> int:
        namespace, _, name = tag.rpartition("}")
        if namespace == self._home and name in known:
            return _KINDS.get(name, _PLAIN)
        if name.startswith(("X-", "x-")):
            return _FREE  # PMML 3 lets vendors name their elements so
        if depth == 2:
            self._check_top(tag, _PLAIN, expat)
        raise ModelError(
            "PMML knows no such element",
            where=f"{self._where}, <{name[:40]}> in line {expat.CurrentLineNumber}",
            hint="put what is a vendor's own into an <Extension>",
        )

    def _check_top(self, tag: str, kind: int, expat: Any) -> None:
        name = tag.rpartition("}")[2]
        if kind == _FREE or name in _TOP:
            return
        if name not in MODEL_KINDS:
            raise ModelError(
                "PMML knows no such model",
                where=f"{self._where}, <{name[:40]}> in line {expat.CurrentLineNumber}",
                hint=f"one of {', '.join(MODEL_KINDS)}",
            )
        self.models += 1


_ATTRIBUTES: Final = "has an element with more than {:,} attributes or namespaces"
_NESTING: Final = "has more than {:,} elements in each other that are no tree's nodes"
_PLAIN: Final = 0
_FREE: Final = 1
_SEGMENT: Final = 2
_NODE: Final = 3
_KINDS: Final = {"Extension": _FREE, "row": _FREE, "Segment": _SEGMENT, "Node": _NODE}


def _too_many(what: str, most: int, where: str) -> ModelError:
    return ModelError(f"the PMML file {what.format(most)}", where=where, hint=_BIGGER)
