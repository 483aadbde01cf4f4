"""The notebook on patterns says what is so: who is stuck, who was asked in vain, and what came too late to be known."""

from __future__ import annotations

import nbformat
import pytest

from tests.notebooks.kit import cells, named, rows, runs_as_committed, written

PATTERNS = named("03_patterns.ipynb")


def said_by(notebook: nbformat.NotebookNode) -> str:
    """All that the cells printed, and their answers as text."""
    outputs = [output for cell in cells(notebook) for output in cell.outputs]
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


def true_of(notebook: nbformat.NotebookNode) -> None:
    """The generator's events are pinned, and so is what is found in them; no library's version can change it."""
    found = rows(notebook)
    assert ["through", "2,955"] in found
    assert ["timed out at page 1", "1,660"] in found
    assert ["timed out at page 2", "1,969"] in found
    chats = {row[0]: row[1:] for row in found if row[0] in ("done", "left", "looking", "slow", "stuck")}
    assert chats == {
        "done": ["2,461", "25"],
        "left": ["1,657", "0"],
        "looking": ["4,498", "0"],
        "slow": ["406", "333"],
        "stuck": ["978", "974"],
    }
    by_length = {row[0]: row[1:3] for row in found if len(row) == 5}
    assert by_length == {
        "3": ["2,023", "1,128"],
        "5": ["1,738", "764"],
        "10": ["1,332", "358"],
        "15": ["1,202", "228"],
        "20": ["1,101", "127"],
        "30": ["1,012", "38"],
    }
    by_delay = {row[0]: [row[1], row[-1]] for row in found if len(row) == 7}
    assert by_delay == {
        "0s": ["13,706", "443"],
        "1s": ["7,916", "240"],
        "2s": ["4,578", "141"],
        "5s": ["176", "4"],
        "1m": ["45", "0"],
    }
    said = said_by(notebook)
    assert "1,969 matches, 1,332 notifications" in said
    assert "4 stuck customers had no chat; of 4 of them a page view came too late" in said
    assert "25 who were done had one: of 15 a page view came too late, the others took too long" in said
    assert "'page3', came 30s810ms too late" in said
    assert said.count("in time there would have been 1 match with it") == 4
    assert "at minute 5: []\nat minute 10: [['ann']]" in said


def test_every_cell_of_what_is_committed_shows_something() -> None:
    assert [number for number, cell in enumerate(cells(written(PATTERNS)), 1) if not cell.outputs] == []
    drawn = [
        cell for cell in cells(written(PATTERNS)) if any("image/svg+xml" in out.get("data", {}) for out in cell.outputs)
    ]
    # Two patterns, the flow with the figures of a run, and a timeline.
    assert len(drawn) == 4


def test_what_is_committed_is_true() -> None:
    true_of(written(PATTERNS))


@pytest.mark.notebook
def test_runs_without_a_fault_and_gives_what_is_committed(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs_as_committed(PATTERNS, true_of, tmp_path_factory.mktemp("notebook"), monkeypatch)
