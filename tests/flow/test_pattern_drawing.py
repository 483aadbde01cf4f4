"""Law: a pattern has one drawing of each kind; nothing of its text can end what it stands in."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given

from styx_lab import AfterMatch, Pattern, col, matched
from styx_lab.flow.pattern.structure import every_part
from styx_lab.testing.strategies import patterns_of_all_kinds

SVG = "{http://www.w3.org/2000/svg}"
RICH = (
    Pattern.begin("visit", after_match=AfterMatch.skip_past_last_event())
    .followed_by(Pattern.begin("add").where("page = 'cart'").next("look").one_or_more().greedy())
    .times(2, 4)
    .optional()
    .followed_by_any("large")
    .where(col("amount") > matched("visit").amount.sum())
    .not_followed_by("pay")
    .where("page = 'pay'")
    .within("30m")
)


def _texts(svg: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_the_text_has_a_line_for_each_part() -> None:
    assert str(RICH.diagram()).splitlines() == [
        "begin            visit",
        "followed by      group  [2 to 4, optional]",
        "                    begin  add                        page = 'cart'",
        "                    next   look  [1 or more, greedy]",
        'followed by any  large                      amount > matched("visit")["amount"].sum()',
        "not followed by  pay                        page = 'pay'",
        "within 30m",
        "after a match skip past last event",
    ]


def test_the_svg_says_what_the_pattern_says() -> None:
    texts = _texts(RICH.diagram().svg)
    for word in ("visit", "add", "look", "large", "not pay", "optional", "2 to 4", "1 or more, greedy", "within 30m"):
        assert word in texts
    assert texts.count("followed by any") == 1
    assert RICH.diagram()._repr_svg_() == RICH.diagram().svg


def test_the_mermaid_diagram_has_a_state_for_each_part() -> None:
    lines = RICH.diagram().mermaid.splitlines()
    assert lines[0] == "stateDiagram-v2"
    assert '  state "group (optional)" as s2 {' in lines
    assert "    s3 --> s4 : next" in lines
    assert "    s4 --> s4 : 1 or more, greedy" in lines
    assert "  s5 --> s6 : not followed by" in lines
    assert "    within 30m" in lines
    assert sum(line.strip().startswith("state ") for line in lines) == 6


def test_hostile_names_and_conditions_stay_text() -> None:
    name = '<script>"&\n]]>--> }: end note'
    pattern = Pattern.begin(name).where("status = '</text><script>'").where("status = '; %% {'")
    diagram = pattern.diagram()
    assert "<script" not in diagram.svg.replace("&lt;script", "")
    assert any("script" in text for text in _texts(diagram.svg))
    body = diagram.mermaid.splitlines()[2:]
    assert len(body) == 4
    assert not any(sign in line.partition(" : ")[2] for line in body for sign in '<>{};:%"'.replace(";", ""))
    assert "\n" not in str(pattern).replace(name, "")


@given(patterns_of_all_kinds())
def test_every_pattern_can_be_drawn_and_always_alike(pattern: Pattern) -> None:
    diagram = pattern.diagram()
    again = Pattern.from_json(pattern.to_json(), where="again").diagram()
    assert (diagram.svg, diagram.mermaid, diagram.text) == (again.svg, again.mermaid, again.text)
    texts = _texts(diagram.svg)
    for part in every_part(pattern.parts):
        assert (f"not {part.name}" if part.is_not else part.name) in texts
    root = ElementTree.fromstring(diagram.svg)
    wide, high = float(root.attrib["width"]), float(root.attrib["height"])
    boxes = []
    for box in root.iter(f"{SVG}rect"):
        x, y, w, h = (float(box.attrib[name]) for name in ("x", "y", "width", "height"))
        assert 0 <= x < x + w <= wide
        assert 0 <= y < y + h <= high
        boxes.append((x, y, x + w, y + h))
    # Of two boxes one is inside the other, or they are apart.
    for (a, b, c, d), (e, f, g, h) in combinations(boxes, 2):
        inside = a < e < g < c and b < f < h < d
        assert inside or c < e or g < a


def test_the_picture_in_the_documents_is_what_is_drawn() -> None:
    docs = Path(__file__).resolve().parents[2] / "docs"
    said = re.search(r"^drawn_above = (\(.*?^\))", (docs / "patterns.md").read_text(), re.MULTILINE | re.DOTALL)
    assert said is not None
    pattern = eval(said[1], {"Pattern": Pattern, "AfterMatch": AfterMatch})
    assert (docs / "images" / "pattern.svg").read_text() == f"{pattern.diagram().svg.rstrip()}\n"
