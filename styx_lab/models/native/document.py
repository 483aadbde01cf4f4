"""A PMML file, compiled: from its bytes to a model that evaluates batches.

Law: the file goes through the guard first, then through the grammar; whatever is not understood is refused here, by
name and line, before a row is scored.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np
import polars as pl

from styx_lab.errors import ModelError
from styx_lab.models.guard import PmmlLimits, parse_pmml
from styx_lab.models.native.column import Column, Rows
from styx_lab.models.native.fields import DataField, MiningField, read_data_fields, read_mining_field, take
from styx_lab.models.native.grammar import check_grammar
from styx_lab.models.native.kinds import KINDS
from styx_lab.models.native.model import Answer, CompiledModel
from styx_lab.models.native.output import read_outputs
from styx_lab.models.native.place import child, children, choice, refuse, required
from styx_lab.models.native.quick import Quick, plan_document
from styx_lab.models.native.recipes import Recipe, read_recipe
from styx_lab.models.native.scope import Expression, Names, Scope, Variables
from styx_lab.models.native.setting import Setting
from styx_lab.models.native.targets import read_targets
from styx_lab.models.native.transformations import DefinedFunction, Library, compile_expression, expression_of
from styx_lab.models.native.values import cast, is_known_type
from styx_lab.models.summary import local_name

__all__ = ["Document", "compile_tree", "load"]

_FUNCTIONS = ("regression", "classification", "clustering", "mixed")


@dataclass(frozen=True, slots=True)
class Document:
    """A compiled PMML file.

    Attributes:
        name: what to call it in errors.
        model: the model.
        inputs: the fields it reads, in the file's order.
        data_fields: the DataDictionary.
        quick: its way for batches in which nothing is missing, if it has one.
    """

    name: str
    model: CompiledModel
    inputs: tuple[str, ...]
    data_fields: Mapping[str, DataField]
    quick: Quick | None = None

    def evaluate(self, frame: pl.DataFrame) -> tuple[Answer, Rows]:
        """The model's answer for each row of a frame; a column that is not there is missing in every row."""
        rows = Rows(frame.height)
        there = frozenset(frame.columns)

        def outside(name: str) -> Column:
            data = self.data_fields.get(name)
            field = self._fields.get(name)
            if data is None or field is None:
                return Column.failed(rows.error(f"field {name!r} is not defined"))
            if name not in there:
                nothing = Column.nothing(data.type)
                return field.inherit(nothing, rows)
            return field.judge(take(data, frame.get_column(name)), rows)

        scope = Scope(self.model.names, rows, outside)
        with np.errstate(all="ignore"):  # what is no number is found where it matters
            return self.model.answer(scope), rows

    @property
    def _fields(self) -> Mapping[str, MiningField]:
        return self.model.names.fields


def load(pmml: bytes, *, name: str = "model", limits: PmmlLimits | None = None) -> Document:
    """Compile a PMML file, one that names no target too.

    Raises:
        ModelError: when it is refused; the message names the model, the element and its line.
    """
    return compile_tree(parse_pmml(pmml, name=name, limits=limits or PmmlLimits(), aimless=True), name=name)


def compile_tree(root: Element, *, name: str) -> Document:
    """Compile a file that the guard has parsed.

    Raises:
        ModelError: as `load`.
    """
    collecting = gc.isenabled()
    gc.disable()  # nothing is garbage yet, and looking for it takes a third of the time
    try:
        return _compile(root, name)
    except ModelError as error:
        if error.where is not None and error.where.startswith("model "):
            raise
        where = f"model {name!r}, {error.where}" if error.where else f"model {name!r}"
        hint = error.hint or "choose another engine, or export the model in another way"
        if error.got is None:
            raise ModelError(error.what, where=where, hint=hint) from None
        raise ModelError(error.what, where=where, got=error.got, hint=hint) from None
    finally:
        if collecting:
            gc.enable()


def _compile(root: Element, name: str) -> Document:
    check_grammar(root, {kind: each.grammar for kind, each in KINDS.items()})
    models = [node for node in root if local_name(node) in KINDS]
    if not models:
        raise ModelError("the PMML file has no model in it", hint="export the whole pipeline")
    dictionary = child(root, "DataDictionary")
    data_fields = {} if dictionary is None else read_data_fields(dictionary)
    compiler = _Compiler(data_fields)
    shared = child(root, "TransformationDictionary")
    if shared is not None:
        compiler.read_shared(shared)
    model = compiler.compile_model(models[0], top=True)
    inputs = tuple(each.name for each in model.names.fields.values() if each.active)
    return Document(name, model, inputs, data_fields, plan_document(model))


class _Compiler:
    """Compiles the models of one file."""

    def __init__(self, data_fields: Mapping[str, DataField]) -> None:
        self._data_fields = data_fields
        self._library = Library()
        self._shared: dict[str, tuple[Expression, frozenset[str]]] = {}
        self._shared_recipes: dict[str, Recipe] = {}

    def read_shared(self, node: Element) -> None:
        """The TransformationDictionary: functions, and fields that every model may use."""
        for each in children(node, "DefineFunction"):
            self._define(each)
        needs: dict[str, set[str]] = {}
        derived = list(children(node, "DerivedField"))
        for each in derived:
            name = required(each, "name")
            needs[name] = {
                text for inner in each.iter() for key in ("field", "textField") if (text := inner.get(key)) is not None
            }
        for each in derived:
            name = required(each, "name")
            outside: set[str] = set()
            todo, seen = set(needs[name]), {name}
            while todo:
                one = todo.pop()
                if one in needs and one not in seen:
                    seen.add(one)
                    todo |= needs[one]
                elif one not in needs:
                    outside.add(one)
            self._shared[name] = (self._derived(each), frozenset(outside))
            recipe = read_recipe(each, self._library)
            if recipe is not None:
                self._shared_recipes[name] = recipe

    def _define(self, node: Element) -> None:
        name = required(node, "name")
        found = expression_of(node)
        if found is None:
            raise refuse(node, "a function without an expression")
        parameters = []
        for each in children(node, "ParameterField"):
            data_type = each.get("dataType")
            if data_type is not None and not is_known_type(data_type):
                raise refuse(each, f"dataType={data_type!r} is not supported")
            parameters.append((required(each, "name"), data_type))
        result = node.get("dataType")
        if result is not None and not is_known_type(result):
            raise refuse(node, f"dataType={result!r} is not supported")
        # A function sees those that were defined before it: so none can call itself.
        expression = compile_expression(found, Library(dict(self._library.functions)))
        self._library.functions[name] = DefinedFunction(tuple(parameters), result, expression)

    def _derived(self, node: Element) -> Expression:
        data_type = required(node, "dataType")
        if not is_known_type(data_type):
            raise refuse(node, f"dataType={data_type!r} is not supported")
        found = expression_of(node)
        if found is None:
            raise refuse(node, "a DerivedField without an expression")
        expression = compile_expression(found, self._library)

        def evaluate(variables: Variables) -> Column:
            return cast(expression(variables), data_type, variables.rows)

        return evaluate

    def compile_model(self, node: Element, *, top: bool = False) -> CompiledModel:
        """Compile a model element."""
        kind = local_name(node)
        function = choice(node, "functionName", _FUNCTIONS)
        schema = child(node, "MiningSchema")
        if schema is None:
            raise refuse(node, "a model without a MiningSchema")
        fields = [read_mining_field(each, self._data_fields) for each in children(schema, "MiningField")]
        if top:
            for each in fields:
                if each.data is None and each.active:
                    raise refuse(schema, f"the field {each.name!r} is not in the DataDictionary")
        targets = [each for each in fields if not each.active]
        local: dict[str, Expression] = {}
        recipes: dict[str, Recipe] = {}
        for block in children(node, "LocalTransformations"):
            for derived in children(block, "DerivedField"):
                name = required(derived, "name")
                local[name] = self._derived(derived)
                recipe = read_recipe(derived, self._library)
                if recipe is not None:
                    recipes[name] = recipe
        names = Names(
            {each.name: each.inherit if not top else _as_is for each in fields},
            local,
            self._shared,
            {each.name: each for each in fields},
            recipes,
            self._shared_recipes,
        )
        target = targets[0] if targets else None
        treatments = read_targets(node)
        # A model without a target field of its own has its Target without a field.
        treatment = treatments.get("" if target is None else target.name)
        math = choice(node, "x-mathContext", ("float", "double"), "double")
        setting = Setting(
            function,
            target.data if target is not None else None,
            tuple(each.name for each in targets),
            math == "float",
            self._library,
            self._data_fields,
            self.compile_model,
        )
        evaluate_kind = KINDS[kind].compile(node, setting)
        return CompiledModel(
            kind,
            function,
            names,
            setting.target,
            target.name if target is not None else None,
            evaluate_kind,
            treatment,
            read_outputs(node, self._library, treatment),
            math == "float",
        )


def _as_is(column: Column, rows: Rows) -> Column:
    """The fields of the outermost model are judged where they come in."""
    return column
