"""A class of a user's own that a flow carries: the source of its module, with the hash of it.

Laws: what runs is the source that the flow carries, not what a host happens to have installed under that name; nothing
of it runs until an operator is built. Nothing is pickled.
"""

from __future__ import annotations

import re
import sys
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import ModuleType
from typing import Any, Final

from styx_lab.errors import BundleError, FlowError

__all__ = ["Carried", "carried", "load"]

_HINT: Final = "put it into a module: a file beside your notebook, or a cell that begins with `%%styx module NAME`"
_PARTS: Final = frozenset({"module", "qualname", "source", "sha256"})
_NAME: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, slots=True)
class Carried:
    """A class by its module's name, its own name, and the whole source of the module.

    Attributes:
        module: where it was imported from; only for people to read.
        qualname: its name in that module, with dots where it stands in another class.
        source: the module's text.
        sha256: the hash of the text's UTF-8, in hexadecimal.
    """

    module: str
    qualname: str
    source: str
    sha256: str

    @property
    def name(self) -> str:
        """Its full name."""
        return f"{self.module}.{self.qualname}"

    def to_json(self) -> dict[str, Any]:
        """It as JSON."""
        return {"module": self.module, "qualname": self.qualname, "source": self.source, "sha256": self.sha256}

    @staticmethod
    def from_json(value: Mapping[str, Any], *, where: str) -> Carried:
        """What `to_json` gave; nothing of it is run.

        Raises:
            BundleError: when it is damaged, or the source is not what the hash says.
        """
        texts = value.keys() == _PARTS and all(isinstance(each, str) for each in value.values())
        if not texts or not _NAME.fullmatch(value["module"]) or not _NAME.fullmatch(value["qualname"]):
            raise BundleError("a carried class is damaged", where=where, got=sorted(value), hint="pack the flow again")
        found = Carried(**value)
        _verify(found, where)
        return found

    def __str__(self) -> str:
        return self.name


def carried(cls: Any) -> Carried:
    """What a flow must carry so that a class can run elsewhere.

    >>> from fractions import Fraction
    >>> carried(Fraction).name
    'fractions.Fraction'
    >>> carried(lambda: 0)
    Traceback (most recent call last):
        ...
    styx_lab.errors.FlowError: not a class; got <function <lambda> at ...>. Try: put it into a module: ...

    The module must be able to run from its source alone, wherever what it imports is installed.

    Args:
        cls: a class that stands in a module which can be imported.

    Raises:
        FlowError: on anything else: a function, a class of a notebook's cell (`__main__`) or inside a function.
    """
    if not isinstance(cls, type):
        raise FlowError("not a class", got=cls, hint=_HINT)
    name = f"{cls.__module__}.{cls.__qualname__}"
    if cls.__module__ == "__main__":
        raise FlowError("a class of the notebook or script itself cannot be carried along", got=name, hint=_HINT)
    if "<locals>" in cls.__qualname__:
        raise FlowError("a class that stands inside a function cannot be carried along", got=name, hint=_HINT)
    module = sys.modules.get(cls.__module__)
    path = getattr(module, "__file__", None)
    if module is None or path is None or not path.endswith(".py"):
        raise FlowError("the class has no source in Python that could be carried along", got=name, hint=_HINT)
    if _within(module, cls.__qualname__) is not cls:
        raise FlowError("its module has another class of that name", got=name, hint="import it again, or restart")
    try:
        with tokenize.open(path) as file:
            source = file.read()
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        raise FlowError(f"the source of the class cannot be read: {error}", got=name, hint=_HINT) from error
    return Carried(cls.__module__, cls.__qualname__, source, sha256(source.encode()).hexdigest())


def load(found: Carried) -> type[Any]:
    """Run the carried source in a fresh module of its own, and give the class.

    >>> from fractions import Fraction
    >>> loaded = load(carried(Fraction))
    >>> loaded(1, 2), loaded is Fraction
    (Fraction(1, 2), False)

    Two that are loaded share nothing; the module that the class came from is not touched.

    Raises:
        BundleError: when the source is not what the hash says.
        FlowError: when the source fails, or has no such class.
    """
    _verify(found, found.name)
    # Under a name of its own in sys.modules: dataclasses and typing look their class's module up there.
    module = ModuleType(f"_styx_carried_{found.sha256[:16]}")
    module.__package__ = found.module.rpartition(".")[0]
    before = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module
    try:
        exec(compile(found.source, f"<{found.module}, carried>", "exec"), vars(module))  # noqa: S102 - that is the task
        loaded = _within(module, found.qualname)
    except (Exception, SystemExit) as error:
        if before is None:
            del sys.modules[module.__name__]
        else:
            sys.modules[module.__name__] = before
        raise FlowError(
            f"the carried source fails: {type(error).__name__}: {error}",
            where=found.name,
            hint="what it imports must be installed here",
        ) from error
    if not isinstance(loaded, type):
        raise FlowError("the carried source has no such class", where=found.name, got=found.qualname)
    return loaded


def _verify(found: Carried, where: str) -> None:
    actual = sha256(found.source.encode()).hexdigest()
    if actual != found.sha256:
        raise BundleError(
            f"the carried source of {found.name} is not the one that was packed",
            where=where,
            got=actual,
            hint=f"it should be {found.sha256}; pack the flow again",
        )


def _within(module: ModuleType, qualname: str) -> Any:
    at: Any = module
    for name in qualname.split("."):
        at = getattr(at, name, None)
    return at
