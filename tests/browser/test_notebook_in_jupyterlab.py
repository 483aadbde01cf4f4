"""The notebook in JupyterLab, in a real browser: the monitor moves, ends with the run's figures, and floods nobody."""

from __future__ import annotations

import json
import re
import struct
from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from tools.lab_server import LabServer, LabServerError, lab_server
from tools.notebooks import NOTEBOOKS
from tools.screenshots import PATIENCE_MS, open_notebook, run_all, wait_idle

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page, WebSocket

pytestmark = pytest.mark.browser

NAME = "01_card_fraud.ipynb"
EVENTS = 30_000
COUNTERS = "import json; print('counters', json.dumps(result.counters))"


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """The notebook over a smaller sample, as long to watch, with the run's counters printed at its end."""
    read = nbformat.read(next(path for path in NOTEBOOKS if path.name == NAME), as_version=4)
    changed = {"%styx sample cards": f"%styx sample cards --events {EVENTS}", "rate=40_000": f"rate={EVENTS // 4}"}
    for before, after in changed.items():
        cells = [cell for cell in read.cells if before in cell.source]
        assert len(cells) == 1
        cells[0].source = cells[0].source.replace(before, after)
    read.cells.append(nbformat.v4.new_code_cell(COUNTERS))
    for cell in read.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    folder = tmp_path / "notebooks"
    folder.mkdir()
    nbformat.write(read, folder / NAME)
    return folder / NAME


@pytest.fixture
def server(notebook: Path, tmp_path: Path) -> Iterator[LabServer]:
    home = tmp_path / "home"
    home.mkdir()
    with lab_server(notebook.parent, home) as started:
        yield started


class Wire:
    """What the kernel sent to the page: when each update of the monitor's state was sent, by the kernel's own clock."""

    def __init__(self, page: Page) -> None:
        self.sent: list[float] = []
        self.statuses: list[str] = []
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._take)

    def _take(self, frame: str | bytes) -> None:
        if isinstance(frame, str):
            return
        # v1.kernel.websocket.jupyter.org: how many offsets, the offsets; channel, header, parent, metadata, content.
        (count,) = struct.unpack_from("<Q", frame)
        offsets = struct.unpack_from(f"<{count}Q", frame, 8)
        header = json.loads(frame[offsets[1] : offsets[2]])
        if header["msg_type"] != "comm_msg":
            return
        data = json.loads(frame[offsets[4] : offsets[5]])["data"]
        state = data.get("state", {}).get("state")
        if data.get("method") == "update" and isinstance(state, dict) and "watermark" in state:
            self.sent.append(datetime.fromisoformat(header["date"]).timestamp())
            self.statuses.append(state["status"])

    def most_in_a_second(self) -> int:
        return max(bisect_left(self.sent, since + 1) - number for number, since in enumerate(self.sent))


def figures(page: Page) -> dict[str, dict[str, int]]:
    """What stands under each step on the drawing."""
    read: dict[str, str] = page.eval_on_selector_all(
        ".styx-monitor [data-step]",
        "steps => Object.fromEntries(steps.map(step => [step.dataset.step,"
        " step.querySelector('[data-figures]').textContent]))",
    )
    found = {name: re.findall(r"([a-z]+)([\d,]+)", text) for name, text in read.items()}
    return {name: {label: int(count.replace(",", "")) for label, count in pairs} for name, pairs in found.items()}


def head(page: Page) -> dict[str, str]:
    tiles: list[list[str]] = page.eval_on_selector_all(
        ".styx-monitor-figure",
        "tiles => tiles.map(tile => [tile.querySelector('dt').textContent, tile.querySelector('dd').textContent])",
    )
    return dict(tiles)  # type: ignore[arg-type]


def scroll_to(page: Page, cell: str) -> None:
    page.locator(".jp-Notebook .jp-CodeCell").filter(has_text=cell).first.scroll_into_view_if_needed(
        timeout=PATIENCE_MS
    )


def test_the_monitor_follows_the_run_to_its_end(browser: Page, server: LabServer) -> None:
    page, complaints = browser, []

    def heard(said: ConsoleMessage) -> None:
        if said.type == "error":
            complaints.append(said.text)

    page.on("console", heard)
    wire = Wire(page)
    open_notebook(page, server.address(NAME))
    run_all(page)

    page.locator(".styx-monitor[data-status=running]").wait_for(timeout=PATIENCE_MS, state="attached")
    # Figures are seen in between, not only at the end.
    page.wait_for_function(
        """most => {
            const monitor = document.querySelector(".styx-monitor[data-status=running]");
            const line = monitor && monitor.querySelector("[data-step=payments] [data-figures]");
            const read = line && Number((line.textContent.replaceAll(",", "").match(/^read(\\d+)/) ?? [])[1]);
            return read > 0 && read < most;
        }""",
        arg=EVENTS,
        timeout=PATIENCE_MS,
    )
    page.locator(".styx-monitor[data-status=finished]").wait_for(timeout=PATIENCE_MS, state="attached")
    page.locator(".jp-OutputArea-output pre").filter(has_text="counters {").wait_for(
        timeout=PATIENCE_MS, state="attached"
    )
    wait_idle(page)

    printed = page.locator(".jp-OutputArea-output pre").filter(has_text="counters {").first.text_content()
    assert printed is not None
    counters: dict[str, dict[str, int]] = json.loads(printed.partition(" ")[2])
    seen = figures(page)
    assert set(seen) == set(counters)
    for step, told in seen.items():
        assert told, step
        assert told == {label: counters[step][label] for label in told}
    assert seen["payments"]["read"] == EVENTS
    assert seen["card_testing"]["matches"] > 0
    late = sum(one["late"] for one in counters.values())
    assert head(page)["late"] == f"{late:,}"
    assert head(page)["watermark"] == "end of input"
    assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']").count() == 0

    # JupyterLab's own rules for lists would put each figure on a line of its own.
    box = page.locator(".styx-monitor-head").bounding_box()
    assert box is not None
    assert box["height"] < 120

    assert len(wire.sent) > 10
    assert wire.most_in_a_second() <= 10
    assert wire.statuses[-1] == "finished"
    assert complaints == []


def test_a_server_that_cannot_start_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    with pytest.raises(LabServerError, match="ended with"), lab_server(tmp_path / "nowhere", tmp_path / "home"):
        pass


def test_the_count_of_updates_can_fail() -> None:
    wire: Any = Wire.__new__(Wire)
    wire.sent = [1.0, *(1.5 + n / 100 for n in range(11)), 3.0]
    assert wire.most_in_a_second() == 12
