"""Files that are made to hurt whoever reads them, written piece by piece, so that the test needs no memory for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

__all__ = ["HOSTILE", "SMALL", "write"]

MB: Final = 1024 * 1024
HEAD: Final = b'<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/><DataDictionary>'
FIELDS: Final = b"".join(b'<DataField name="%c" optype="continuous" dataType="double"/>' % name for name in b"xy")
SCHEMA: Final = b'<MiningSchema><MiningField name="y" usageType="target"/><MiningField name="x"/></MiningSchema>'
BEGIN: Final = HEAD + FIELDS + b"</DataDictionary>"
MODEL: Final = (
    b'<RegressionModel functionName="regression">'
    + SCHEMA
    + b'<RegressionTable intercept="1"><NumericPredictor name="x" coefficient="2"/></RegressionTable></RegressionModel>'
)
END: Final = b"</PMML>"
GOOD: Final = BEGIN + MODEL + END
PORT: Final = b"http://127.0.0.1:9/"
LAUGHS: Final = b"<!DOCTYPE PMML [<!ENTITY a 'ha'>" + b"".join(
    b"<!ENTITY %c '%s'>" % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9)
)
SEGMENT: Final = (
    b'<Segment><True/><TreeModel functionName="regression"><MiningSchema><MiningField name="x"/></MiningSchema>'
    b'<Node score="1"><True/></Node></TreeModel></Segment>'
)
APPLY: Final = (b'<Apply function="abs">', b"</Apply>")


def _derived(name: bytes, inner: bytes) -> bytes:
    return b'<DerivedField name="%s" optype="continuous" dataType="double">%s</DerivedField>' % (name, inner)


def _dictionary(inner: bytes) -> bytes:
    return BEGIN + b"<TransformationDictionary>" + inner + b"</TransformationDictionary>" + MODEL + END


def _many(piece: bytes, times: int, *, before: bytes = BEGIN, after: bytes = MODEL + END) -> Iterator[bytes]:
    yield before
    chunk = max(1, MB // len(piece))
    for start in range(0, times, chunk):
        yield piece * min(chunk, times - start)
    yield after


def _deep(opening: bytes, closing: bytes, inner: bytes, depth: int, before: bytes, after: bytes) -> Iterator[bytes]:
    yield before + opening * depth + inner + closing * depth + after


def _attributes(count: int, value: Callable[[int], bytes]) -> Iterator[bytes]:
    yield BEGIN + b"<RegressionModel "
    for start in range(0, count, 10_000):
        yield b" ".join(value(each) for each in range(start, min(count, start + 10_000))) + b" "
    yield b'functionName="regression">' + SCHEMA + b"</RegressionModel>" + END


def _tower(count: int) -> bytes:
    names = [b"x", *(b"a%d" % each for each in range(count))]
    return b"".join(_derived(name, b'<FieldRef field="%s"/>' % below) for below, name in pairwise(names))


def _avalanche(count: int, *, calls: int = 2) -> bytes:
    begin = b'<DefineFunction name="f%d" optype="continuous" dataType="double"><ParameterField name="p"/>'
    call = b'<Apply function="f%d"><FieldRef field="p"/></Apply>'
    functions = [begin % 0 + b'<FieldRef field="p"/></DefineFunction>'] + [
        begin % each + b'<Apply function="max">' + call % (each - 1) * calls + b"</Apply></DefineFunction>"
        for each in range(1, count)
    ]
    return b"".join(functions) + _derived(b"a", (call % (count - 1)).replace(b'"p"', b'"x"'))


TREE: Final = BEGIN + b'<TreeModel functionName="regression">' + SCHEMA
MINING: Final = (
    BEGIN + b'<MiningModel functionName="regression">' + SCHEMA + b'<Segmentation multipleModelMethod="sum">'
)
CIRCLE: Final = _derived(b"a", b'<FieldRef field="b"/>') + _derived(b"b", b'<FieldRef field="a"/>')
CALLS: Final = (
    b'<DefineFunction name="f" optype="continuous" dataType="double"><ParameterField name="p"/>'
    b'<Apply function="f"><FieldRef field="p"/></Apply></DefineFunction>'
)

HOSTILE: Final[dict[str, tuple[Callable[[], Iterator[bytes]], str]]] = {
    "DOCTYPE": (lambda: iter([b"<!DOCTYPE PMML>" + GOOD]), "DOCTYPE"),
    "external DTD": (lambda: iter([b"<!DOCTYPE PMML SYSTEM '%sx.dtd'>" % PORT + GOOD]), "DOCTYPE"),
    "external entity": (
        lambda: iter([b"<!DOCTYPE PMML [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" + GOOD.replace(b">1<", b">&x;<")]),
        "DOCTYPE",
    ),
    "parameter entity over HTTP": (
        lambda: iter([b"<!DOCTYPE PMML [<!ENTITY %% x SYSTEM '%sx'> %%x;]>" % PORT + GOOD]),
        "DOCTYPE",
    ),
    "billion laughs": (lambda: iter([LAUGHS + b"]>" + GOOD.replace(b'"1"', b'"&j;"')]), "DOCTYPE"),
    "quadratic entity in an attribute": (
        lambda: iter(
            [b"<!DOCTYPE PMML [<!ENTITY q '%s'>]>" % (b"x" * MB) + GOOD.replace(b'"1"', b'"%s"' % (b"&q;" * 9_999))]
        ),
        "DOCTYPE",
    ),
    "truncated": (lambda: iter([GOOD[: len(GOOD) // 2]]), "broken or cut off"),
    "truncated after 28 MB": (
        lambda: _many(b'<Node id="n" score="1" recordCount="3"/>', 700_000, before=TREE, after=b"<Node"),
        "broken or cut off",
    ),
    "200 MB": (lambda: _many(b'<Extension name="x"/>', 200 * MB // 21), "bigger than 67,108,864 bytes"),
    "a comment of 100 MB": (
        lambda: _many(b"x", 100 * MB, before=BEGIN + b"<!--", after=b"-->" + MODEL + END),
        "bigger",
    ),
    "a comment of 60 MB": (
        lambda: _many(b"x", 60 * MB, before=BEGIN + b"<!--", after=b"-->" + MODEL + END),
        "comment of more than",
    ),
    "a comment of 60 MB that does not end": (
        lambda: _many(b"x", 60 * MB, before=BEGIN + b"<!--", after=b""),
        "comment",
    ),
    "an attribute of 60 MB": (
        lambda: _many(b">", 60 * MB, before=BEGIN + b'<Extension value="', after=b'"/>' + MODEL + END),
        "tag of more than",
    ),
    "an attribute of 60 MB that does not end": (
        lambda: _many(b">", 60 * MB, before=BEGIN + b'<Extension value="', after=b""),
        "broken, or has a tag",
    ),
    "text of 60 MB": (lambda: _many(b"x ", 30 * MB, before=BEGIN, after=END), "no model in it"),
    "text of 60 MB with one sign of four bytes": (
        lambda: _many(b"x ", 30 * MB, before=BEGIN + "\U0001f600".encode(), after=END),
        "no model in it",
    ),
    "200,000 segments": (
        lambda: _many(SEGMENT, 200_000, before=MINING, after=b"</Segmentation></MiningModel>" + END),
        "more than 20,000 segments|more than 750,000 elements",
    ),
    "25,000 segments": (
        lambda: _many(SEGMENT, 25_000, before=MINING, after=b"</Segmentation></MiningModel>" + END),
        "more than 20,000 segments",
    ),
    "a tree 20,000 deep": (
        lambda: _deep(b'<Node score="1"><True/>', b"</Node>", b"", 20_000, TREE, b"</TreeModel>" + END),
        "nested deeper than 500",
    ),
    "Apply 20,000 deep": (
        lambda: _deep(*APPLY, b'<FieldRef field="x"/>', 20_000, *_dictionary(_derived(b"a", b"@")).split(b"@")),
        "more than 100 elements in each other",
    ),
    "derived fields 20,000 deep": (lambda: iter([_dictionary(_tower(20_000))]), "more than 100 deep"),
    "functions that call 2^20 times": (lambda: iter([_dictionary(_avalanche(22))]), "more than 750,000 times"),
    "functions 300 deep": (lambda: iter([_dictionary(_avalanche(300, calls=1))]), "more than 100 deep"),
    "5 million elements": (lambda: _many(b"<Extension/>", 5 * MB), "more than 750,000 elements"),
    "a million unknown elements": (lambda: _many(b"<Oracle/>", 700_000), "PMML knows no such model"),
    "700,000 elements and no model": (lambda: _many(b"<Extension/>", 700_000, after=END), "no model in it"),
    "700,000 nodes and no target": (
        lambda: _many(
            b'<Node id="n" score="1" recordCount="3"/>',
            700_000,
            before=TREE.replace(b' usageType="target"', b"").replace(b'name="y"/>', b'name="x"/>'),
            after=b"</TreeModel>" + END,
        ),
        "No valid target",
    ),
    "700,000 values": (
        lambda: _many(
            b'<Value value="v"/>',
            700_000,
            before=HEAD + b'<DataField name="x" optype="categorical" dataType="string">',
            after=b"</DataField></DataDictionary>" + MODEL + END,
        ),
        "more than 250,000 fields, values",
    ),
    "700,000 elements, then a DOCTYPE": (
        lambda: _many(b"<Extension/>", 700_000, after=b"<!DOCTYPE x>" + END),
        "broken",
    ),
    "99,000 comments": (lambda: _many(b"<!-- x -->", 99_000, after=END), "no model in it"),
    "nine million comments": (lambda: _many(b"<!---->", 9_000_000, after=END), "more than 100,000 comments"),
    "six million instructions": (lambda: _many(b"<?x y?>", 6_000_000, after=END), "more than 100,000 comments"),
    "a million attributes": (lambda: _attributes(MB, lambda each: b'a%d="x"' % each), "tag of more than"),
    "50,000 attributes": (
        lambda: _attributes(50_000, lambda each: b'a%d="x"' % each),
        "more than 200 attributes or namespaces",
    ),
    "50,000 namespaces": (
        lambda: _attributes(50_000, lambda each: b'xmlns:a%d="u"' % each),
        "more than 200 attributes or namespaces",
    ),
    "derived fields in a circle": (lambda: iter([_dictionary(CIRCLE)]), "circle; got 'a -> b -> a'"),
    "a field derived from itself": (lambda: iter([_dictionary(_derived(b"a", b'<FieldRef field="a"/>'))]), "circle"),
    "a function that calls itself": (lambda: iter([_dictionary(CALLS)]), "circle; got 'f -> f'"),
    "a class of Java as a function": (
        lambda: iter(
            [_dictionary(_derived(b"a", b'<Apply function="java.lang.Runtime"><FieldRef field="x"/></Apply>'))]
        ),
        "a class of Java is not run; got 'java.lang.Runtime'",
    ),
    "a version to come": (lambda: iter([GOOD.replace(b'version="4.4"', b'version="5.0"')]), "only PMML 3.2 to 4.4"),
    "a namespace to come": (lambda: iter([GOOD.replace(b"PMML-4_4", b"PMML-5_0")]), "another namespace"),
    "no version": (lambda: iter([GOOD.replace(b' version="4.4"', b"")]), "only PMML 3.2 to 4.4"),
    "no target": (
        lambda: iter([GOOD.replace(b' usageType="target"', b"").replace(b'name="y"/>', b'name="x"/>')]),
        "No valid target",
    ),
    "an unknown model": (lambda: iter([GOOD.replace(b"RegressionModel", b"DreamModel")]), "<DreamModel> in line 1"),
    "NUL bytes": (lambda: iter([GOOD.replace(b">1<", b">\0<").replace(b'"2"', b'"2\0"')]), "NUL"),
    "UTF-16": (lambda: iter([GOOD.decode().encode("utf-16")]), "not UTF-8"),
    "UTF-32": (lambda: iter([GOOD.decode().encode("utf-32-be")]), "not UTF-8"),
    "UTF-7, said to be": (lambda: iter([b'<?xml version="1.0" encoding="utf-7"?>' + GOOD]), "declared as UTF-8"),
    "gzip": (lambda: iter([b"\x1f\x8b\x08\0" + b"\0" * 99]), "packed"),
    "not XML": (lambda: iter([b"price,amount\n1,2\n"]), "broken or cut off"),
    "random bytes": (lambda: iter([bytes(range(256)) * 9]), "NUL|not UTF-8"),
    "HTML": (lambda: iter([b"<html><body/></html>"]), "no PMML file"),
    "empty": (lambda: iter([b""]), "is empty"),
    "blank": (lambda: iter([b" \n" * 99]), "is empty"),
}
"""By name: the pieces of the file, and what its refusal says."""


SMALL: Final = [name for name in HOSTILE if not re.search(r"MB|million|00,000 seg|25,000 seg|700,000|50,000", name)]
"""Those that take no time to write."""


def write(name: str, path: Path) -> None:
    """Write a hostile file."""
    with path.open("wb") as file:
        for piece in HOSTILE[name][0]():
            file.write(piece)
