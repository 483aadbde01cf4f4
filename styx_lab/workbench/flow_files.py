"""Flows by reference, and what they gave as files: what a command line needs before and after a replay.

Law: whatever is wrong with a reference (no such file, no such name, code that fails) is one error that says where.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from styx_lab.core.events import canonical_lines
from styx_lab.engines.result import Result
from styx_lab.errors import FlowError, InputMissingError, NotFoundError, OutputError, StyxError
from styx_lab.flow.flow import Flow

__all__ = ["FoundFlow", "find_flow", "write_outputs"]

_HINT = "package.module:attribute, path/to/file.py:attribute, or a .json that Flow.to_json wrote"


@dataclass(frozen=True, slots=True)
class FoundFlow:
    """A flow, and the module that it is written down in; no module where it came as JSON."""

    flow: Flow
    module: ModuleType | None


def find_flow(reference: str) -> FoundFlow:
    """The flow that a reference names.

    >>> find_flow("styx_lab.samples:generate_cards")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
        ...
    styx_lab.errors.FlowError: styx_lab.samples:generate_cards: this is no flow; got 'CardsSample'

    Args:
        reference: `package.module:attribute` or `path/to/file.py:attribute`, where the attribute is a flow or a
            function that gives one without arguments; or a `.json` that `Flow.to_json` wrote.

    Raises:
        FlowError: when the code fails, or what is named is no flow.
        InputMissingError: when there is no such file.
        NotFoundError: when there is no such module or attribute.
    """
    if reference.endswith(".json"):
        return FoundFlow(Flow.from_json(_read(Path(reference))), None)
    place, colon, attribute = reference.rpartition(":")
    if reference.endswith(".py") or not colon or not place or not attribute:
        raise FlowError("this does not name a flow", where="flow", got=reference, hint=_HINT)
    module = _load_file(Path(place)) if place.endswith(".py") else _load_module(place)
    value: Any = module
    for name in attribute.split("."):
        if not hasattr(value, name):
            flows = [one for one, found in vars(module).items() if isinstance(found, Flow)]
            hint = f"one of {', '.join(flows)}" if flows else "make one there: name = styx.flow(...)"
            raise NotFoundError("no such name in the module", where=place, got=attribute, hint=hint)
        value = getattr(value, name)
    if not isinstance(value, Flow) and callable(value):
        with _users_code(reference, getattr(module, "__file__", None)):
            value = value()
    if not isinstance(value, Flow):
        raise FlowError(
            "this is no flow", where=reference, got=type(value).__name__, hint="name what styx.flow(...) gave"
        )
    return FoundFlow(value, module)


def write_outputs(result: Result, folder: Path) -> dict[str, Path]:
    """Write each output as canonical JSON Lines, `OUTPUT.jsonl`, in place of what was there; gives the files.

    Raises:
        OutputError: when one cannot be written; no half file is left.
    """
    paths = {name: folder / f"{name}.jsonl" for name in result.outputs}
    aside = folder / f".styx-{os.getpid()}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            for name, frame in result.outputs.items():
                with aside.open("wb") as file:
                    file.writelines(line + b"\n" for line in canonical_lines(frame))
                aside.replace(paths[name])
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"the outputs cannot be written: {error.strerror or error}",
            where=str(folder),
            hint="free some space, or name a folder that may be written",
        ) from error
    return paths


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise _missing(path) from error
    except OSError as error:
        raise FlowError("the file cannot be read", where=str(path), got=error.strerror) from error


def _missing(path: Path) -> InputMissingError:
    return InputMissingError(
        "there is no such file", where=str(path), hint="check the path; it is relative to the folder you are in"
    )


def _load_module(name: str) -> ModuleType:
    # A command is started from anywhere: modules of the folder one is in are found, as `python -m` finds them.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        found = None
    except Exception as error:
        raise _failed(error, name, None) from error
    if found is None:
        hint = "check the name; a file is named with its suffix: path/to/file.py:attribute"
        raise NotFoundError("there is no such module", where="flow", got=name, hint=hint)
    with _users_code(name, found.origin):
        return importlib.import_module(name)


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise _missing(path)
    name = path.stem
    known = sys.modules.get(name)
    loaded_before = known is not None and getattr(known, "__file__", None) == str(path.resolve())
    if not name.isidentifier() or name in sys.stdlib_module_names or (known is not None and not loaded_before):
        raise FlowError(
            "the file's name cannot be a module's, or is another module's", where=str(path), got=name, hint="rename it"
        )
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _users_code(str(path), str(path.resolve())):
            spec.loader.exec_module(module)
    except StyxError:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _users_code(where: str, file: str | None) -> Iterator[None]:
    """An error of the user's code says the line; one of ours keeps its words and gains the line as a note."""
    try:
        yield
    except StyxError as error:
        line = _line(error, file)
        if line is not None:
            error.add_note(f"in {where}, line {line}")
        raise
    except Exception as error:
        raise _failed(error, where, file) from error


def _failed(error: Exception, where: str, file: str | None) -> FlowError:
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == file else _line(error, file)
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    return FlowError(
        f"the module's code fails: {type(error).__name__}: {said}",
        where=where if line is None else f"{where}, line {line}",
        hint="mend the code there; python -m pdb shows more",
    )


def _line(error: BaseException, file: str | None) -> int | None:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return lines[-1] if lines else None
