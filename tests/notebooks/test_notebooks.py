"""Every notebook runs from its first cell to its last, and what is committed is fit to be read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest

from tools.notebooks import MOST_BYTES, NOTEBOOKS, execute, faults

CARD_FRAUD = next(path for path in NOTEBOOKS if path.name == "01_card_fraud.ipynb")


def written(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code(notebook: nbformat.NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def shown(notebook: nbformat.NotebookNode) -> str:
    """All that the cells printed, and their answers as text."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("STYX_HOME", raising=False)
        environment.delenv("STYX_SAMPLES", raising=False)
        return execute(CARD_FRAUD, tmp_path_factory.mktemp("notebook"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_what_is_committed_is_fit_to_be_read(path: Path) -> None:
    notebook = written(path)
    nbformat.validate(notebook)
    assert faults(notebook) == []
    assert path.stat().st_size <= MOST_BYTES
    assert "widgets" not in notebook.metadata
    assert "application/vnd.jupyter.widget-view+json" not in path.read_text()


def test_the_story_is_told_in_ten_cells() -> None:
    assert len(code(written(CARD_FRAUD))) == 10


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        (
            {"output_type": "stream", "name": "stdout", "text": "in /home/me/data.parquet"},
            "absolute path: /home/me/data",
        ),
        ({"output_type": "stream", "name": "stderr", "text": "UserWarning: old"}, "standard error: UserWarning"),
        ({"output_type": "error", "ename": "KeyError", "evalue": "'x'", "traceback": []}, "KeyError: 'x'"),
        (
            {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<p>/tmp/x/y</p>"}},
            "absolute path: /tmp/x/y",
        ),
    ],
)
def test_what_must_not_be_committed_is_seen(output: dict[str, object], fault: str) -> None:
    cell = nbformat.v4.new_code_cell("1", execution_count=1, outputs=[nbformat.from_dict(output)])
    found = faults(nbformat.v4.new_notebook(cells=[cell]))
    assert len(found) == 1
    assert fault in found[0]


def test_a_cell_that_was_not_run_is_seen() -> None:
    assert faults(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])) == [
        "code cell 1: was not run in its turn"
    ]


@pytest.mark.notebook
def test_runs_without_a_fault_and_is_what_is_committed(run: nbformat.NotebookNode) -> None:
    assert faults(run) == []
    assert code(run) == code(written(CARD_FRAUD))


@pytest.mark.notebook
def test_notebook_and_headless_run_write_the_same_bytes(run: nbformat.NotebookNode) -> None:
    digests = dict(re.findall(r"^(notebook|headless) ([0-9a-f]{64})$", shown(run), re.MULTILINE))
    assert set(digests) == {"notebook", "headless"}
    assert digests["notebook"] == digests["headless"]


@pytest.mark.notebook
def test_the_story_is_true_of_what_is_committed(run: nbformat.NotebookNode) -> None:
    """What no library's version can change: events, malformed ones, and why each missed attack was missed."""
    for notebook in (run, written(CARD_FRAUD)):
        text = shown(notebook)
        assert "200,000 events; 1,000 are malformed" in text
        assert "200,000 events, 198,598 processed, 402 late, 1,000 dead" in text
        assert "something else" not in text
        assert "watermark has not passed: 0 matches\nwatermark has passed: 1 match" in text
        assert re.search(r"card-fraud-1\s+card-fraud@1\s+finished", text)


@pytest.mark.notebook
def test_the_monitor_shows_the_last_figures_where_no_widget_can_run(run: nbformat.NotebookNode) -> None:
    monitors = [
        output.data
        for cell in run.cells
        for output in cell.get("outputs", [])
        if "Monitor of flow" in output.get("data", {}).get("text/plain", "")
    ]
    assert len(monitors) == 1
    assert "finished" in monitors[0]["text/plain"]
    assert "200,000" in monitors[0]["image/svg+xml"]
    assert json.loads(json.dumps(monitors[0]))["application/vnd.jupyter.widget-view+json"]["model_id"]
