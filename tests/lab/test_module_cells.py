"""A cell as a module: what is in memory is what the file says, and a cell that fails changes neither."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from styx_lab.errors import FlowError, OutputError
from styx_lab.lab.module_cells import write_module

FLOW = """\
import styx_lab as styx
from styx_lab import col
payments = styx.source("payments", schema={"ts": "int", "amount": "float"}, time="ts")
flow = styx.flow("large", payments.filter(col("amount") > 500).to("large"))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    path, modules = list(sys.path), set(sys.modules)
    yield tmp_path / "styx_modules"
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("cell_"):
            del sys.modules[name]


def test_says_what_is_in_it(folder: Path) -> None:
    written = write_module("cell_flow", FLOW, folder)
    assert written.path == folder / "cell_flow.py"
    assert written.path.read_text() == FLOW
    assert (written.changed, written.names, written.flows) == (True, ("payments", "flow"), ("flow",))
    assert not write_module("cell_flow", FLOW, folder).changed


def test_another_process_can_import_it(folder: Path) -> None:
    write_module("cell_flow", FLOW, folder)
    ran = subprocess.run(
        [sys.executable, "-c", "import cell_flow; print(cell_flow.flow.name)"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout == "large\n"


def test_a_new_version_counts_at_once_and_old_names_are_gone(folder: Path) -> None:
    write_module("cell_rates", "EUR = 1\nOLD = 1\n", folder)
    import cell_rates  # type: ignore[import-not-found]

    # Of one length, within one second: compiled code that is kept must not stand for it.
    for rate in range(2, 6):
        write_module("cell_rates", f"EUR = {rate}\nNEW = 1\n", folder)
        assert rate == cell_rates.EUR
    assert not hasattr(cell_rates, "OLD")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("EUR = = 2", "no Python.*line 1 below the first.*'EUR = = 2'|line 1 below the first: this is no Python"),
        ("EUR = 2\n%matplotlib inline", "line 2 below the first: this is no Python"),
        ("EUR = 2\nUSD = 1 / 0", "line 2 below the first: the module fails.*ZeroDivisionError"),
        ("EUR = 2\nimport nothing_of_that_name", "ModuleNotFoundError"),
        ("  \n", "nothing to write"),
        ("EUR = '\0'", "no Python"),
    ],
)
def test_a_cell_that_fails_changes_nothing(folder: Path, source: str, said: str) -> None:
    with pytest.raises(FlowError, match=said):
        write_module("cell_rates", source, folder)
    assert list(folder.rglob("*.py")) == []
    assert "cell_rates" not in sys.modules
    write_module("cell_rates", "EUR = 1\n", folder)
    with pytest.raises(FlowError, match=said):
        write_module("cell_rates", source, folder)
    assert (folder / "cell_rates.py").read_text() == "EUR = 1\n"
    assert sys.modules["cell_rates"].EUR == 1


@pytest.mark.parametrize("name", ["", "two words", "../up", "a.b", "1st", "class", "é-x", "__main__"])
def test_a_bad_name_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(FlowError, match="cannot be a module's name"):
        write_module(name, "x = 1", folder)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["json", "polars", "styx_lab", "this", "pytest"])
def test_a_module_that_is_installed_is_not_hidden(folder: Path, name: str) -> None:
    with pytest.raises(FlowError, match=re.escape(f"module {name!r}: there is such a module already")):
        write_module(name, "x = 1", folder)
    assert not folder.exists()


def test_one_that_lies_on_the_path_elsewhere_is_not_hidden(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cell_mine.py").write_text("x = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(FlowError, match="there is such a module already"):
        write_module("cell_mine", "x = 2", folder)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_module("cell_x", "x = 1", tmp_path / "file" / "styx_modules")
