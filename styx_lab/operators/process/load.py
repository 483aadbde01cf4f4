"""The class of a process, made of the source that the flow carries.

Laws: only an operator that is opened runs a user's module, never a look at a flow; what runs is the carried text, also
where a module of that name can be imported.
"""

from __future__ import annotations

import linecache
import sys
import traceback
import warnings
from contextlib import suppress
from types import ModuleType
from typing import Final

from styx_lab.errors import FlowError, StyxError
from styx_lab.flow.process import Carried, Process
from styx_lab.flow.process.carried import CARRIED, source_of
from styx_lab.flow.process.process import RUNS, declaration
from styx_lab.flow.steps import ProcessStep

__all__ = ["load", "made"]

_PREFIX: Final = "styx_carried"
_HINT: Final = "a module for Process classes holds these, and imports what is installed wherever the flow runs"


def load(code: Carried, *, where: str) -> type[Process]:
    r"""The class, in a module of its own that holds the carried text.

    >>> source = "from styx_lab import Process\nclass Mine(Process):\n    output = {'n': 'int'}\n"
    >>> load(Carried("mine", "Mine", source), where="step 'mine'").output
    {'n': 'int'}

    Raises:
        FlowError: when the text fails as it is run, or has no such class.
    """
    where = f"{where}, module {code.module!r}"
    name = f"{_PREFIX}_{code.module.replace('.', '_')}_{code.sha256[:16]}"
    module = ModuleType(name)
    file = _file(code)
    module.__file__ = file
    module.__package__ = code.module.rpartition(".")[0]
    vars(module)[CARRIED] = code
    before = sys.modules.get(name)
    # Data classes and annotations look for their module by its name.
    sys.modules[name] = module
    try:
        code_of = compile(code.source, file, "exec", dont_inherit=True)
        exec(code_of, vars(module))  # noqa: S102
    except Exception as error:
        sys.modules.pop(name)
        if before is not None:
            sys.modules[name] = before
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        raise FlowError(
            f"the module that the flow carries fails: {type(error).__name__}: {error}",
            where=f"{where}, line {lines[-1]}" if lines else where,
            hint=_HINT,
        ) from error
    found = vars(module).get(code.name)
    if not isinstance(found, type) or not issubclass(found, Process):
        raise FlowError("the module that the flow carries has no such class", where=where, got=code.name, hint=_HINT)
    return found


def made(step: ProcessStep) -> Process:
    """An object of the step's class, to be run; what stands for its state is still to be put in.

    Raises:
        FlowError: when the class declares something else than the flow says, or an object cannot be made.
    """
    process = load(step.code, where=step.where)
    found = declaration(process, where=step.where)
    if (found.states, found.output) != (step.states, step.output):
        raise FlowError(
            "the class in the module's file declares other state or columns than the one that was imported",
            where=f"{step.where}, class {step.code.name}",
            hint=f"import {step.code.module} again, and make the flow again",
        )
    try:
        one = process()
    except Exception as error:
        if isinstance(error, StyxError):
            raise
        raise FlowError(
            f"an object of the class cannot be made: {type(error).__name__}: {error}",
            where=f"{step.where}, class {step.code.name}",
            hint="a class without __init__, or one whose __init__ takes nothing",
        ) from error
    vars(one)[RUNS] = True
    return one


def _file(code: Carried) -> str:
    """The name under which the text is shown in tracebacks: the module's own file where that holds the same text."""
    module = sys.modules.get(code.module)
    file = getattr(module, "__file__", None)
    if file is not None and CARRIED not in vars(module):
        with suppress(FlowError):
            if source_of(code.module, where="") == code.source:
                return str(file)
            warnings.warn(
                f"module {code.module!r} has changed since the flow was made: the flow runs the source that it "
                "carries; make the flow again to run the new one",
                stacklevel=2,
            )
    name = f"<{code.module} {code.sha256[:16]}>"
    lines = code.source.splitlines(keepends=True)
    linecache.cache[name] = (len(code.source), None, lines, name)
    return name
