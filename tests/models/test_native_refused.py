"""What the evaluator does not understand is refused when the file is loaded, by name and line; hostile files soon."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Callable

import pytest

from styx_lab.errors import ModelError
from styx_lab.models import NativeScorer
from styx_lab.models.native import load

HEAD = '<PMML xmlns="http://www.dmg.org/PMML-{0}" version="{1}">\n<Header/>\n'
FIELDS = (
    '<DataDictionary>\n<DataField name="y" optype="continuous" dataType="double"/>\n'
    '<DataField name="x" optype="continuous" dataType="double"/>\n</DataDictionary>\n'
)
SCHEMA = '<MiningSchema><MiningField name="y" usageType="target"/><MiningField name="x"/></MiningSchema>\n'
TABLE = '<RegressionTable intercept="1"><NumericPredictor name="x" coefficient="2"/></RegressionTable>\n'
GOOD = (
    HEAD.format("4_4", "4.4")
    + FIELDS
    + f'<RegressionModel functionName="regression">\n{SCHEMA}{TABLE}</RegressionModel>\n</PMML>'
)


@pytest.mark.parametrize(("space", "version"), [("3_2", "3.2"), ("4_0", "4.0"), ("4_2", "4.2"), ("4_4", "4.4.1")])
def test_every_version_from_3_2_on_is_read(space: str, version: str) -> None:
    old = GOOD.replace("PMML-4_4", f"PMML-{space}").replace('version="4.4"', f'version="{version}"')
    assert load(old.encode()).inputs == ("x",)


@pytest.mark.parametrize(
    ("part", "instead", "says"),
    [
        (TABLE, "<Oracle/>" + TABLE, r"<Oracle> in line 9: PMML knows no such element"),
        ("<NumericPredictor ", '<NumericPredictor scale="2" ', r"<NumericPredictor> in line 9: the attribute scale"),
        ("<RegressionModel ", "<TimeSeriesModel ", r"<TimeSeriesModel> in line 7: the element is not supported"),
        (
            'optype="continuous" dataType="double"/>\n</',
            'optype="continuous" dataType="money"/>\n</',
            "dataType='money'",
        ),
        ('<MiningField name="x"', '<MiningField name="x" outliers="asWhatever"', "outliers='asWhatever'"),
        ('"regression"', '"regression" normalizationMethod="magic"', "normalizationMethod='magic'"),
        ('coefficient="2"', 'coefficient="two"', "the attribute coefficient is no number; got 'two'"),
        ('<MiningField name="x"/>', '<MiningField name="z"/>', "'z' is not in the DataDictionary"),
        (
            TABLE,
            '<LocalTransformations><DerivedField name="l" optype="continuous" dataType="double"><Lag field="x"/>'
            "</DerivedField></LocalTransformations>" + TABLE,
            r"<Lag> in line 9: the element is not supported in <DerivedField>",
        ),
        (
            TABLE,
            '<Output><OutputField name="o" feature="standardError"/></Output>' + TABLE,
            "feature='standardError' is not supported",
        ),
    ],
)
def test_what_is_not_understood_is_refused_by_name_and_line(part: str, instead: str, says: str) -> None:
    broken = GOOD.replace("</RegressionModel>", "</TimeSeriesModel>") if "TimeSeries" in instead else GOOD
    assert part in broken
    with pytest.raises(ModelError, match=says) as caught:
        load(broken.replace(part, instead).encode(), name="fraud@3")
    assert "fraud@3" in str(caught.value)


def test_an_embedded_row_that_comes_out_otherwise_refuses_the_model() -> None:
    check = (
        '<ModelVerification xmlns:d="urn:d"><VerificationFields><VerificationField field="x" column="d:x"/>'
        '<VerificationField field="y" column="d:y"/></VerificationFields><InlineTable>'
        "<row><d:x>1</d:x><d:y>3</d:y></row><row><d:x>2</d:x><d:y>{}</d:y></row></InlineTable></ModelVerification>"
    )
    NativeScorer("price@1", GOOD.replace(TABLE, TABLE + check.format("5")).encode())
    with pytest.raises(ModelError, match="verification row 2 has y = 6, and native gives 5"):
        NativeScorer("price@1", GOOD.replace(TABLE, TABLE + check.format("6")).encode())


def _tree(depth: int) -> str:
    inner = '<Node score="1"><True/>' * depth + "</Node>" * depth
    return GOOD.replace("RegressionModel", "TreeModel").replace(TABLE, inner)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a DOCTYPE": lambda: b"<!DOCTYPE PMML SYSTEM 'http://127.0.0.1:9/pmml.dtd'>" + GOOD.encode(),
    "an external entity": lambda: b"<!DOCTYPE P [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>" + GOOD.encode(),
    "a billion laughs": lambda: (
        b"<!DOCTYPE P [<!ENTITY a 'ha'>"
        + b"".join(b"<!ENTITY %c '%s'>" % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9))
        + b"]>"
        + GOOD.encode()
    ),
    "cut off": lambda: GOOD.encode()[:-40],
    "200 MB": lambda: GOOD.replace("<Header/>", "<Header><!--" + "x" * 200_000_000 + "--></Header>").encode(),
    "another version": lambda: GOOD.replace('version="4.4"', 'version="2.0"').encode(),
    "no target": lambda: GOOD.replace('<MiningField name="y" usageType="target"/>', "").encode(),
    "an unknown model": lambda: GOOD.replace("RegressionModel", "OracleModel").encode(),
    "a deep tree": lambda: _tree(20_000).encode(),
    "many segments": lambda: GOOD.replace(TABLE, '<Segment id="1"/>' * 200_000).encode(),
    "a long sparse array": lambda: GOOD.replace(TABLE, '<REAL-SparseArray n="2000000000"/>' + TABLE).encode(),
    "a circle of fields": lambda: GOOD.replace(
        TABLE,
        "<LocalTransformations>"
        + "".join(
            f'<DerivedField name="{a}" optype="continuous" dataType="double"><FieldRef field="{b}"/></DerivedField>'
            for a, b in (("p", "q"), ("q", "p"))
        )
        + "</LocalTransformations>"
        + TABLE,
    ).encode(),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_file_is_refused_soon_and_opens_no_socket(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pmml = HOSTILE[name]()

    class NoSocket(socket.socket):
        def __init__(self, *_: object, **__: object) -> None:
            raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", NoSocket)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    with pytest.raises(ModelError):
        NativeScorer("fraud@3", pmml)
    assert time.process_time() - start < 1.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024  # KiB
