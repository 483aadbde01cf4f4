"""What stands behind a flow's sources for one run: files by name, or events in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from styx_lab.connectors import MemorySource, Recording, RecordingSource, open_source
from styx_lab.connectors.kafka.topics import SCHEME, Topics
from styx_lab.core.ports import Source
from styx_lab.errors import FlowError, RunError, SchemaError
from styx_lab.flow.flow import Flow
from styx_lab.flow.steps import SourceStep

__all__ = ["InputPaths", "Inputs", "is_topics", "named_inputs", "open_inputs", "topics_of"]

Input = str | Path | Topics | pl.DataFrame | Sequence[Mapping[str, Any]]
Inputs = Input | Mapping[str, Input]
"""A file (recording, `.jsonl`, `.csv`, `.parquet`), topics of Kafka (`Topics`, or `kafka:payments?stop=latest`), a
frame or a list of dicts; or a mapping of those by source."""
InputPaths = Mapping[str, str]


def named_inputs(flow: Flow, inputs: Inputs) -> dict[str, Input]:
    """The input of each source; a single one needs no name where the flow has one source.

    Raises:
        RunError: when a source has none, or a name is no source.
    """
    names = [source.name for source in flow.sources]
    if not isinstance(inputs, Mapping):
        if len(names) != 1:
            raise RunError(
                "the flow has several sources: say which input is whose",
                where=f"flow {flow.name!r}",
                hint="{" + ", ".join(f"{name!r}: FILE" for name in names) + "}",
            )
        return {names[0]: inputs}
    for name in inputs:
        if name not in names:
            raise RunError("the flow has no such source", where=f"flow {flow.name!r}", got=name, hint=", ".join(names))
    for name in names:
        if name not in inputs:
            raise RunError("a source has no input", where=f"source {name!r}", hint=f"name a file: {{{name!r}: FILE}}")
    return {name: inputs[name] for name in names}


def open_inputs(flow: Flow, inputs: Inputs) -> dict[str, Source]:
    """Opened sources for a flow's source steps.

    Raises:
        InputMissingError, DataError: when a file is not there or cannot be read.
        SchemaError: when a recording has other columns than the source's schema.
    """
    named = named_inputs(flow, inputs)
    return {step.name: _open(step, named[step.name]) for step in flow.sources}


def _open(step: SourceStep, given: Input) -> Source:
    if is_topics(given):
        from styx_lab.connectors.kafka import KafkaSource

        return KafkaSource(topics_of(given))
    if isinstance(given, str | Path):
        source = open_source(given, step.schema)
        if isinstance(source, RecordingSource):
            _check_recorded(step, given)
        return source
    if isinstance(given, pl.DataFrame):
        return MemorySource(given, step.schema)
    if isinstance(given, list | tuple):
        return MemorySource(given, step.schema)
    raise FlowError(
        "not an input", where=step.where, got=type(given).__name__, hint="a path, topics, a frame or a list of dicts"
    )


def is_topics(given: object) -> bool:
    """Whether an input is topics of Kafka."""
    return isinstance(given, Topics) or (isinstance(given, str) and given.startswith(SCHEME))


def topics_of(given: object) -> Topics:
    """The topics that an input says."""
    return given if isinstance(given, Topics) else Topics.parse(str(given))


def _check_recorded(step: SourceStep, path: str | Path) -> None:
    """Refuse a recording whose schema lacks a column of the source, or has it in another type."""
    recorded = Recording.open(path).schema
    for name, word in step.schema.items():
        if recorded.get(name) != word:
            raise SchemaError(
                "the recording's schema is not the source's",
                where=f"{step.where}, column {name!r}",
                got=f"{recorded.get(name, 'no such column')}; the source says {word}",
                hint="mend the source's schema, or replay another recording",
            )
