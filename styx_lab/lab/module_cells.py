"""A notebook's cell as a module that others can import: what a bundle can carry, and a clean process can run.

Law: the module in memory is always what its file says, and a cell that fails changes neither.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import keyword
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

from styx_lab.errors import FlowError, OutputError
from styx_lab.flow.flow import Flow

__all__ = ["FOLDER", "WrittenModule", "write_module"]

FOLDER: Final = "styx_modules"
"""The folder beside the notebook that holds its modules."""


@dataclass(frozen=True, slots=True)
class WrittenModule:
    """What became of a cell.

    Attributes:
        path: the module's file.
        changed: whether the file is new or another than before.
        names: the public names in it, in the order in which they were made.
        flows: those of them that are flows.
    """

    path: Path
    changed: bool
    names: tuple[str, ...]
    flows: tuple[str, ...]


def write_module(name: str, source: str, folder: Path) -> WrittenModule:
    """Write a module's source into a folder, put the folder on `sys.path`, and import the module (again).

    >>> from tempfile import mkdtemp
    >>> write_module("styx_example_rates", "EUR = 0.92", Path(mkdtemp())).names
    ('EUR',)

    Args:
        name: what it is called; neither a module that is installed nor one of Python's own.
        source: plain Python.
        folder: where `NAME.py` goes; made if need be.

    Raises:
        FlowError: on a name that cannot be had, or source that is no Python or fails when it is imported.
        OutputError: when the file cannot be written.
    """
    path = folder.resolve() / f"{name}.py"
    _check_name(name, path)
    where = f"module {name!r}"
    if not source.strip():
        raise FlowError("there is nothing to write", where=where, hint="write the module below %%styx module NAME")
    source = source.rstrip() + "\n"
    try:
        tree = ast.parse(source, str(path))
        compile(tree, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise FlowError(
            f"this is no Python: {error.msg}",
            where=f"{where}, line {error.lineno} below the first",
            got=(error.text or "").strip(),
            hint="a module is plain Python, without lines of % and !",
        ) from error
    before = path.read_text(encoding="utf-8") if path.exists() else None
    if source != before:
        _write(path, source)
    if str(path.parent) not in sys.path:
        # Last: whatever is installed later is found before it, not hidden by it.
        sys.path.append(str(path.parent))
    try:
        module = _import(name, path)
    except Exception as error:
        # The file must not say what is not true in memory.
        if before is None:
            path.unlink(missing_ok=True)
        elif source != before:
            _write(path, before)
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        raise FlowError(
            f"the module fails when it is imported: {type(error).__name__}: {error}",
            where=f"{where}, line {lines[-1]} below the first" if lines else where,
            hint="mend the cell; " + ("nothing was kept" if before is None else "the module is as it was before"),
        ) from error
    imported = _imported(tree)
    names = tuple(one for one in vars(module) if not one.startswith("_") and one not in imported)
    flows = tuple(one for one in names if isinstance(vars(module)[one], Flow))
    return WrittenModule(path, source != before, names, flows)


def _check_name(name: str, path: Path) -> None:
    where = f"module {name!r}"
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("__"):
        raise FlowError("this cannot be a module's name", where=where, hint="letters, digits and _, as in fraud_flow")
    taken = FlowError("there is such a module already, and this would hide it", where=where, hint="another name")
    if name in sys.stdlib_module_names:
        raise taken
    if name in sys.modules:
        origin = getattr(sys.modules[name], "__file__", None)
    else:
        importlib.invalidate_caches()
        found = importlib.util.find_spec(name)
        if found is None:
            return
        origin = found.origin
    if origin is None or Path(origin).resolve() != path:
        raise taken


def _imported(tree: ast.Module) -> set[str]:
    """The names that come from elsewhere."""
    imports = [one for one in ast.walk(tree) if isinstance(one, ast.Import | ast.ImportFrom)]
    return {(alias.asname or alias.name).partition(".")[0] for one in imports for alias in one.names}


def _write(path: Path, source: str) -> None:
    aside = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            aside.write_text(source, encoding="utf-8")
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"the module cannot be written: {error.strerror or error}", where=path.name, hint="check space, permissions"
        ) from error


def _import(name: str, path: Path) -> ModuleType:
    # Compiled code is kept by the second and the length: a cell that is run twice in a second may look unchanged.
    with suppress(OSError):
        Path(importlib.util.cache_from_source(str(path))).unlink()
    importlib.invalidate_caches()
    module = sys.modules.get(name)
    if module is None:
        return importlib.import_module(name)
    before = dict(vars(module))
    # Names that the new source has no more must go, else what works here fails in a clean process.
    for one in [one for one in before if not one.startswith("__")]:
        del vars(module)[one]
    try:
        return importlib.reload(module)
    except BaseException:
        vars(module).clear()
        vars(module).update(before)
        raise
