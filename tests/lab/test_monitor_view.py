"""The monitor's view in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from styx_lab.flow.flow import Flow, flow
from styx_lab.flow.stream import source
from styx_lab.lab.monitor import Monitor
from tests.lab.monitor_page import monitor_page

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def hostile() -> Flow:
    payments = source("payments", schema={"ts": "int", "card_id": "str"}, time="ts")
    return flow("hostile", payments.filter("card_id <> '<script>window.hit = 1</script>'").to("out"))


def seen(events: int) -> dict[str, dict[str, int]]:
    return {
        "payments": {"read": events, "decoded": events, "dead": 0},
        "filter": {"in": events, "out": events, "dead": 2},
        "out": {"in": events},
    }


@pytest.fixture
def show(browser: Page) -> Callable[..., Page]:
    def shown(monitor: Monitor, **options: Any) -> Page:
        browser.set_content(monitor_page(monitor.widget.drawing, monitor.widget.state, **options))
        browser.wait_for_selector("body[data-ready]", timeout=20_000)
        return browser

    return shown


def test_shows_figures_on_the_drawing_and_only_sets_text(show: Callable[..., Page]) -> None:
    monitor = Monitor(hostile())
    page = show(monitor)
    assert page.locator(".styx-monitor-word").inner_text() == "ready"
    given = page.locator("[data-step=filter] [data-figures]").text_content()
    page.evaluate("window.before = document.querySelector('[data-step=filter]')")
    for events in (5, 1_234):
        monitor.observe(seen(events), 1_704_067_200_000)
        monitor.flush()
        page.evaluate("state => window.push(state)", monitor.widget.state)
    line = page.locator("[data-step=filter] [data-figures]")
    assert line.text_content() == "in1,234out1,234late0dead2"
    assert page.locator("[data-step=filter] .styx-monitor-dead").text_content() == "2"
    assert page.locator("dl").inner_text().count("2024-01-01T00:00:00.000Z") == 1
    assert page.evaluate("window.before === document.querySelector('[data-step=filter]')")
    assert page.evaluate("window.hit") is None
    monitor.begin()
    monitor.flush()
    page.evaluate("state => window.push(state)", monitor.widget.state)
    assert line.text_content() == given


@pytest.mark.parametrize("dark", [False, True])
def test_a_failure_is_told_as_text_in_both_themes(show: Callable[..., Page], dark: bool) -> None:
    monitor = Monitor(hostile())
    monitor.observe(seen(7), 1_704_067_200_000)
    monitor.fail("<img src=x onerror='window.hit = 1'>")
    page = show(monitor, dark=dark)
    assert page.locator(".styx-monitor").get_attribute("data-status") == "failed"
    assert page.locator(".styx-monitor-message").inner_text() == "<img src=x onerror='window.hit = 1'>"
    assert page.evaluate("window.hit") is None
    ink = page.evaluate("getComputedStyle(document.querySelector('[data-step] text.name')).fill")
    assert ink == ("rgba(255, 255, 255, 0.87)" if dark else "rgba(0, 0, 0, 0.87)")


def test_lets_go_of_the_model_when_it_is_closed(show: Callable[..., Page]) -> None:
    page = show(Monitor(hostile()))
    assert page.evaluate("window.listening()") == 1
    page.evaluate("window.unmount()")
    assert page.evaluate("window.listening()") == 0
    page.evaluate("window.push({status: 'running'})")


def test_a_state_or_drawing_of_another_version_is_no_fault(show: Callable[..., Page]) -> None:
    monitor = Monitor(hostile())
    monitor.widget.drawing = "<svg"
    monitor.widget.state = {"steps": {"stranger": [["in", "1"]]}}
    page = show(monitor)
    assert page.locator(".styx-monitor-drawing").inner_text() == "The drawing of this flow cannot be shown."
    assert page.locator(".styx-monitor-word").inner_text() == "ready"
