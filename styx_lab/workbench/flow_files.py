"""Flows by reference, and what they gave as files: what a command line needs before and after a replay.

Law: whatever is wrong with a reference (no such file, no such name, code that fails) is one error that says where.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from styx_lab.core.events import canonical_lines
from styx_lab.engines.result import Result
from styx_lab.errors import FlowError, InputMissingError, NotFoundError, OutputError, StyxError
from styx_lab.flow.flow import Flow

__all__ = ["FoundFlow", "Named", "find_flow", "find_named", "write_outputs"]

_HINT = "package.module:attribute, path/to/file.py:attribute, or a .json that Flow.to_json wrote"


@dataclass(frozen=True, slots=True)
class FoundFlow:
    """A flow, and the module that it is written down in; no module where it came as JSON."""

    flow: Flow
    module: ModuleType | None


class Named(NamedTuple):
    """What a reference names, the module that it is written down in, and whether a call there made it."""

    value: Any
    module: ModuleType
    made: bool


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
    found = find_named(
        reference,
        what="flow",
        is_one=lambda value: isinstance(value, Flow),
        hint=_HINT,
        make="make one there: name = styx.flow(...)",
    )
    return FoundFlow(found.value, found.module)


def find_named(reference: str, *, what: str, is_one: Callable[[Any], bool], hint: str, make: str) -> Named:
    """What `package.module:attribute` or `path/to/file.py:attribute` names, or gives when it is called.

    Args:
        reference: the text.
        what: a word for it, for errors.
        is_one: whether a value is what is looked for.
        hint: what to write.
        make: what to do where the module has none.

    Raises:
        FlowError: when the code fails, or what is named is something else.
        InputMissingError: when there is no such file.
        NotFoundError: when there is no such module or attribute.
    """
    place, colon, attribute = reference.rpartition(":")
    if reference.endswith(".py") or not colon or not place or not attribute:
        raise FlowError(f"this does not name a {what}", where=what, got=reference, hint=hint)
    module = _load_file(Path(place)) if place.endswith(".py") else _load_module(place, what)
    value: Any = module
    for name in attribute.split("."):
        if not hasattr(value, name):
            there = [one for one, found in vars(module).items() if is_one(found)]
            hint = f"one of {', '.join(there)}" if there else make
            raise NotFoundError("no such name in the module", where=place, got=attribute, hint=hint)
        value = getattr(value, name)
    made = not is_one(value) and callable(value)
    if made:
        with _users_code(reference, getattr(module, "__file__", None)):
            value = value()
    if not is_one(value):
        hint = "name what styx.flow(...) gave" if what == "flow" else make
        raise FlowError(f"this is no {what}", where=reference, got=type(value).__name__, hint=hint)
    return Named(value, module, made)


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


def _load_module(name: str, what: str) -> ModuleType:
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
        raise NotFoundError("there is no such module", where=what, got=name, hint=hint)
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
