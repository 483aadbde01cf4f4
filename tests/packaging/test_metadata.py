"""What the package says of itself: a slim core, the pins that matter, environment.yml and constraints.txt in step."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
CORE = [Requirement(text) for text in PROJECT["dependencies"]]
CONSTRAINTS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line.strip() and not line.startswith("#")
)


ALL = ("lab", "pypmml", "train", "jpmml", "openscoring", "server", "bench", "kafka", "cassandra", "cluster", "dev")
"""The extras but Flink's, which is of another environment."""


def listed(*extras: str) -> list[str]:
    """The requirements of the core and of some extras, as they are written."""
    texts = [*PROJECT["dependencies"], *(text for extra in extras for text in EXTRAS[extra])]
    return list(dict.fromkeys(text for text in texts if not text.startswith("styx-lab")))


def test_the_core_is_slim():
    assert {need.name for need in CORE} == {
        "polars", "numpy", "numba", "msgspec", "click", "rich", "defusedxml", "packaging",
    }  # fmt: skip


def test_the_core_admits_what_a_flink_worker_has():
    worker = {"polars": "2.1.0", "numba": "0.68.1", "numpy": "2.1.3", "msgspec": "0.22.0"}
    refused = [need.name for need in CORE if need.name in worker and not need.specifier.contains(worker[need.name])]
    assert refused == []


def test_the_extras_are_there():
    assert set(EXTRAS) == {*ALL, "flink"}


def test_scikit_learn_is_the_one_that_sklearn2pmml_takes():
    assert "scikit-learn==1.9.0" in EXTRAS["train"]
    assert "sklearn2pmml==0.133.1" in EXTRAS["train"]


def test_environment_yml_is_in_step():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, with_pip = environment["dependencies"]
    assert f"python{PROJECT['requires-python']}" in conda
    assert with_pip["pip"] == [*listed(*ALL), "-e ."]


@pytest.mark.parametrize("text", listed(*ALL))
def test_constraints_pin_what_is_asked_for(text):
    need = Requirement(text)
    pinned = {name.lower(): version for name, version in CONSTRAINTS.items()}[need.name.lower()]
    assert need.specifier.contains(Version(pinned))


def test_constraints_hold_no_addresses():
    text = (ROOT / "constraints.txt").read_text()
    assert "://" not in text
    assert " @ " not in text


def test_the_command_is_declared():
    assert PROJECT["scripts"] == {"styx": "styx_lab.cli.main:main"}


def test_the_licence_and_the_typing_marker_ship():
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert (ROOT / "styx_lab" / "py.typed").is_file()
