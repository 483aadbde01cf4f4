"""Which elements and attributes of PMML are understood; all others are refused at load, by name and line.

Law: an attribute or an element that is not listed here (or beside its model kind) changes nothing silently: the file
is refused. What is listed either has its effect or is known to have none on scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.etree.ElementTree import Element

from styx_lab.models.native.place import refuse
from styx_lab.models.summary import local_name

__all__ = ["EXPRESSIONS", "MODEL_ATTRIBUTES", "MODEL_CHILDREN", "PREDICATES", "Grammar", "check_grammar"]

Grammar = Mapping[str, tuple[str, str]]
"""An element's name -> its attributes, and the elements that may stand in it, as words; `*` for any."""

EXPRESSIONS: Final = "Apply Constant Discretize FieldRef MapValues NormContinuous NormDiscrete TextIndex"
PREDICATES: Final = "SimplePredicate SimpleSetPredicate CompoundPredicate True False"
MODEL_ATTRIBUTES: Final = "modelName functionName algorithmName isScorable"
MODEL_CHILDREN: Final = "MiningSchema Output ModelStats ModelExplanation Targets LocalTransformations ModelVerification"

_TEXT: Final = "isCaseSensitive maxLevenshteinDistance wordSeparatorCharacterRE tokenize"
_TREATMENTS: Final = "missingValueReplacement missingValueTreatment invalidValueTreatment invalidValueReplacement"
_RANKS: Final = "rank rankOrder rankBasis ruleFeature"

_COMMON: Final[Grammar] = {
    "Header": ("*", "*"),
    "MiningBuildTask": ("*", "*"),
    "ModelStats": ("*", "*"),
    "ModelExplanation": ("*", "*"),
    "ModelVerification": ("*", "*"),  # read by summary.py, and run at load
    "DataDictionary": ("numberOfFields", "DataField"),
    "DataField": ("name displayName optype dataType isCyclic", "Interval Value"),
    "Interval": ("closure leftMargin rightMargin", ""),
    "Value": ("value displayValue property", ""),
    "TransformationDictionary": ("", "DefineFunction DerivedField"),
    "LocalTransformations": ("", "DerivedField"),
    "DefineFunction": ("name optype dataType", f"ParameterField {EXPRESSIONS}"),
    "ParameterField": ("name optype dataType displayName", ""),
    "DerivedField": ("name displayName optype dataType", f"Value Interval {EXPRESSIONS}"),
    "Apply": ("function mapMissingTo defaultValue invalidValueTreatment", EXPRESSIONS),
    "Constant": ("dataType missing", ""),
    "FieldRef": ("field mapMissingTo", ""),
    "NormContinuous": ("field mapMissingTo outliers", "LinearNorm"),
    "LinearNorm": ("orig norm", ""),
    "NormDiscrete": ("field method value mapMissingTo", ""),
    "Discretize": ("field mapMissingTo defaultValue dataType", "DiscretizeBin"),
    "DiscretizeBin": ("binValue", "Interval"),
    "MapValues": ("mapMissingTo defaultValue outputColumn dataType", "FieldColumnPair InlineTable"),
    "FieldColumnPair": ("field column", ""),
    "InlineTable": ("", "row"),
    "row": ("", "*"),
    "TextIndex": (
        f"textField localTermWeights countHits {_TEXT}",
        f"TextIndexNormalization {EXPRESSIONS}",
    ),
    "TextIndexNormalization": (
        f"inField outField regexField recursive {_TEXT}",
        "InlineTable",
    ),
    "MiningSchema": ("", "MiningField"),
    "MiningField": (
        f"name usageType optype importance outliers lowValue highValue {_TREATMENTS}",
        "",
    ),
    "Output": ("", "OutputField"),
    "OutputField": (
        f"name displayName optype dataType targetField feature value {_RANKS} segmentId isMultiValued isFinalResult",
        f"Decisions Value {EXPRESSIONS}",
    ),
    "Decisions": ("businessProblem description", "Decision"),
    "Decision": ("value displayValue description", ""),
    "Targets": ("", "Target"),
    "Target": ("field optype castInteger min max rescaleConstant rescaleFactor", "TargetValue"),
    "TargetValue": ("value displayValue priorProbability defaultValue", ""),
    "SimplePredicate": ("field operator value", ""),
    "SimpleSetPredicate": ("field booleanOperator", "Array"),
    "CompoundPredicate": ("booleanOperator", PREDICATES),
    "True": ("", ""),
    "False": ("", ""),
    "Array": ("n type", ""),
    "REAL-SparseArray": ("n defaultValue", "Indices REAL-Entries"),
    "INT-SparseArray": ("n defaultValue", "Indices INT-Entries"),
    "Indices": ("", ""),
    "REAL-Entries": ("", ""),
    "INT-Entries": ("", ""),
    "Matrix": ("kind nbRows nbCols diagDefault offDiagDefault", "Array MatCell"),
    "MatCell": ("row col", ""),
}
_OPAQUE: Final = (
    "Header",
    "MiningBuildTask",
    "ModelStats",
    "ModelExplanation",
    "ModelVerification",
    "row",
    "Extension",
)
_TOP: Final = "Header MiningBuildTask DataDictionary TransformationDictionary"


def check_grammar(root: Element, kinds: Mapping[str, Grammar]) -> None:
    """Refuse a file that holds what is not understood.

    Args:
        root: the PMML element.
        kinds: for each model kind the elements that it adds, itself among them.

    Raises:
        ModelError: at the first such element or attribute, by name and line.
    """
    grammar: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
    for rules in (_COMMON, *kinds.values()):
        for name, (words, elements) in rules.items():
            grammar[name] = (frozenset(words.split()), frozenset(elements.split()))
    grammar["PMML"] = (frozenset({"version", "baseVersion"}), frozenset((*_TOP.split(), *kinds)))
    rules_of: dict[str, _Rules] = {}  # by the whole tag, for files of many elements
    todo = [root]
    while todo:
        node = todo.pop()
        may = rules_of.get(node.tag)
        if may is None:
            name = local_name(node)
            may = rules_of[node.tag] = _Rules(name, *grammar[name], opaque=name in _OPAQUE)
        if not may.attributes.issuperset(node.keys()) and "*" not in may.attributes:
            for attribute in node.keys():  # noqa: SIM118 (an Element iterates over its children)
                if attribute not in may.attributes and not attribute.startswith("{"):
                    raise refuse(node, f"the attribute {attribute} is not supported", node.get(attribute))
        if may.opaque:
            continue
        for each in node:
            if each.tag in may.seen:
                todo.append(each)
                continue
            tag = local_name(each)
            if tag == "Extension":
                continue
            if tag not in may.inner or tag not in grammar:
                raise refuse(each, f"the element is not supported in <{may.name}>")
            may.seen.add(each.tag)
            todo.append(each)


@dataclass(slots=True)
class _Rules:
    """What an element may have.

    Attributes:
        name: its own, without its namespace.
        attributes: those it may have.
        inner: the elements that may stand in it, without their namespaces.
        opaque: whether nobody looks into it.
        seen: the whole tags of such elements that were met.
    """

    name: str
    attributes: frozenset[str]
    inner: frozenset[str]
    opaque: bool
    seen: set[str] = field(default_factory=set)
