"""Compiled code that Numba kept is used only while all it is made of is the same: checkouts that are edited."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import styx_lab
from styx_lab.core.compiled import sources_of

PACKAGE = Path(styx_lab.__file__).parent
CALLED = "from styx_lab.outer import outer; print(outer(1), sum(outer.stats.cache_hits.values()))"
FILES = {
    "__init__.py": "",
    "constants.py": "STEP = 10\n",
    "between.py": "from styx_lab.constants import (\n    STEP,\n)\n",
    "inner.py": """
from styx_lab.between import STEP
from styx_lab.core.compiled import njit


@njit(cache=True)
def inner(value):
    return value + STEP
""",
    "outer.py": """
from styx_lab import inner as i
from styx_lab.core.compiled import njit

added = i.inner


@njit(cache=True)
def outer(value):
    return added(value) * 2
""",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A package of that name with two passes, one in the other, and the module that is tested."""
    package = tmp_path / "styx_lab"
    (package / "core").mkdir(parents=True)
    (package / "core" / "__init__.py").touch()
    shutil.copy(PACKAGE / "core" / "compiled.py", package / "core")
    for name, text in FILES.items():
        (package / name).write_text(text)
    return package


def called(checkout: Path) -> list[int]:
    """What the outer pass gives for 1, and how often it was found compiled."""
    done = subprocess.run(
        [sys.executable, "-c", CALLED], cwd=checkout.parent, capture_output=True, text=True, check=True
    )
    return [int(word) for word in done.stdout.split()]


def test_an_edit_of_what_a_pass_is_made_of_shows(checkout: Path) -> None:
    assert called(checkout) == [22, 0]
    assert called(checkout) == [22, 1]
    (checkout / "inner.py").write_text(FILES["inner.py"].replace("value + STEP", "value - STEP"))
    assert called(checkout) == [-18, 0]
    # Two files away, through one that has no pass.
    (checkout / "constants.py").write_text("STEP = 100\n")
    assert called(checkout) == [-198, 0]
    assert called(checkout) == [-198, 1]


def test_an_edit_of_another_file_compiles_nothing_anew(checkout: Path) -> None:
    called(checkout)
    (checkout / "other.py").write_text("from styx_lab.outer import outer\n")
    assert called(checkout) == [22, 1]


def test_imports_are_found_in_every_form(checkout: Path) -> None:
    names = [Path(path).name for path in sources_of(str(checkout / "outer.py"), str(checkout))]
    assert names == ["__init__.py", "between.py", "constants.py", "compiled.py", "inner.py", "outer.py"]


def test_every_pass_of_the_package_is_stamped() -> None:
    # Patterns are being made anew.
    plain = re.compile(r"^\s*(from numba import .*\bnjit\b|import numba)", re.MULTILINE)
    files = [path for path in PACKAGE.rglob("*.py") if plain.search(path.read_text())]
    assert [path.relative_to(PACKAGE).as_posix() for path in files] == ["core/compiled.py"]
