"""The browser that the other browser tests stand on: it loads a page of ours, clicks, and takes a picture."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

PAGE = """<!doctype html><meta charset="utf-8"><title>before</title>
<button onclick="document.title = 'after'">go</button>"""


@pytest.fixture
def site(tmp_path):
    """The address of a folder that is served on loopback."""
    (tmp_path / "index.html").write_text(PAGE)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.browser
def test_a_page_is_loaded_clicked_and_drawn(browser, site):
    browser.goto(site)
    assert browser.title() == "before"
    browser.click("button")
    assert browser.title() == "after"
    assert browser.screenshot().startswith(b"\x89PNG")
