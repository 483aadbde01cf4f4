"""The notebook on time says what is so: wrong counts in order of arrival, right ones by event time."""

from __future__ import annotations

import re

import nbformat
import pytest

from tools.notebooks import NOTEBOOKS, execute, faults

TIME_AND_WINDOWS = next(path for path in NOTEBOOKS if path.name == "02_time_and_windows.ipynb")


def written() -> nbformat.NotebookNode:
    return nbformat.read(TIME_AND_WINDOWS, as_version=4)


def cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def rows(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """The rows of all tables that the cells show, as text."""
    tables = [output.get("data", {}).get("text/html", "") for cell in cells(notebook) for output in cell.outputs]
    found = [re.findall(r"<td>(.*?)</td>", row) for table in tables for row in re.findall(r"<tr>(.*?)</tr>", table)]
    return [[cell.strip("&quot;") for cell in row] for row in found if row]


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
    assert [number for number, cell in enumerate(cells(written()), 1) if not cell.outputs] == []
    drawn = [cell for cell in cells(written()) if any("image/svg+xml" in out.get("data", {}) for out in cell.outputs)]
    assert len(drawn) == 4


def test_what_is_committed_is_true() -> None:
    true_of(written())


@pytest.mark.notebook
def test_runs_without_a_fault_and_gives_what_is_committed(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STYX_HOME", raising=False)
    run = execute(TIME_AND_WINDOWS, tmp_path_factory.mktemp("notebook"))
    assert faults(run) == []
    assert [cell.source for cell in cells(run)] == [cell.source for cell in cells(written())]
    true_of(run)
