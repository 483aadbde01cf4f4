"""Every Python block of the README and of docs/ is run, in order, each document in a namespace and a folder of its own.

Law: what a document shows works. A block that is only to be looked at is of one of the languages in `SHOWN`.
"""

from __future__ import annotations

import os
import re
import tempfile
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE
from pathlib import Path
from typing import Any

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

SHOWN = ("console", "text", "mermaid", "json", "toml", "sql", "sh")
_FENCE = re.compile(r"^\s*```(\S*)\s*$")


def _open(namespace: dict[str, Any]) -> None:
    namespace["_home"] = os.getcwd()
    namespace["_folder"] = tempfile.TemporaryDirectory(prefix="styx-docs-")
    os.chdir(namespace["_folder"].name)


def _close(namespace: dict[str, Any]) -> None:
    os.chdir(namespace["_home"])
    namespace["_folder"].cleanup()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=ELLIPSIS | NORMALIZE_WHITESPACE)],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    setup=_open,
    teardown=_close,
).pytest()


def unknown_languages(document: Path) -> list[str]:
    """Fenced blocks whose language is none of ours, so that no block escapes by a misspelt name."""
    unknown, inside = [], False
    for number, line in enumerate(document.read_text().splitlines(), 1):
        fence = _FENCE.match(line)
        if not fence:
            continue
        if not inside and fence[1] not in (*SHOWN, "python"):
            unknown.append(f"{document.name}:{number}: ```{fence[1]}")
        inside = not inside
    return unknown
