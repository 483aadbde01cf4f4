"""What the tests of single notebooks share: what is committed, its cells, and the tables that they show."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from tools.notebooks import NOTEBOOKS, execute, faults

__all__ = ["cells", "named", "rows", "runs_as_committed", "written"]


def named(name: str) -> Path:
    """The notebook of a file name."""
    return next(path for path in NOTEBOOKS if path.name == name)


def written(path: Path) -> nbformat.NotebookNode:
    """The notebook as it is committed."""
    return nbformat.read(path, as_version=4)


def cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Its cells of code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def rows(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """The rows of all tables that the cells show, as text."""
    tables = [output.get("data", {}).get("text/html", "") for cell in cells(notebook) for output in cell.outputs]
    found = [re.findall(r"<td>(.*?)</td>", row) for table in tables for row in re.findall(r"<tr>(.*?)</tr>", table)]
    return [[cell.replace("&quot;", "") for cell in row] for row in found if row]


def runs_as_committed(
    path: Path,
    true_of: Callable[[nbformat.NotebookNode], None],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Run the notebook: no fault, the cells that are committed, and what is true of those."""
    monkeypatch.delenv("STYX_HOME", raising=False)
    run = execute(path, folder)
    assert faults(run) == []
    assert [cell.source for cell in cells(run)] == [cell.source for cell in cells(written(path))]
    true_of(run)
