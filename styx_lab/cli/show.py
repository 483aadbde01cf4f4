"""`styx show`: what a name in the store is, or what a job wrote."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from styx_lab.cli.options import debug_option, epilog, json_option, store_option
from styx_lab.cli.output import plain, print_json, print_line
from styx_lab.cli.tables import inputs_of_models, print_counters, print_drift

__all__ = ["show"]


@click.command(
    epilog=epilog(
        "styx show card-fraud",
        "styx show card-fraud --output notifications | head -3",
        exits="0; 66 when there is no such name or output.",
    )
)
@click.argument("reference")
@click.option("--output", metavar="NAME", help="Print the committed lines of this output of a job.")
@store_option
@json_option
@debug_option
def show(reference: str, output: str | None, store: Path | None, as_json: bool) -> None:
    """Show a bundle, a model, a job, or a job's output.

    REFERENCE is card-fraud (the newest bundle, else model, else job of that name), card-fraud@3, fraud@champion; with
    --output it is a job. The lines are JSON, one a row, those that are committed and no others.
    """
    if output is not None:
        from styx_lab.workbench import read_job_output

        lines = read_job_output(reference, output, store=store)
        if as_json:
            _write_document(reference, output, lines)
        else:
            sys.stdout.flush()
            sys.stdout.buffer.writelines(line + b"\n" for line in lines)
        return
    from styx_lab.workbench import show as look_up

    found = look_up(reference, store=store)
    if as_json:
        print_json(found)
        return
    drawing, counters = found.pop("drawing", None), found.pop("counters", None)
    for line in _described(plain(found)):
        print_line(line)
    if counters:
        print_counters(counters)
        print_drift(inputs_of_models(counters))
    if drawing:
        print_line()
        print_line(drawing["text"])


def _write_document(job: str, output: str, lines: Iterator[bytes]) -> None:
    """The lines are JSON already: the document is put around them, however many there are."""
    import json

    out = sys.stdout.buffer
    sys.stdout.flush()
    out.write(b'{"job": %s, "output": %s, "rows": [' % (json.dumps(job).encode(), json.dumps(output).encode()))
    for number, line in enumerate(lines):
        out.write(b"\n" + line if number == 0 else b",\n" + line)
    out.write(b"\n]}\n")


def _described(value: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """Names and values, a line each, what is inside another further in."""
    indent = "  " * depth
    width = max((len(name) for name in value), default=0) + 2
    for name, one in value.items():
        if isinstance(one, Mapping) and one:
            yield f"{indent}{name}:"
            yield from _described(one, depth + 1)
        elif isinstance(one, list) and one and isinstance(one[0], Mapping):
            yield f"{indent}{name}:"
            for each in one:
                facts = ", ".join(f"{fact} {_short(found)}" for fact, found in each.items() if found is not None)
                yield f"{indent}  {facts}"
        elif one not in (None, "", {}, []):
            text = ", ".join(map(_short, one)) if isinstance(one, list) else _short(one)
            yield f"{indent}{name + ':':<{width}}{text}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
