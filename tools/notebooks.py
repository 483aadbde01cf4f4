"""Run the notebooks from first cell to last, and keep what they gave: `.venv/bin/python tools/notebooks.py`.

Law: what is committed is what a run gave, small, and of no machine: no widget that nobody answers for, no warning, no
absolute path. A cell that fails leaves the file as it was.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import nbformat
from nbclient import NotebookClient

__all__ = ["NOTEBOOKS", "execute", "faults", "tidy"]

ROOT: Final = Path(__file__).resolve().parent.parent
NOTEBOOKS: Final = tuple(sorted((ROOT / "notebooks").glob("*.ipynb")))
MOST_BYTES: Final = 400_000
_WIDGET: Final = "application/vnd.jupyter.widget-view+json"
# A path from the root that names two folders or more; not what stands in an address or after a word, as in `</svg>`.
_PATH: Final = re.compile(r"(?<![\w:/<.)])(?:/[\w.@+~-]+){2,}|(?<!\w)[A-Za-z]:\\\w")


def execute(path: Path, folder: Path, *, seconds: int = 300) -> nbformat.NotebookNode:
    """Run a notebook in a folder, each cell within so many seconds.

    Raises:
        nbclient.exceptions.CellExecutionError: when a cell fails.
    """
    notebook: nbformat.NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(
        notebook,
        timeout=seconds,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        coalesce_streams=True,
    )
    client.execute()
    return notebook


def tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Take out what only makes sense while the kernel runs, and what differs from run to run."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        cell.metadata = {}
        for output in cell.get("outputs", []):
            # Nobody answers for a widget in a notebook that was only opened: its drawing is shown instead.
            output.get("data", {}).pop(_WIDGET, None)
            output.get("metadata", {}).pop(_WIDGET, None)
    return notebook


def faults(notebook: nbformat.NotebookNode) -> list[str]:
    """What a notebook must not be committed with: errors, warnings, absolute paths, cells that were not run."""
    found = []
    for number, cell in enumerate(cell for cell in notebook.cells if cell.cell_type == "code"):
        where = f"code cell {number + 1}"
        if cell.execution_count != number + 1:
            found.append(f"{where}: was not run in its turn")
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"{where}: {output.ename}: {output.evalue}")
            if output.get("name") == "stderr":
                found.append(f"{where}: said on standard error: {output.text.strip()[:200]}")
            found += [f"{where}: an absolute path: {path}" for text in _texts(output) for path in _PATH.findall(text)]
    return found


def _texts(output: Any) -> list[str]:
    return [str(output.get("text", "")), *(str(value) for value in output.get("data", {}).values())]


def main() -> int:
    """Run every notebook in a folder of its own, and write its outputs into it."""
    os.environ.pop("STYX_HOME", None)
    os.environ.pop("STYX_SAMPLES", None)
    for path in NOTEBOOKS:
        print(f"{path.name}", flush=True)
        with tempfile.TemporaryDirectory(prefix="styx-notebook-") as folder:
            notebook = tidy(execute(path, Path(folder)))
        wrong = faults(notebook)
        text = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
        if len(text.encode()) > MOST_BYTES:
            wrong.append(f"too large: {len(text.encode()):,} bytes")
        if wrong:
            print("\n".join(f"  {one}" for one in wrong), file=sys.stderr)
            return 1
        aside = path.with_suffix(".partial")
        aside.write_text(text + "\n", encoding="utf-8")
        os.replace(aside, path)
        print(f"  {len(text.encode()):,} bytes", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
