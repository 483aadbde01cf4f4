"""What a kind of model needs to know of its surroundings when it is compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from styx_lab.models.native.fields import DataField
from styx_lab.models.native.model import CompiledModel
from styx_lab.models.native.transformations.library import Library
from styx_lab.models.native.values import show

__all__ = ["Setting"]


@dataclass(frozen=True, slots=True)
class Setting:
    """The surroundings of a model.

    Attributes:
        function: `regression`, `classification`, `clustering`, ...
        target: its target field as the DataDictionary has it, if it has one.
        targets: all of them, for a model of several.
        single: whether the file asks for 32-bit arithmetic (`x-mathContext="float"`).
        library: the functions that the file defines.
        data_fields: the DataDictionary.
        compile_inner: compiles a model inside this one.
    """

    function: str
    target: DataField | None
    targets: tuple[str, ...]
    single: bool
    library: Library
    data_fields: Mapping[str, DataField]
    compile_inner: Callable[[Element], CompiledModel]

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that the target field declares, as text."""
        if self.target is None:
            return ()
        return tuple(show(value, self.target.type) for value in self.target.valid)
