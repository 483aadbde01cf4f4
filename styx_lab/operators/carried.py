"""A class or function of a user's own, made of the source that the flow carries.

Laws: only an operator that is opened runs a user's module, never a look at a flow; what runs is the carried text, also
where a module of that name can be imported.
"""

from __future__ import annotations

import linecache
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from types import FunctionType, ModuleType
from typing import Any, Final, TypeVar

from styx_lab.errors import FlowError, StyxError
from styx_lab.flow.carried import CARRIED, Carried, source_of

__all__ = ["load", "load_function", "object_of"]

T = TypeVar("T")
_PREFIX: Final = "styx_carried"
_HINT: Final = "a module for classes that a flow carries holds these, and imports what is installed wherever it runs"


def load(code: Carried, base: type[T], *, where: str) -> type[T]:
    r"""The class, in a module of its own that holds the carried text.

    >>> from styx_lab import Process
    >>> source = "from styx_lab import Process\nclass Mine(Process):\n    output = {'n': 'int'}\n"
    >>> load(Carried("mine", "Mine", source), Process, where="step 'mine'").output
    {'n': 'int'}

    Two that are loaded share nothing, and the module that the class came from is not touched.

    Args:
        code: the class, with its module's text.
        base: what it must be derived from; `object` for any class.
        where: what runs it, for errors.

    Raises:
        FlowError: when the text fails as it is run, or has no such class.
    """

    def checked(found: Any, where: str) -> type[T]:
        if not isinstance(found, type):
            raise FlowError("the module that the flow carries has no such class", where=where, got=code.name)
        if not issubclass(found, base):
            what = f"the class that the flow carries is not derived from {base.__name__}"
            raise FlowError(what, where=where, got=code.name)
        return found

    return _loaded(code, checked, where)


def load_function(code: Carried, *, where: str) -> Callable[..., Any]:
    r"""The function, in a module of its own that holds the carried text; as `load` for a class.

    >>> load_function(Carried("mine", "twice", "def twice(x):\n    return 2 * x\n"), where="step 'mine'")(4)
    8

    Args:
        code: the function, with its module's text.
        where: what runs it, for errors.

    Raises:
        FlowError: when the text fails as it is run, or has no such function.
    """

    def checked(found: Any, where: str) -> Callable[..., Any]:
        if not isinstance(found, FunctionType):
            raise FlowError("the module that the flow carries has no such function", where=where, got=code.name)
        return found

    return _loaded(code, checked, where)


def _loaded(code: Carried, checked: Callable[[Any, str], T], where: str) -> T:
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
        _run(code, module, file, where)
        found = checked(vars(module).get(code.name), where)
    except BaseException:
        sys.modules.pop(name)
        if before is not None:
            sys.modules[name] = before
        raise
    return found


def object_of(cls: type[T], *, where: str) -> T:
    """An object of a loaded class.

    Raises:
        FlowError: when none can be made without arguments.
    """
    try:
        return cls()
    except Exception as error:
        if isinstance(error, StyxError):
            raise
        raise FlowError(
            f"an object of the class cannot be made: {type(error).__name__}: {error}",
            where=f"{where}, class {cls.__name__}",
            hint="a class without __init__, or one whose __init__ takes nothing",
        ) from error


def _run(code: Carried, module: ModuleType, file: str, where: str) -> None:
    try:
        compiled: Any = compile(code.source, file, "exec", dont_inherit=True)
        exec(compiled, vars(module))  # noqa: S102
    # A module that ends the process as it is run is one that fails.
    except (Exception, SystemExit) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        raise FlowError(
            f"the module that the flow carries fails: {type(error).__name__}: {error}",
            where=f"{where}, line {lines[-1]}" if lines else where,
            hint=_HINT,
        ) from error


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
