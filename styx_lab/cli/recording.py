"""`styx recording describe|head|cut|mask|merge`: recordings that are there, and others made of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from styx_lab.cli.options import debug_option, epilog, json_option
from styx_lab.cli.output import note, print_json, print_line, print_table, status

if TYPE_CHECKING:
    from styx_lab.connectors import Recording

__all__ = ["recording"]

_SAMPLE = "sample_data/payments.recording.parquet"
_EXITS = "0; 65 it is no recording or was changed; 66 no such file."
_file = click.argument("file", metavar="FILE")
_output_option = click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="NAME.recording.parquet; not the one that is read.",
)
_name_option = click.option("--name", metavar="NAME", help="What to call the source; else as before.")


@click.group(
    epilog=epilog(
        f"styx recording describe {_SAMPLE}",
        f"styx recording mask {_SAMPLE} --mask country -o shared.recording.parquet",
    )
)
def recording() -> None:
    """Look at recordings, cut them, hide values in them, make one of several.

    What is made is a new recording, whose note says what was done. The one that was read stays as it is.
    """


@recording.command(epilog=epilog(f"styx recording describe {_SAMPLE}", when="after styx sample cards", exits=_EXITS))
@_file
@json_option
@debug_option
def describe(file: str, as_json: bool) -> None:
    """Show what a recording says about itself: schema, time, key, partitions, times, hash, note."""
    about = _open(file).describe()
    if as_json:
        print_json(about)
        return
    for name, value in about.items():
        if name == "idle":
            print_line(f"{name:15} {len(value):,} decisions and ticks")
        elif name.endswith("_arrival"):
            print_line(f"{name:15} {_time(value)}")
        elif isinstance(value, dict):
            print_line(f"{name:15} {', '.join(f'{column}: {word}' for column, word in value.items())}")
        elif isinstance(value, list):
            print_line(f"{name:15} {', '.join(map(str, value))}")
        else:
            print_line(f"{name:15} {'' if value is None else value}")


@recording.command(epilog=epilog(f"styx recording head {_SAMPLE} -n 3", when="after styx sample cards", exits=_EXITS))
@_file
@click.option("-n", "count", type=click.IntRange(1), default=10, show_default=True, metavar="N", help="So many.")
@json_option
@debug_option
def head(file: str, count: int, as_json: bool) -> None:
    """Show the first events as they were recorded."""
    rows = _open(file).head(count)
    if as_json:
        print_json({"events": rows.to_dicts()})
        return
    shown = [name for name in rows.columns if name != "headers"]
    print_table(shown, rows.select(shown).rows())


@recording.command(
    epilog=epilog(
        f"styx recording cut {_SAMPLE} --key card-00674 -o one.recording.parquet",
        f"styx recording cut {_SAMPLE} --where 'amount > 500' -o large.recording.parquet",
        when="after styx sample cards",
        exits="0; 64 an expression or time that does not fit; 65 no event is left, or no recording; 66 no such file; "
        "73 it cannot be written.",
    )
)
@_file
@_output_option
@click.option("--from", "from_time", metavar="TIME", help="The first time that is in: 2024-03-04T17:27 (UTC).")
@click.option("--to", "to_time", metavar="TIME", help="The first time that is not in any more.")
@click.option(
    "--by",
    type=click.Choice(["arrival", "event"]),
    default="arrival",
    show_default=True,
    help="What these are times of; event times are in the column that the recording names.",
)
@click.option(
    "--time-unit",
    type=click.Choice(["s", "ms", "us", "ns"]),
    default="ms",
    show_default=True,
    help="Of event times that are whole numbers.",
)
@click.option("--key", "keys", multiple=True, metavar="[COLUMN=]VALUE", help="One key; of several columns each.")
@click.option("--where", "condition", metavar="SQL", help="Events of which this is true: 'amount > 500'.")
@click.option("--keep-undecodable", is_flag=True, help="Keep events of which key, time or SQL cannot be told.")
@_name_option
@json_option
@debug_option
def cut(  # noqa: PLR0913 -- a command's options
    file: str,
    output: Path,
    from_time: str | None,
    to_time: str | None,
    by: str,
    time_unit: str,
    keys: Sequence[str],
    condition: str | None,
    keep_undecodable: bool,
    name: str | None,
    as_json: bool,
) -> None:
    """Write some events of a recording, by time, key or expression, to one of their own.

    Events that meet all of what is said are kept, with their partitions, offsets, times, keys and headers.
    """
    from styx_lab.workbench.recording_cuts import cut_recording

    if from_time is None and to_time is None and not keys and condition is None:
        raise click.UsageError("say what to cut: --from, --to, --key or --where", click.get_current_context())
    source = _open(file)
    with status(f"Cutting {file}"):
        made = cut_recording(
            source,
            output,
            from_time=from_time,
            to_time=to_time,
            by=cast(Any, by),
            time_unit=cast(Any, time_unit),
            key=_key(keys, source.about.key),
            where=condition,
            keep_undecodable=keep_undecodable,
            name=name,
        )
    counts = {"read": made.read, "kept": made.kept, "unjudged": made.unjudged, "unjudged_kept": made.unjudged_kept}
    if not _told(made.recording, counts, as_json) and made.unjudged:
        note(f"{made.unjudged:,} events could not be judged, of which {made.unjudged_kept:,} were kept")


@recording.command(
    epilog=epilog(
        f"styx recording mask {_SAMPLE} --mask country -o shared.recording.parquet",
        f"styx recording mask {_SAMPLE} --hash card_id --hash-key env:HASH_KEY --kafka-key hash "
        "-o shared.recording.parquet",
        when="after styx sample cards, with HASH_KEY in the environment",
        exits="0; 65 an unknown column, a Kafka key that tells what is hidden, or no recording; 66 no such file or "
        "key; 73 it cannot be written.",
    )
)
@_file
@_output_option
@click.option("--mask", "masks", multiple=True, metavar="COLUMN[=JSON]", help="Make it null, or this (repeat it).")
@click.option("--hash", "hashes", multiple=True, metavar="COLUMN", help="Make it its HMAC-SHA-256 (repeat it).")
@click.option("--hash-key", metavar="PLACE", help="Where the key of hashes is: env:NAME or file:PATH.")
@click.option(
    "--kafka-key",
    type=click.Choice(["refuse", "keep", "drop", "hash"]),
    default="refuse",
    show_default=True,
    help="What becomes of Kafka's own keys; refuse ends at one that tells what is hidden.",
)
@click.option(
    "--headers",
    type=click.Choice(["refuse", "keep", "drop"]),
    default="refuse",
    show_default=True,
    help="The same of headers.",
)
@click.option(
    "--undecodable",
    type=click.Choice(["empty", "drop"]),
    default="empty",
    show_default=True,
    help="What becomes of payloads that cannot be looked into.",
)
@_name_option
@json_option
@debug_option
def mask(  # noqa: PLR0913 -- a command's options
    file: str,
    output: Path,
    masks: Sequence[str],
    hashes: Sequence[str],
    hash_key: str | None,
    kafka_key: str,
    headers: str,
    undecodable: str,
    name: str | None,
    as_json: bool,
) -> None:
    """Write a recording with values of columns gone or hashed, to be shared.

    The same value has the same hash, so keys and joins still work. Everything else stays byte for byte. Look at what is
    left: other fields may tell the same.
    """
    from styx_lab.workbench.recording_masks import mask_recording

    if not masks and not hashes:
        raise click.UsageError("say what to hide: --mask or --hash", click.get_current_context())
    if (hashes or kafka_key == "hash") and hash_key is None:
        raise click.UsageError("hashes need --hash-key env:NAME or file:PATH", click.get_current_context())
    with status(f"Masking {file}"):
        made = mask_recording(
            file,
            output,
            mask=_constants(masks),
            hashed=hashes,
            key=hash_key,
            kafka_key=cast(Any, kafka_key),
            headers=cast(Any, headers),
            undecodable=cast(Any, undecodable),
            name=name,
        )
    counts = {"changed": made.changed, "undecodable": made.undecodable, "elsewhere": made.elsewhere}
    if _told(made.recording, counts, as_json):
        return
    if made.undecodable:
        done = "were left out" if undecodable == "drop" else "were emptied"
        note(f"{made.undecodable:,} payloads are no JSON objects and {done}")
    if made.elsewhere:
        note(f"{made.elsewhere:,} events have what is hidden in another of their fields too: look at them")


@recording.command(
    epilog=epilog(
        "styx recording merge monday.recording.parquet tuesday.recording.parquet -o both.recording.parquet",
        when="with two recordings of one schema",
        exits="0; 65 they differ, or no recordings; 66 no such file; 73 it cannot be written.",
    )
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@_output_option
@_name_option
@json_option
@debug_option
def merge(files: Sequence[str], output: Path, name: str | None, as_json: bool) -> None:
    """Make one recording of several, by arrival.

    Partitions keep their numbers where no two recordings share one; else all are numbered anew, and the note says how.
    """
    from styx_lab.connectors.recording_merge import merge_recordings

    with status(f"Merging {len(files)} recordings"):
        made = merge_recordings(files, output, name=name)
    _told(made, {}, as_json)


def _open(file: str) -> Recording:
    from styx_lab.connectors import Recording

    return Recording.open(file)


def _told(made: Recording, counts: dict[str, int], as_json: bool) -> bool:
    about = made.describe()
    if as_json:
        print_json({**counts, "recording": about})
        return True
    print_line(f"{about['events']:,} events in {about['path']} ({about['bytes']:,} bytes)")
    print_line(f"content {about['content_sha256']}")
    print_line(f"note    {about['truth']}")
    return False


def _key(given: Sequence[str], names: Sequence[str]) -> Any:
    """What `--key` says; a value may have an equals sign in it."""
    if not given:
        return None
    if len(given) == 1 and len(names) <= 1:
        before, equals, value = given[0].partition("=")
        return value if equals and before in names else given[0]
    found: dict[str, str] = {}
    for one in given:
        column, equals, value = one.partition("=")
        if not equals or column in found:
            raise click.BadParameter(f"{one!r} does not say COLUMN=VALUE, once each", param_hint="'--key'")
        found[column] = value
    return found


def _constants(given: Sequence[str]) -> dict[str, Any]:
    import json

    found: dict[str, Any] = {}
    for one in given:
        column, equals, text = one.partition("=")
        try:
            found[column] = json.loads(text) if equals else None
        except ValueError:
            found[column] = text  # --mask name=unknown need not be quoted twice
    return found


def _time(ms: int | None) -> str:
    from datetime import UTC, datetime

    if ms is None:
        return ""
    try:
        return datetime.fromtimestamp(ms / 1_000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return str(ms)
