"""JPMML gives the probabilities that a file declares as outputs, and no others: what is missing is declared here.

Law: nothing else in the file changes; a file that declares all is given on byte for byte.
"""

from __future__ import annotations

from typing import Any, Final
from xml.sax.saxutils import quoteattr

from styx_lab.models.outputs import plan_outputs
from styx_lab.models.summary import PmmlSummary
from styx_lab.models.survey import parse_events

__all__ = ["with_probabilities"]

_MODEL_DEPTH: Final = 2


def with_probabilities(pmml: bytes, summary: PmmlSummary) -> bytes:
    """The file with an output `probability_CLASS` for each class whose probability it does not declare.

    Args:
        pmml: a file that the guard has passed.
        summary: what the guard said of it.
    """
    labels = [each.label for each in plan_outputs(summary).values() if each.label is not None and each.target is None]
    if not labels:
        return pmml
    place = _Place(summary.kind)
    parse_events(pmml, f"model {summary.name!r}", place.begin)
    prefix = place.prefix
    fields = "".join(
        f'<{prefix}OutputField name={quoteattr(f"probability_{label}")} optype="continuous" dataType="double" '
        f'feature="probability" value={quoteattr(label)}/>'
        for label in labels
    )
    if not place.inside:
        fields = f"<{prefix}Output>{fields}</{prefix}Output>"
    return pmml[: place.at] + fields.encode() + pmml[place.at :]


class _Place:
    """Finds where an output may be put into the first model: at the end of its Output, else after its MiningSchema."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.at = 0
        self.inside = False
        self.prefix = ""

    def begin(self, expat: Any) -> None:
        """Put the handlers in."""
        depth, in_model, done = 0, False, False
        # Without namespaces names come as they are written, prefix and all.
        expat.namespace_prefixes = True
        behind = ""

        def start(tag: str, attributes: object) -> None:
            nonlocal depth, in_model, behind
            depth += 1
            name = _name(tag)
            if behind and depth == _MODEL_DEPTH + 1 and in_model and not done:
                self.at, behind = expat.CurrentByteIndex, ""
            if depth == _MODEL_DEPTH and name == self._kind and not done:
                in_model = True
                self.prefix = _prefix(tag)

        def end(tag: str) -> None:
            nonlocal depth, in_model, done, behind
            name = _name(tag)
            if in_model and depth == _MODEL_DEPTH + 1 and not done:
                if name == "MiningSchema":
                    behind = name
                elif name == "Output":
                    self.at, self.inside = expat.CurrentByteIndex, True
            elif in_model and depth == _MODEL_DEPTH:
                if behind:
                    self.at = expat.CurrentByteIndex
                in_model, done = False, True
            depth -= 1

        expat.StartElementHandler = start
        expat.EndElementHandler = end


def _name(tag: str) -> str:
    parts = tag.split("}")
    return parts[1] if len(parts) > 1 else tag


def _prefix(tag: str) -> str:
    parts = tag.split("}")
    return f"{parts[2]}:" if len(parts) > 2 else ""
