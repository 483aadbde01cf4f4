"""A PMML file is surveyed from its first byte to its last before anything is built of it.

Law: what is broken, beyond a limit or of no known name is refused in one pass that keeps no more than an outline: a bad
file costs little more memory than its own bytes. A DOCTYPE or an entity ends the pass at once; nothing outside is ever
looked at.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from styx_lab.errors import ModelError
from styx_lab.models.summary import MODEL_KINDS, NAMED, TRAITS
from styx_lab.models.tree import PlacedElement, Tree
from styx_lab.models.vocabulary import ELEMENTS

__all__ = ["PmmlLimits", "Survey", "check_bytes", "parse_events", "survey"]


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
    elements: int = 750_000
    segments: int = 20_000
    attributes: int = 200


_PIECE: Final = 1024 * 1024
"""The longest comment, tag or processing instruction: expat 2.5 scans one of 60 of these sixty times."""
_COMMENTS: Final = 100_000
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
    # What is quoted in comments is counted, too: a file of a million elements has none to speak of.
    others = sum(pmml.count(each) for each in (b"<!--", b"<?", b"<!["))
    if others > _COMMENTS:
        raise _too_many("has more than {:,} comments and the like", _COMMENTS, where)
    if pmml.count(b"<") - pmml.count(b"</") - others > limits.elements:
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


@dataclass(frozen=True, slots=True)
class Survey:
    """What a pass over a file found.

    Attributes:
        outline: the file without what is inside trees, tables and the like: fields, schemas, transformations, outputs,
            embedded rows, and the models that hold them.
        used: names of fields that something in the file refers to.
        traits: settings on which evaluators differ (see `PmmlSummary.traits`).
    """

    outline: Element
    used: frozenset[str]
    traits: frozenset[str]


def survey(pmml: bytes, where: str, limits: PmmlLimits) -> Survey:
    """Refuse what is no sound PMML, is beyond a limit, has an element that PMML does not know, or no model.

    Raises:
        ModelError: saying which, and where.
    """
    watch = _Watch(where, limits)
    parse_events(pmml, where, watch.begin)
    if not watch.models:
        raise ModelError("the PMML file has no model in it", where=where, hint="export the whole pipeline")
    return Survey(watch.root, frozenset(watch.used - {""}), frozenset(watch.traits))


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
        self.used: set[str] = set()
        self.traits: set[str] = set()
        self._home = ""
        self._where = where
        self._limits = limits

    def begin(self, expat: Any) -> None:  # noqa: PLR0915
        """Put the handlers in: closures that do little for what stands in trees, as they are called a million times."""
        expat.ordered_attributes = False
        limits = self._limits
        most_depth, most_nesting, most_attributes = limits.depth, limits.nesting, limits.attributes
        depth = segments = spaces = kept = 0
        # Depths: inside of what PMML does not name; inside of what the outline leaves out; where such an inside ends.
        free = hidden = edge = _NOWHERE
        nodes = [0] * (most_depth + 2)  # by depth: how many tree nodes an element stands in, with itself
        names: dict[str, tuple[int, str]] = {}
        used = self.used
        outline = Tree(expat)

        def space(prefix: str | None, uri: str) -> None:
            nonlocal spaces
            spaces += 1
            if spaces > most_attributes:
                raise _too_many(_ATTRIBUTES, most_attributes, self._where)

        def keep(tag: str, attributes: dict[str, str]) -> None:
            nonlocal kept
            kept += 1
            if kept > _OUTLINE:
                raise _too_many("has more than {:,} fields, values and the like", _OUTLINE, self._where)
            outline.start(tag, attributes)

        def start(tag: str, attributes: dict[str, str]) -> None:  # noqa: PLR0912 (a call costs what all of it does)
            nonlocal depth, segments, free, hidden, edge, spaces
            depth += 1
            if depth > most_depth:
                raise _too_many("is nested deeper than {:,} elements", most_depth, self._where)
            if len(attributes) > most_attributes:
                raise _too_many(_ATTRIBUTES, most_attributes, self._where)
            if spaces:
                spaces = 0
            if depth > free:
                if depth <= hidden:
                    keep(tag, attributes)
                return
            known = names.get(tag)
            if known is None:
                if not names:
                    self._check_root(tag, attributes)
                    self._home = tag.rpartition("}")[0]
                known = names[tag] = (self._kind(tag, depth, expat), tag.rpartition("}")[2])
            kind, name = known
            if kind == _NODE and depth > hidden:
                nodes[depth] = nodes[depth - 1] + 1
                return
            nodes[depth] = nodes[depth - 1] + (kind == _NODE)
            if depth - nodes[depth] > most_nesting:
                raise _too_many(_NESTING, most_nesting, self._where)
            if depth == _MODEL_DEPTH:
                self._check_top(tag, kind, expat)
            if attributes:
                if "field" in attributes and name != "VerificationField":
                    used.add(attributes["field"])
                if "textField" in attributes:
                    used.add(attributes["textField"])
                if attributes.get("value") in _INFINITE:
                    self.traits.add(f"{name}@value=INF")
                if kind == _APPLY and "." in attributes.get("function", ""):
                    raise ModelError(
                        "a function that is a class of Java is not run",
                        where=f"{self._where}, <Apply> in line {expat.CurrentLineNumber}",
                        got=attributes["function"][:80],
                        hint="use PMML's own functions, or define one with DefineFunction",
                    )
                if kind == _TRAITED:
                    self.traits |= {f"{name}@{key}={attributes[key]}" for key in TRAITS if key in attributes}
                elif kind == _NAMED:
                    used.update(attributes.get(key, "") for key in ("name", "predictorName", "fieldName"))
            if kind == _SEGMENT:
                segments += 1
                if segments > limits.segments:
                    raise _too_many("has more than {:,} segments", limits.segments, self._where)
            if depth <= hidden:
                if _left_out(name, kind, outline.stack):
                    hidden = edge = depth - 1
                else:
                    keep(tag, attributes)
            if kind == _FREE:
                free = depth
                if depth > hidden:
                    edge = depth - 1

        def end(tag: str) -> None:
            nonlocal depth, free, hidden, edge
            depth -= 1
            if depth > edge:
                return
            if depth < free:
                free = _NOWHERE
            if depth < hidden:
                outline.end(tag)
            elif depth == hidden:
                hidden = _NOWHERE
            edge = hidden

        def data(text: str) -> None:
            if free < depth <= hidden:  # of all texts only those of embedded rows are looked at
                outline.data(text)

        expat.StartNamespaceDeclHandler = space
        expat.StartElementHandler = start
        expat.EndElementHandler = end
        expat.CharacterDataHandler = data
        self._outline = outline

    @property
    def root(self) -> Element:
        """The outline."""
        return self._outline.root

    def _check_root(self, tag: str, attributes: dict[str, str]) -> None:
        namespace, _, name = tag.rpartition("}")
        if name != "PMML" or (namespace and not _NAMESPACE.fullmatch(namespace)):
            raise ModelError(
                "this is no PMML file",
                where=self._where,
                got="PMML of another namespace" if name == "PMML" else f"<{name[:40]}>",
                hint="export the model with styx_lab.models.train(...).export() or sklearn2pmml",
            )
        version = attributes.get("version", "")
        if not _VERSION.fullmatch(version):
            raise ModelError(
                "only PMML 3.2 to 4.4 can be read", where=self._where, got=version[:40], hint="export it as PMML 4.4"
            )

    def _kind(self, tag: str, depth: int, expat: Any) -> int:
        namespace, _, name = tag.rpartition("}")
        if namespace == self._home and name in ELEMENTS:
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
_OUTLINE: Final = 250_000
_MODEL_DEPTH: Final = 2
_NOWHERE: Final = 1 << 30
_PLAIN: Final = 0
_FREE: Final = 1
_SEGMENT: Final = 2
_NODE: Final = 3
_TRAITED: Final = 4
_NAMED: Final = 5
_APPLY: Final = 6
_KINDS: Final = {
    **dict.fromkeys((*MODEL_KINDS, "Segmentation", "RuleSelectionMethod"), _TRAITED),
    **dict.fromkeys(NAMED, _NAMED),
    "Extension": _FREE,
    "row": _FREE,
    "Segment": _SEGMENT,
    "Node": _NODE,
    "Apply": _APPLY,
}
_INFINITE: Final = ("INF", "-INF")
_HOLDERS: Final = frozenset({"PMML", "Segmentation", "Segment", *MODEL_KINDS})
_KEPT: Final = frozenset(
    (
        "DataDictionary",
        "TransformationDictionary",
        "MiningSchema",
        "Output",
        "LocalTransformations",
        "ModelVerification",
    )
)


def _left_out(name: str, kind: int, stack: list[PlacedElement]) -> bool:
    """Whether the outline does without an element that stands in those of the stack."""
    if name == "row":
        return not any(each.tag.endswith("ModelVerification") for each in stack)
    if kind in (_NODE, _FREE):
        return True
    holder = stack[-1].tag.rpartition("}")[2] if stack else ""
    if name == "MiningSchema":
        return len(stack) > _MODEL_DEPTH  # of the models inside another one, what they give it is said by its own
    return holder in _HOLDERS and name not in _KEPT and name not in _HOLDERS


def _too_many(what: str, most: int, where: str) -> ModelError:
    return ModelError(f"the PMML file {what.format(most)}", where=where, hint=_BIGGER)
