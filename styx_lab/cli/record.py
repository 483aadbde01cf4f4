"""`styx record`: topics of Kafka become a recording."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from styx_lab.cli.options import debug_option, epilog, json_option
from styx_lab.cli.output import note, print_json, print_line, status
from styx_lab.errors import SchemaError

if TYPE_CHECKING:
    from styx_lab.core.schema import Schema
    from styx_lab.workbench.recordings import RecordingProgress

__all__ = ["record"]

_SIZES = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}


class _Size(click.ParamType[int]):
    name = "size"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]B)?", value, re.IGNORECASE)
        if found is None or not float(found[1]):
            self.fail(f"{value!r} is not a size such as 500MB or 1GB.", param, ctx)
        return int(float(found[1]) * _SIZES[(found[2] or "").upper()])


class _Length(click.ParamType[float]):
    name = "length"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from styx_lab.core.time import duration_ms
        from styx_lab.errors import StyxError

        try:
            return duration_ms(value, where="--for") / 1_000
        except StyxError as error:
            self.fail(str(error), param, ctx)


@click.command(
    epilog=epilog(
        "styx record payments --for 10m --max-size 1GB -o payments.recording.parquet",
        "styx record 'kafka:payments?start=2026-06-01T00:00:00Z&stop=latest' -o june.recording.parquet",
        "styx record --salvage payments.recording.parquet",
        when="with a broker that has the topic",
        exits="0; 65 nothing came, or a name that is no recording's; 66 no such topic or profile; 69 the extra kafka "
        "is not installed; 70 the broker cannot be reached; 73 it cannot be written.",
    )
)
@click.argument("topics", nargs=-1, metavar="TOPIC...")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="NAME.recording.parquet."
)
@click.option("--for", "length", type=_Length(), metavar="10m", help="Record so long (500ms, 30s, 10m, 2h, 1d).")
@click.option("--max-size", type=_Size(), metavar="1GB", help="Record so much of payloads, keys and headers.")
@click.option("--max-events", type=click.IntRange(min=1), metavar="N", help="Record so many events.")
@click.option("--start", metavar="WHERE", help="earliest (as it is), latest, committed, a time, or offsets (0:17,1:4).")
@click.option("--stop", metavar="WHERE", help="latest, never (as it is), a time, or offsets.")
@click.option("--profile", metavar="NAME", help="How to reach the cluster: a profile of kafka.toml.")
@click.option("--brokers", metavar="HOST:PORT", help="Where it is, in place of what the profile says.")
@click.option("--schema", metavar="NAME:TYPE,...", help="The columns (str, int, float, bool, datetime); else inferred.")
@click.option("--time", "time_column", metavar="COLUMN", help="The column with the event time.")
@click.option("--key", multiple=True, metavar="COLUMN", help="A column of the key (repeat it).")
@click.option("--salvage", type=click.Path(path_type=Path), metavar="FILE", help="Make a recording of one cut off.")
@json_option
@debug_option
def record(  # noqa: PLR0913 -- a command's options
    topics: tuple[str, ...],
    output: Path | None,
    length: float | None,
    max_size: int | None,
    max_events: int | None,
    start: str | None,
    stop: str | None,
    profile: str | None,
    brokers: str | None,
    schema: str | None,
    time_column: str | None,
    key: tuple[str, ...],
    salvage: Path | None,
    as_json: bool,
) -> None:
    """Record topics of Kafka to a file that can be replayed.

    Keys, headers, both timestamps, partitions, offsets and tombstones are kept as they come, in order of arrival.
    Recording goes on until one of the limits, or Ctrl-C, which keeps what there is.
    """
    if salvage is not None:
        _salvage(salvage, as_json)
        return
    context = click.get_current_context()
    if not topics:
        raise click.UsageError("name a topic", context)
    if output is None:
        raise click.UsageError("say where to: -o NAME.recording.parquet", context)
    from styx_lab.connectors.kafka import Topics
    from styx_lab.connectors.kafka.topics import SCHEME
    from styx_lab.connectors.recording_salvage import cut_off
    from styx_lab.workbench.recordings import record as run
    from styx_lab.workbench.signals import StopOnSignal

    if topics[0].startswith(SCHEME):
        if len(topics) > 1 or start or stop or profile or brokers:
            raise click.UsageError("a text kafka:TOPIC?... says all of it", context)
        said = Topics.parse(topics[0])
    else:
        said = Topics(topics, None, start or "earliest", stop or "never", profile, brokers)
    if cut_off(output):
        note(f"An earlier recording to {output} was cut off: styx record --salvage {output}")
    with StopOnSignal() as signals, _shown(str(said)) as show:
        made = run(
            said,
            output,
            schema=None if schema is None else _schema(schema),
            time_column=time_column,
            key=key,
            seconds=length,
            max_bytes=max_size,
            max_events=max_events,
            stop=signals.stop,
            progress=show,
        )
    about = made.recording.describe()
    if as_json:
        print_json({"ended": made.ended, "notes": made.notes, "recording": about})
        return
    ends = {
        "end": "the end of the input",
        "time": "the time",
        "size": "the size",
        "events": "the events",
        "stop": "a stop",
    }
    print_line(f"{about['events']:,} events in {about['path']} ({about['bytes']:,} bytes), ended by {ends[made.ended]}")
    print_line(f"content {about['content_sha256']}")
    print_line(f"schema  {', '.join(f'{name}: {word}' for name, word in about['schema'].items())}")
    for one in made.notes:
        print_line(f"note: {one}")


def _salvage(path: Path, as_json: bool) -> None:
    from styx_lab.connectors.recording_salvage import salvage

    with status(f"Looking for what is left of {path}"):
        about = salvage(path).describe()
    if as_json:
        print_json({"ended": "cut off", "recording": about})
    else:
        print_line(f"{about['events']:,} events of a recording that was cut off are in {about['path']}")


def _schema(text: str) -> Schema:
    from styx_lab.core.schema import Schema

    columns = {}
    for one in text.split(","):
        name, colon, word = one.strip().rpartition(":")
        if not colon:
            raise SchemaError("a column is NAME:TYPE", where="--schema", got=one)
        columns[name] = word
    return Schema(columns)


@contextmanager
def _shown(what: str) -> Iterator[Callable[[RecordingProgress], None]]:
    """A line on a terminal that tells how far it is; else what troubles it, when that changes."""
    from styx_lab.cli.output import live_line

    with live_line(f"Recording {what}; Ctrl-C ends it and keeps what there is") as say:
        trouble = ""

        def show(progress: RecordingProgress) -> None:
            nonlocal trouble
            rate = progress.events / progress.seconds if progress.seconds else 0.0
            say(
                f"{progress.events:,} events, {progress.bytes / 1e6:,.1f} MB, {rate:,.0f}/s, {progress.lag:,} behind"
                + (f"; waiting: {progress.trouble}" if progress.trouble else "")
            )
            if progress.trouble and progress.trouble != trouble:
                note(f"waiting: {progress.trouble}")
            trouble = progress.trouble

        yield show
