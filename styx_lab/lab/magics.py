"""`%styx`: the styx command in a cell; `%%styx module NAME`: a cell as a module.

Law: a cell ends with its answer, or with one line that says what is wrong, and then a run of the whole notebook stops
there. There is never a traceback of Styx in it.
"""

from __future__ import annotations

import codecs
import io
import shlex
import sys
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TextIO

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from styx_lab.errors import MissingDependencyError, StyxError
from styx_lab.lab.module_cells import FOLDER, WrittenModule, write_module

__all__ = ["load_ipython_extension", "unload_ipython_extension"]

_NAME: Final = "styx"
_ERROR: Final = "error: "
_MODULE: Final = "module"


def load_ipython_extension(ip: InteractiveShell) -> None:
    """Bring `%styx` and `%%styx` to a notebook: `%load_ext styx_lab`."""
    ip.magics_manager.register_function(_Styx(Path.cwd()), magic_kind="line_cell", magic_name=_NAME)


def unload_ipython_extension(ip: InteractiveShell) -> None:
    """Take them away again."""
    for kind in ("line", "cell"):
        ip.magics_manager.magics[kind].pop(_NAME, None)


class _Styx:
    """The magic. It keeps the folder that the notebook was in when it was loaded, for `os.chdir` may come later."""

    def __init__(self, folder: Path) -> None:
        self._modules = folder / FOLDER
        self.__doc__ = _DOC

    def __call__(self, line: str, cell: str | None = None) -> None:
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise UsageError(f"{error}: {line}") from None
        if cell is not None:
            self._write(words, cell)
        elif words[:1] == [_MODULE]:
            raise UsageError("a module is a whole cell, with %%styx module NAME as its first line")
        else:
            _run(words)

    def _write(self, words: list[str], cell: str) -> None:
        if len(words) != 2 or words[0] != _MODULE:
            raise UsageError(f"a cell can be a module: %%styx module NAME; not: %%styx {' '.join(words)}")
        try:
            written = write_module(words[1], cell, self._modules)
        except StyxError as error:
            raise UsageError(str(error)) from None
        sys.stdout.write(_told(words[1], written))


def _told(name: str, written: WrittenModule) -> str:
    file = f"{FOLDER}/{name}.py"
    lines = [f"{'Wrote' if written.changed else 'Unchanged:'} {file}, imported as {name}: {', '.join(written.names)}"]
    lines += [f"Its flow for the styx command: {name}:{flow}, elsewhere {file}:{flow}" for flow in written.flows]
    return "\n".join(lines) + "\n"


def _run(words: list[str]) -> None:
    command = _command()
    if words and not words[0].startswith("-") and words[0] not in command.COMMANDS:
        there = ", ".join(command.COMMANDS)
        raise UsageError(f"there is no command {words[0]!r}; there are {there}; and %%styx module NAME")
    told = _Told(sys.stdout)
    with _CellOutput(sys.stdout) as output, redirect_stdout(output), redirect_stderr(told):
        code = command.main(words or ["--help"])
    if code:
        raise UsageError(told.error or f"styx {words[0]} ended with {code}")


def _command() -> ModuleType:
    # The command is a skin like this one, and skins do not know each other: it is found as a shell finds it.
    for entry in entry_points(group="console_scripts", name=_NAME):
        if entry.module.partition(".")[0] == __name__.partition(".")[0]:
            return import_module(entry.module)
    raise MissingDependencyError("the styx command is not installed", where="%styx", hint="pip install styx-lab")


class _Decoded(io.RawIOBase):
    """Bytes, passed on to a stream of text."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._text.write(self._decoder.decode(bytes(data)))
        return len(data)


class _CellOutput(io.TextIOWrapper):
    """The cell's output as the command expects its standard output to be: with a `buffer` that takes bytes."""

    def __init__(self, text: TextIO) -> None:
        super().__init__(io.BufferedWriter(_Decoded(text)), encoding="utf-8", write_through=True, line_buffering=True)


class _Told(io.TextIOBase):
    """Standard error: what is said on the way goes to the cell, the error is kept, as one line."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._error: list[str] = []

    @property
    def error(self) -> str:
        """What the command ended with; empty where it said nothing."""
        return "; ".join(" ".join(line.split()) for line in self._error).removeprefix(_ERROR)

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for line in text.splitlines(keepends=True):
            if self._error or line.startswith(_ERROR):
                self._error += [line] if line.strip() else []
            else:
                self._text.write(line)
        return len(text)


_DOC: Final = """Run the styx command in this notebook, or write this cell as a module.

%styx jobs                       any command, as in a terminal; %styx alone lists them
%styx show {promotion.bundle}    {...} is Python, as in every magic
%%styx module NAME               the cell becomes styx_modules/NAME.py beside the notebook, and is imported again: so
                                 that `styx promote NAME:flow` finds the flow, and a bundle can carry its source
"""
