"""Rules of the house that no linter knows: the size and the names of files, the languages of the documents' blocks."""

from __future__ import annotations

from pathlib import Path

from conftest import unknown_languages

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "styx_lab").rglob("*.py"))


def test_no_file_is_too_long():
    assert [f"{path}: {lines}" for path in SOURCES if (lines := len(path.read_text().splitlines())) > 800] == []


def test_no_file_is_for_leftovers():
    leftovers = {"utils.py", "util.py", "helpers.py", "helper.py", "base.py", "misc.py", "common.py"}
    assert [str(path) for path in SOURCES if path.name in leftovers] == []


def test_every_room_has_an_init():
    folders = {path.parent for path in SOURCES}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_every_block_in_the_documents_is_run_or_is_of_a_known_language():
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    assert [fault for document in documents if document.is_file() for fault in unknown_languages(document)] == []


def test_an_unknown_language_is_seen(tmp_path):
    document = tmp_path / "page.md"
    document.write_text("```python\n1\n```\n\n```pyton\n2\n```\n\n```\n3\n```\n")
    assert unknown_languages(document) == ["page.md:5: ```pyton", "page.md:9: ```"]
