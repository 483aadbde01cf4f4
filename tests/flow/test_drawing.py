"""The drawing of a flow, in its three forms."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path

import polars as pl
import pytest
from defusedxml import ElementTree
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.core.operator import LATE
from styx_lab.flow.aggregate import count, sum
from styx_lab.flow.drawing import mermaid, svg, text
from styx_lab.flow.drawing.as_svg import ICONS
from styx_lab.flow.drawing.label import cut, width
from styx_lab.flow.drawing.layout import lay_out, links
from styx_lab.flow.flow import Flow, flow
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.steps import STEPS, WindowStep
from styx_lab.flow.stream import Stream, source
from styx_lab.flow.window import Sliding, Tumbling
from tests.flow.golden_flows import GOLDEN_FLOWS

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "drawing"
SCHEMA = {"ts": "int", "card_id": "str", "amount": "float", "status": "str"}
SVG = "{http://www.w3.org/2000/svg}"


def payments(name: str = "payments") -> Stream:
    return source(name, schema=SCHEMA, time="ts", key="card_id", max_delay="2s")


def linear() -> Flow:
    testing = (
        Pattern.begin("declined")
        .where("status = 'declined'")
        .times(2)
        .consecutive()
        .followed_by("drain")
        .where("amount > 500")
        .within("10m")
    )
    customers = pl.DataFrame({"card_id": ["a"], "segment": ["gold"]})
    return flow(
        "card-fraud",
        payments()
        .filter("amount > 0")
        .detect(testing, name="card_testing", amount="drain.amount")
        .enrich(customers, on="card_id", name="customers")
        .score("fraud@champion", into="risk")
        .filter("risk > 0.8", name="risky")
        .notify("block_transfer", message="Card {card_id}: {amount:.2f} after two declines")
        .to("notifications"),
    )


def branching() -> Flow:
    valid = payments("transfers").filter("status <> '<script>alert(1)</script>' and amount > 0", name="valid")
    spent = (
        payments()
        .union(valid, name="all_money")
        .window(Sliding("5m", every="1m"), name="per_card", n=count(), total=sum("amount"))
    )
    large = spent.filter("total > 1000", name="large").notify("large_spend", message="{card_id} spent {total:.2f}")
    return flow("spending", spent.to("per_card_totals"), large.to("notifications"), spent.late.to("too_late"))


FLOWS: dict[str, Callable[[], Flow]] = {"linear": linear, "branching": branching}
FORMS: dict[str, Callable[[Flow], str]] = {"svg": svg, "txt": text, "mmd": mermaid}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", FLOWS)
def test_is_the_golden_drawing(name: str, form: str) -> None:
    drawn = FORMS[form](FLOWS[name]())
    path = GOLDEN / f"{name}.{form}"
    if os.environ.get("STYX_GOLDEN") == "write":
        path.write_text(drawn, encoding="utf-8", newline="\n")
    assert drawn == path.read_text(encoding="utf-8")


def test_every_verb_has_a_picture_of_its_own() -> None:
    assert set(ICONS) == set(STEPS)
    assert len(set(ICONS.values())) == len(ICONS)


@pytest.mark.parametrize("name", GOLDEN_FLOWS)
def test_every_golden_flow_is_drawn(name: str) -> None:
    drawn = GOLDEN_FLOWS[name]()
    root = ElementTree.fromstring(drawn.svg())
    assert [one.get("data-step") for one in root.iter(f"{SVG}g") if one.get("data-step")] == [
        step.name for step in drawn.steps
    ]
    for step in drawn.steps:
        assert f"<b>{step.name}</b>" in drawn.mermaid()
        assert step.name in text(drawn)


@pytest.mark.parametrize("name", FLOWS)
def test_survives_the_flows_json(name: str) -> None:
    original = FLOWS[name]()
    again = Flow.from_json(original.to_json())
    assert [draw(again) for draw in FORMS.values()] == [draw(original) for draw in FORMS.values()]


@pytest.mark.parametrize("name", FLOWS)
def test_svg_has_every_step_once_and_nothing_that_runs_or_fetches(name: str) -> None:
    drawn = svg(FLOWS[name]())
    root = ElementTree.fromstring(drawn)
    steps = [group.get("data-step") for group in root.iter(f"{SVG}g") if group.get("data-step")]
    assert steps == [step.name for step in FLOWS[name]().steps]
    assert all(
        group.find(".//*[@data-figures]") is not None for group in root.iter(f"{SVG}g") if group.get("data-step")
    )
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        *("svg", "g", "title", "desc", "style", "rect", "path", "circle", "text", "tspan"),
    }
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not [name for name in attributes if name.startswith("on") or "href" in name]
    assert "dead letters" in drawn
    assert "url(" not in drawn


def test_svg_ids_and_styles_are_its_own() -> None:
    one, other = (svg(FLOWS[name]()) for name in FLOWS)
    ids = [set(re.findall(r' id="([^"]+)"', drawn)) for drawn in (one, other)]
    assert all(ids)
    assert not ids[0] & ids[1]
    style = re.search("<style>(.*)</style>", one)
    space = re.search(r'class="styx-flow (\S+)"', one)
    assert style is not None
    assert space is not None
    selectors = re.findall(r"([^{}@]+)\{", re.sub(r"@media[^{]*", "", style[1]))
    assert selectors
    assert all(selector.startswith(f".{space[1]}") for selector in selectors)


def test_svg_named_by_title_and_description() -> None:
    root = ElementTree.fromstring(svg(branching()))
    told = {element.get("id"): element.text for element in root if element.get("id")}
    words = " ".join(told[one] or "" for one in (root.get("aria-labelledby") or "").split())
    assert "spending" in words
    assert "too_late (to of per_card.late)" in words


def test_svg_with_figures_shows_them_in_place_of_what_a_step_gives() -> None:
    drawn = svg(linear(), figures={"payments": [("read", "1,200"), ("dead", "<7>")]}, note="finished")
    root = ElementTree.fromstring(drawn)
    line = root.find(".//*[@data-step='payments']//*[@data-figures]")
    assert line is not None
    assert [part.text for part in line] == ["read", "1,200", "dead", "<7>"]
    assert ">finished</text>" in drawn


def test_what_a_condition_says_cannot_leave_its_place() -> None:
    hostile = "</text></svg><script>alert(1)</script>&amp;\"'\x00\x1b[31m\u202e\n]:::x;--> style a:#b; `"
    # A stored flow's text is not ours.
    drawn = flow("hostile", payments().notify("alarm", message=hostile.replace("{", "")).to("out"))
    root = ElementTree.fromstring(svg(drawn))
    assert root.find(f".//{SVG}script") is None
    title = root.find(f".//*[@data-step='alarm']/{SVG}title")
    assert title is not None
    assert "<script>alert(1)</script>" in (title.text or "")
    for form in (text(drawn), mermaid(drawn), svg(drawn)):
        assert not set(form) & set("\x00\x1b\u202e")
    (line,) = [line for line in mermaid(drawn).splitlines() if "<b>alarm</b>" in line]
    assert line.count('"') == 2
    assert "<script" not in line


def test_long_summaries_are_cut_and_kept_whole_in_the_title() -> None:
    condition = " or ".join(f"amount = {number}" for number in range(50))
    drawn = flow("long", payments().filter(condition).to("out"))
    root = ElementTree.fromstring(svg(drawn))
    group = root.find(".//*[@data-step='filter']")
    assert group is not None
    assert condition in (group.findtext(f"{SVG}title") or "")
    assert any((line.text or "").endswith("…") for line in group.iter(f"{SVG}text"))


def test_late_links_are_dashed() -> None:
    assert "-. late .->" in mermaid(branching())
    assert "┆" in text(branching())
    assert svg(branching()).count("stroke-dasharray") == 2  # the link, and the legend's sample
    assert "stroke-dasharray" not in svg(linear())


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    """Flows of any shape: chains, forks, unions, late streams, outputs in the middle."""
    streams = [payments(f"source{number}") for number in range(draw(st.integers(1, 4)))]
    for number in range(draw(st.integers(0, 10))):
        at = draw(st.integers(0, len(streams) - 1))
        name = f"step{number}"
        stream = streams[at]
        match draw(st.sampled_from(["filter", "union", "late", "output", "fork"])):
            case "filter":
                streams[at] = stream.filter("amount > 1", name=name)
            case "union" if stream.type == streams[0].type:
                others = [other for other in streams if other is not stream and other.type == stream.type]
                if others:
                    streams[at] = stream.union(*others, name=name)
            case "late":
                windowed = stream.window(Tumbling("1m"), name=name, amount=sum("amount"))
                streams += [windowed.late]
                streams[at] = windowed
            case "output":
                streams[at] = stream.to(name)
            case _:
                streams.append(stream.filter("amount > 2", name=name))
    return flow("any", *(stream.to(f"out{number}") for number, stream in enumerate(streams)))


@pytest.mark.laws
@given(flows())
def test_boxes_and_links_of_any_flow_have_room(drawn: Flow) -> None:
    layout = lay_out({step.name: (300, 60) for step in drawn.steps}, links(drawn))
    boxes = layout.boxes
    for one, other in combinations(boxes.values(), 2):
        beside = one.x + one.width + 10 <= other.x or other.x + other.width + 10 <= one.x
        above = one.y + one.height + 10 <= other.y or other.y + other.height + 10 <= one.y
        assert beside or above
    for box in boxes.values():
        assert box.x >= 0
        assert box.x + box.width <= layout.width
    for link, route in zip(links(drawn), layout.routes, strict=True):
        start, end = boxes[link.port.step], boxes[link.reader]
        assert route[0][1] == start.y + start.height
        assert route[-1][1] == end.y
        assert start.x < route[0][0] < start.x + start.width
        assert end.x < route[-1][0] < end.x + end.width
        assert all(y0 <= y1 for (_, y0), (_, y1) in pairwise(route))
        for (x0, y0), (x1, y1) in pairwise(route):
            if x0 == x1:
                # A straight piece passes through no box; bends are between two layers.
                assert not [
                    name
                    for name, box in boxes.items()
                    if box.x < x0 < box.x + box.width and y0 < box.y + box.height and box.y < y1
                ]


@pytest.mark.laws
@given(flows())
def test_any_flow_is_told_on_a_terminal(drawn: Flow) -> None:
    lines = text(drawn).splitlines()
    assert max(width(line) for line in lines) <= 100
    assert not [line for line in lines if line != line.rstrip()]
    rows = [re.search(r"[○●◉][│┆ ]*  (\S+)", line) for line in lines]
    assert [row[1] for row in rows if row] == [step.name for step in drawn.steps]
    assert "dead letters" in lines[-1]
    late = [port for step in drawn.steps for port in step.inputs if port.name == LATE]
    # A flow that is too wide for lines says its links in words.
    sign = ".late" if "←" in text(drawn) else "┆"
    assert (sign in text(drawn)) == bool(late)


@pytest.mark.laws
@given(flows())
def test_every_link_is_in_every_form(drawn: Flow) -> None:
    assert len(re.findall(r"^  s\d+ -", mermaid(drawn), re.MULTILINE)) == len(links(drawn))
    root = ElementTree.fromstring(svg(drawn))
    titles = {title.text or "" for title in root.iter(f"{SVG}title")}
    for link in links(drawn):
        assert any(title.startswith(f"{link.port} → {link.reader}: ") for title in titles)
    # A flow that is too wide for lines says its links in words, without what goes over them.
    windows = any(isinstance(step, WindowStep) for step in drawn.steps)
    assert windows == ("BusinessEvent" in text(drawn)) or "←" in text(drawn)


def test_more_links_than_an_eye_can_follow_are_named_instead() -> None:
    many = [payments(f"source{number}") for number in range(40)]
    lines = text(flow("many", many[0].union(*many[1:]).to("out"))).splitlines()
    assert max(width(line) for line in lines) <= 100
    assert "union" in next(line for line in lines if "40 streams" in line)


@given(st.text(), st.integers(1, 40))
def test_a_label_is_one_line_of_its_width(label: str, most: int) -> None:
    shown = cut(label, most)
    assert width(shown) <= most
    assert len(shown.splitlines()) <= 1
    ElementTree.fromstring(f"<a>{shown.replace('&', '').replace('<', '')}</a>")
