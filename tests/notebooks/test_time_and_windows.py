"""The notebook on time says what is so: wrong counts in order of arrival, right ones by event time."""

from __future__ import annotations

import nbformat
import pytest

from tests.notebooks.kit import cells, named, rows, runs_as_committed, written

TIME_AND_WINDOWS = named("02_time_and_windows.ipynb")


def true_of(notebook: nbformat.NotebookNode) -> None:
    """The generator's bytes are pinned, and so is what they are counted to; no library's version can change it."""
    found = rows(notebook)
    assert ["by the clock", "64,568", "2,368", "847", "843", "0"] in found
    assert ["in turn", "65,856", "1,264", "663", "0", "2,587"] in found
    assert ["by event time", "67,783", "0", "0", "0", "0"] in found
    assert ["first results", "66,519", "1,264", "0", "0", "1,924"] in found
    assert ["last results", "67,783", "0", "0", "0", "0"] in found
    assert ["by event time", "123,835", "123,835", "0", "0"] in found
    assert [row[-1] for row in found if len(row) == 3 and row[0] in "123"] == ["0", "0", "0"]
    assert [row[1:] for row in found if row[0] in ("0.0", "2.0")] == [["2,587", "1,927"], ["0", "0"]]


def test_every_cell_of_what_is_committed_shows_something() -> None:
    assert [number for number, cell in enumerate(cells(written(TIME_AND_WINDOWS)), 1) if not cell.outputs] == []
    drawn = [
        cell
        for cell in cells(written(TIME_AND_WINDOWS))
        if any("image/svg+xml" in out.get("data", {}) for out in cell.outputs)
    ]
    assert len(drawn) == 4


def test_what_is_committed_is_true() -> None:
    true_of(written(TIME_AND_WINDOWS))


@pytest.mark.notebook
def test_runs_without_a_fault_and_gives_what_is_committed(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs_as_committed(TIME_AND_WINDOWS, true_of, tmp_path_factory.mktemp("notebook"), monkeypatch)
