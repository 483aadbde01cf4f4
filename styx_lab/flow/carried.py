"""A class or function of a user's own that a flow carries: by name, with the source of the module that it lives in.

Laws: what runs is the text that the flow carries, here as elsewhere, whatever became of the module since; carrying it
and looking at it runs nothing (`operators/carried.py` runs it); nothing is pickled.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import FunctionType
from typing import Any, Final

from styx_lab.errors import FlowError

__all__ = ["CARRIED", "Carried", "source_of"]

CARRIED: Final = "__styx_carried__"
"""The name, in a module that was made of carried source, of the `Carried` it was made of."""

_HINT: Final = "put it in a module of its own: a .py file, or a notebook cell that begins with %%styx module NAME"
_PARTS: Final = 4


@dataclass(frozen=True, slots=True)
class Carried:
    """A class or function by name, with the source of its module.

    >>> from styx_lab.flow.example_aggregate import GeometricMean
    >>> code = Carried.of(GeometricMean, where="here")
    >>> print(code, code.source.count("class GeometricMean"))
    styx_lab.flow.example_aggregate.GeometricMean 1
    >>> Carried.from_json(code.to_json(), where="here") == code
    True

    Attributes:
        module: the module's name where the flow was made.
        name: its name in it.
        source: the module's text.
    """

    module: str
    name: str
    source: str

    @property
    def sha256(self) -> str:
        """SHA-256 of the module's text."""
        return sha256(self.source.encode()).hexdigest()

    @classmethod
    def of(cls, value: type | FunctionType, *, where: str) -> Carried:
        """The class or function with its module's source, as the module's file has it now.

        The module must be able to run from its text alone, wherever what it imports is installed.

        Raises:
            FlowError: when it is not to be found by name in a module that has a source.
        """
        what = "class" if isinstance(value, type) else "function"
        name, module_name = value.__qualname__, value.__module__
        if name == "<lambda>" or name.endswith(".<lambda>"):
            raise FlowError("a lambda has no name to be carried by", where=where, hint=f"def a function, and {_HINT}")
        if module_name in ("__main__", "builtins"):
            raise FlowError(f"a {what} of a notebook or script cannot be carried", where=where, got=name, hint=_HINT)
        if "." in name:
            raise FlowError(f"a {what} inside a function or class cannot be carried", where=where, got=name, hint=_HINT)
        module = sys.modules.get(module_name)
        before = vars(module).get(CARRIED) if module is not None else None
        if isinstance(before, Carried):
            return cls(before.module, name, before.source)
        # While its module is still being imported, it is what the module has by that name already.
        if module is None or vars(module).get(name) is not value:
            raise FlowError(
                f"the module has another {what} of that name by now",
                where=where,
                got=f"{module_name}.{name}",
                hint=f"import it again: from {module_name} import {name}",
            )
        return cls(module_name, name, source_of(module_name, where=where))

    def to_json(self) -> dict[str, Any]:
        """As JSON values: the text line by line, for people and for git."""
        return {"module": self.module, "name": self.name, "sha256": self.sha256, "source": self.source.split("\n")}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, where: str) -> Carried:
        """What `to_json` gave; nothing of it is run.

        Raises:
            FlowError: when it is damaged, or the text is not the one that its hash names.
        """
        match value:
            case {"module": str() as module, "name": str() as name, "sha256": str() as said, "source": [*lines]} if len(
                value
            ) == _PARTS and all(isinstance(line, str) for line in lines):
                found = cls(module, name, "\n".join(lines))
            case _:
                got = sorted(value) if isinstance(value, Mapping) else value
                raise FlowError(
                    "the class or function that the flow carries is damaged",
                    where=where,
                    got=got,
                    hint="module, name, sha256 and the lines of the source; make the flow again from the module",
                )
        if found.sha256 != said:
            raise FlowError(
                "the source that the flow carries was changed",
                where=f"{where}, module {module!r}",
                got=found.sha256,
                hint="make the flow again from the module",
            )
        return found

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


def source_of(module: str, *, where: str) -> str:
    """The text of a module that is imported.

    Raises:
        FlowError: when it has none.
    """
    try:
        return inspect.getsource(sys.modules[module])
    except (OSError, TypeError) as error:
        raise FlowError("the module has no source to carry", where=where, got=module, hint=_HINT) from error
