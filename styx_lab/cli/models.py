"""`styx models`: the registry of models, and scoring by one."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from styx_lab.cli.models_check import check
from styx_lab.cli.options import debug_option, epilog, json_option, store_option
from styx_lab.cli.output import plain, print_json, print_line, print_table, status

if TYPE_CHECKING:
    from styx_lab.workbench.registry import ModelEntry

__all__ = ["models"]

_TRAINED = "after `styx train fraud ...`"
_FOUND = "0; 65 a model that is refused; 66 no such model, alias or file."


@click.group(epilog=epilog("styx models list", "styx models show fraud@champion", "styx models score fraud rows.csv"))
def models() -> None:
    """Look at models, compare them, name them, and score rows by one.

    A model is NAME (the newest version), NAME@3, NAME@champion, or the path of a .pmml file.
    """


models.add_command(check)


@models.command("list", epilog=epilog("styx models list", exits="0; 74 when the store cannot be read."))
@store_option
@json_option
@debug_option
def list_(store: Path | None, as_json: bool) -> None:
    """List the models of the store."""
    from styx_lab.workbench.registry import list_models

    found = list_models(store=store)
    if as_json:
        print_json({"models": found})
        return
    if not found:
        print_line(
            "There are no models yet: styx train NAME --examples FILE --target COLUMN, or styx models add FILE NAME"
        )
        return
    print_table(
        ("model", "aliases", "kind", "target", "measured", "created", "KB", "note"),
        (
            (
                one.model,
                ", ".join(one.aliases),
                one.kind,
                one.target or "",
                ", ".join(f"{name} {value:.4g}" for name, value in list(one.metrics.items())[:2]),
                one.created[:16].replace("T", " "),
                one.bytes // 1_000,
                one.notes.partition("\n")[0][:40],
            )
            for one in found
        ),
    )


@models.command(epilog=epilog("styx models show fraud@champion", when=_TRAINED, exits=_FOUND))
@click.argument("model")
@click.option("--pmml", is_flag=True, help="Print the file itself.")
@store_option
@json_option
@debug_option
def show(model: str, pmml: bool, store: Path | None, as_json: bool) -> None:
    """Show a model: inputs, outputs, what was measured, what it was trained on."""
    from styx_lab.workbench.models import find_model
    from styx_lab.workbench.registry import show_model

    if pmml and not as_json:
        sys.stdout.flush()
        sys.stdout.buffer.write(find_model(model, store=store).pmml)
        return
    found = show_model(model, store=store)
    if as_json:
        text = {"pmml": find_model(model, store=store).pmml.decode()} if pmml else {}
        print_json({**plain(found), **text})
        return
    _print_entry(found)


@models.command(
    epilog=epilog(
        "styx models diff fraud@1 fraud@champion --input sample_data/history.parquet", when=_TRAINED, exits=_FOUND
    )
)
@click.argument("left")
@click.argument("right")
@click.option("--input", "rows", type=click.Path(path_type=Path), metavar="FILE", help="Rows to score by both.")
@store_option
@json_option
@debug_option
def diff(left: str, right: str, rows: Path | None, store: Path | None, as_json: bool) -> None:
    """Show what differs between two models, and with rows where their scores do."""
    from styx_lab.workbench.registry import diff_models

    with status(f"Comparing {left} and {right}"):
        found = diff_models(left, right, rows=rows, store=store)
    if as_json:
        print_json(found)
        return
    if found.facts:
        print_table(("", found.left, found.right), ((name, *map(_cell, pair)) for name, pair in found.facts.items()))
    else:
        print_line(f"{found.left} and {found.right} are the same in all that is kept of them")
    if found.rows is None:
        return
    share = found.differ / found.rows if found.rows else 0.0
    largest = "" if found.largest is None else f", by {found.largest:.3g} at most"
    print_line(f"{found.differ:,} of {found.rows:,} rows have another score ({share:.1%}){largest}")
    if found.examples:
        names = list(found.examples[0])
        print_table(names, ([_cell(one[name]) for name in names] for one in found.examples))


@models.command(epilog=epilog("styx models alias fraud@1 champion", when=_TRAINED, exits=_FOUND))
@click.argument("model")
@click.argument("alias")
@click.option("--remove", is_flag=True, help="Forget the alias; MODEL is a name then.")
@store_option
@json_option
@debug_option
def alias(model: str, alias: str, remove: bool, store: Path | None, as_json: bool) -> None:
    """Let an alias such as champion or challenger point at a model.

    Flows that score by NAME@champion take the new one when they are next promoted or replayed; a job that runs keeps
    the version it was promoted with.
    """
    from styx_lab.workbench.registry import point_alias, remove_alias

    name = model.partition("@")[0]
    if remove:
        remove_alias(name, alias, store=store)
        said: dict[str, Any] = {"alias": f"{name}@{alias}", "model": None}
        text = f"{name}@{alias} is no more"
    else:
        now, before = point_alias(model, alias, store=store)
        said = {"alias": f"{name}@{alias}", "model": now, "before": before}
        text = f"{name}@{alias} is {now}" + (f", which was {before}" if before and before != now else "")
    if as_json:
        print_json(said)
    else:
        print_line(text)


@models.command(epilog=epilog("styx models note fraud@1 'before the new terminals'", when=_TRAINED, exits=_FOUND))
@click.argument("model")
@click.argument("text")
@store_option
@json_option
@debug_option
def note(model: str, text: str, store: Path | None, as_json: bool) -> None:
    """Write a note of a model, in place of what was there."""
    from styx_lab.workbench.registry import note_model

    said = note_model(model, text, store=store)
    if as_json:
        print_json({"model": said, "note": text})
    else:
        print_line(f"noted of {said}")


@models.command(
    epilog=epilog(
        "styx models add bought.pmml fraud --alias challenger",
        when="with a PMML file from elsewhere",
        exits="0; 65 a file that is refused; 66 no such file; 74 the store cannot be written.",
    )
)
@click.argument("pmml", type=click.Path(path_type=Path))
@click.argument("name")
@click.option("--alias", metavar="ALIAS", help="A name such as challenger to give it.")
@click.option("--note", "text", default="", metavar="TEXT", help="What to say of it.")
@store_option
@json_option
@debug_option
def add(pmml: Path, name: str, alias: str | None, text: str, store: Path | None, as_json: bool) -> None:
    """Keep a PMML file from elsewhere as a new version of a model.

    It is checked and opened first: what cannot be scored is not kept.
    """
    from styx_lab.workbench.registry import add_model

    found = add_model(pmml, name, alias=alias, note=text, store=store)
    if as_json:
        print_json(found)
    else:
        print_line(f"{found.model} is kept" + (f", which is {name}@{alias} now" if alias else ""))


@models.command(
    epilog=epilog(
        "styx models score fraud@champion sample_data/history.parquet -o scored.csv",
        "styx models score model.pmml rows.csv --keep",
        when=_TRAINED,
        exits="0, also where some rows have an error; 65 a model that is refused, or rows that cannot be read or lack "
        "a column; 66 no such model or file; 73 it cannot be written.",
    )
)
@click.argument("model")
@click.argument("rows", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write there.")
@click.option("--outputs", metavar="NAME,...", help="Which of the model's outputs; else all of them.")
@click.option("--keep", is_flag=True, help="Print the columns of the input too.")
@click.option("--engine", default="native", show_default=True, metavar="NAME", help="native, pypmml or jpmml.")
@store_option
@json_option
@debug_option
def score(
    model: str,
    rows: Path,
    output: Path | None,
    outputs: str | None,
    keep: bool,
    engine: str,
    store: Path | None,
    as_json: bool,
) -> None:
    """Score the rows of a .csv, .parquet or .jsonl file, and print CSV.

    Each row of the input has one row: the score, the model's target, its probabilities and outputs, and the error where
    it has none. What stands in a CSV file is given to the model as it is written. Numbers read back to the same bits.
    """
    import polars as pl

    from styx_lab.errors import DataError
    from styx_lab.workbench.scoring import score_rows

    asked = None if outputs is None else [name for name in outputs.split(",") if name]
    total = failed = 0
    documents: list[dict[str, Any]] = []
    with _written(None if as_json else output) as out:
        for frame in score_rows(model, rows, engine=engine, outputs=asked, keep=keep, store=store):
            if as_json:
                documents += frame.to_dicts()
            else:
                nested = [name for name, dtype in frame.schema.items() if dtype.is_nested() or dtype == pl.Binary]
                if nested:
                    raise DataError(
                        "a column of the rows has no form in CSV",
                        where=str(rows),
                        got=", ".join(nested),
                        hint="leave it out of the rows, or do not --keep",
                    )
                # Polars would name a reader that has gone an error of its own.
                text = frame.write_csv(include_header=not total, datetime_format="%Y-%m-%dT%H:%M:%S%.f")
                out.write(text.encode())
            total += frame.height
            column = "error" if "error" in frame.columns else "_error"
            failed += frame.height - frame[column].null_count()
    if as_json:
        print_json({"model": model, "rows": documents})
    elif output is not None:
        print_line(f"{total:,} rows scored to {output}" + (f", {failed:,} of them with an error" if failed else ""))


@models.command(
    epilog=epilog(
        "styx models serve fraud@champion --port 8080",
        when=_TRAINED,
        exits="0 it was asked to end; 65 a model that is refused; 66 no such model; 69 the extra server is not "
        "installed; 70 the address is taken, or others reach it without a token.",
    )
)
@click.argument("served", nargs=-1, metavar="[MODEL]...")
@click.option("--port", type=click.IntRange(0, 65_535), default=8080, show_default=True, help="0 for any that is free.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Another than loopback needs STYX_SERVE_TOKEN.")
@store_option
@json_option
@debug_option
def serve(served: tuple[str, ...], port: int, host: str, store: Path | None, as_json: bool) -> None:
    """Serve models over HTTP, in the shape of Openscoring's REST, until Ctrl-C.

    POST /openscoring/model/ID scores {"arguments": {...}}, /batch many, /csv a table; GET /openscoring/model lists
    them. Models are put and removed from this machine alone. A token in the environment, STYX_SERVE_TOKEN, is asked of
    everyone.
    """
    import json
    import os

    call = {"models": list(served), "host": host, "port": port, "store": None if store is None else str(store)}
    sys.stdout.flush()
    sys.stderr.flush()
    # The server is this process from here on: signals and standard output are its own.
    os.execv(sys.executable, [sys.executable, "-m", "styx_lab.server", json.dumps(call)])  # noqa: S606


@contextmanager
def _written(path: Path | None) -> Iterator[IO[bytes]]:
    """Where CSV goes: a file that is there when it is whole, or standard output."""
    if path is None:
        sys.stdout.flush()
        yield sys.stdout.buffer
        return
    from styx_lab.errors import OutputError

    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"it cannot be written ({error.strerror})", where=str(path)) from error
    finally:
        partial.unlink(missing_ok=True)


def _print_entry(entry: ModelEntry) -> None:
    print_line(f"{entry.model}: {entry.kind}, {entry.function}" + (f" of {entry.target}" if entry.target else ""))
    facts: Mapping[str, Any] = {
        "aliases": ", ".join(entry.aliases),
        "created": entry.created,
        "size": f"{entry.bytes:,} bytes",
        "sha256": entry.sha256,
        "verified": f"{entry.verification} embedded rows come out as they should" if entry.verification else "no rows",
        "trained on": _trained(entry.training),
        "note": entry.notes,
    }
    for name, value in facts.items():
        if value:
            print_line(f"  {name + ':':<12}{value}")
    importance = {one["name"]: one.get("importance") for one in entry.report.get("features", ())}
    print_table(
        ("input", "type", "importance"), ((name, kind, importance.get(name)) for name, kind in entry.inputs.items())
    )
    print_table(("output", "type"), entry.outputs.items())
    if entry.metrics:
        print_table((f"measured on {entry.measured_on} rows", ""), entry.metrics.items())


def _trained(training: Mapping[str, Any]) -> str:
    if not training:
        return ""
    versions = ", ".join(f"{name} {version}" for name, version in training.get("versions", {}).items())
    return f"{training['trained_on']:,} of {training['rows']:,} rows, data {training['sha256'][:12]}; {versions}"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)
