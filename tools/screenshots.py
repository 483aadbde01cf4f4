"""Take the pictures of the documents from a real browser: `.venv/bin/python tools/screenshots.py [--dark] [FOLDER]`.

Law: a picture shows what a user sees: the committed notebook, in JupyterLab as it comes; nothing is drawn in.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from playwright.sync_api import sync_playwright

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.chromium import ARGUMENTS, Chromium, find_or_fetch  # noqa: E402
from tools.lab_server import lab_server  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["PATIENCE_MS", "open_notebook", "run_all", "wait_idle"]

NOTEBOOK: Final = "01_card_fraud.ipynb"
IMAGES: Final = ROOT / "docs" / "images"
PATIENCE_MS: Final = 180_000
HALFWAY: Final = 140_000


def open_notebook(page: Page, address: str) -> None:
    """Open a notebook in JupyterLab, and wait until its kernel is idle."""
    page.goto(address, timeout=PATIENCE_MS)
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=PATIENCE_MS)
    wait_idle(page)


def wait_idle(page: Page) -> None:
    """Wait until the kernel has nothing to do."""
    page.locator("#jp-bottom-panel, #jp-main-statusbar").get_by_text("| Idle").first.wait_for(timeout=PATIENCE_MS)


def run_all(page: Page) -> None:
    """Choose Run, Run All Cells."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def main(arguments: list[str]) -> int:
    """Take them all."""
    dark = "--dark" in arguments
    named = [one for one in arguments if not one.startswith("-")]
    images = Path(named[0]) if named else IMAGES
    images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="styx-screenshots-") as folder, sync_playwright() as playwright:
        work, home = Path(folder) / "notebooks", Path(folder) / "home"
        work.mkdir()
        home.mkdir()
        shutil.copy(ROOT / "notebooks" / NOTEBOOK, work)
        browser = playwright.chromium.launch(**_sharp(find_or_fetch()))
        with lab_server(work, home, dark=dark) as server:
            page = browser.new_page(viewport={"width": 1240, "height": 1100})
            open_notebook(page, server.address(NOTEBOOK))
            # The notebook alone: the list of files has one file in it.
            page.keyboard.press("Control+b")
            run_all(page)
            page.locator(".styx-monitor[data-status=running]").wait_for(timeout=PATIENCE_MS)
            page.wait_for_function(_AT_THE_TOP, timeout=PATIENCE_MS)
            page.wait_for_function(_READ_MORE_THAN, arg=HALFWAY, timeout=PATIENCE_MS)
            page.wait_for_function(_AT_THE_TOP, timeout=PATIENCE_MS)
            page.screenshot(path=images / "monitor.png")
            page.locator(".styx-monitor[data-status=finished]").wait_for(timeout=PATIENCE_MS)
            wait_idle(page)
            page.locator(".jp-WindowedPanel-outer").evaluate("outer => { outer.scrollTop = 0; }")
            page.locator(".jp-Notebook .jp-Cell").first.click()
            page.locator(".jp-Notebook .jp-RenderedHTMLCommon table").first.wait_for(timeout=PATIENCE_MS)
            page.screenshot(path=images / "notebook.png")
        browser.close()
    for path in sorted(images.glob("*.png")):
        print(f"{path.name}: {path.stat().st_size:,} bytes")
    return 0


# Cells above it may still grow: scrolled to until it stays.
_AT_THE_TOP: Final = """() => {
    const cell = document.querySelector(".styx-monitor").closest(".jp-Cell");
    const top = cell.closest(".jp-WindowedPanel-outer").getBoundingClientRect().top;
    const off = Math.abs(cell.getBoundingClientRect().top - top);
    window.styxSteady = off < 30 ? (window.styxSteady ?? 0) + 1 : 0;
    if (off >= 30) cell.scrollIntoView({ block: "start" });
    return window.styxSteady > 12;
}"""
_READ_MORE_THAN: Final = """least => {
    const line = document.querySelector(".styx-monitor [data-step=payments] [data-figures]");
    const read = line && line.textContent.replaceAll(",", "").match(/^read(\\d+)/);
    return read && Number(read[1]) > least;
}"""


def _sharp(chromium: Chromium) -> dict[str, Any]:
    """Options to start the browser with: signs stand where the font wants them, as on a screen of today."""
    return chromium.launch_options() | {"args": [*ARGUMENTS, "--font-render-hinting=none"]}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
