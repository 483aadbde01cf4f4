"""`styx`: the commands, each loaded when it is called, so that help comes at once; and how every command ends.

Law: an answer goes to standard output and the exit code is 0, or one message goes to standard error and it is another.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import click

from styx_lab.cli.failures import BROKEN_PIPE, EXIT_CODES, failure_of, tell
from styx_lab.cli.options import debug_option

__all__ = ["COMMANDS", "main", "styx"]

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("demo", "Show the whole loop on sample data."),
    "sample": ("sample", "Make sample data with a known truth."),
    "train": ("train", "Train a model, export it to PMML, keep it in the store."),
    "models": ("models", "Look at models, compare them, name them, and score rows by one."),
    "record": ("record", "Record topics of Kafka to a file that can be replayed."),
    "recording": ("recording", "Look at recordings, cut them, hide values in them, make one of several."),
    "produce": ("produce", "Write a recording to a topic of Kafka again."),
    "replay": ("replay", "Run a flow over recorded events and show what it gave."),
    "explain": ("explain", "Explain why a pattern matched or did not, for one key of a recording."),
    "promote": ("promote", "Pack a flow with all it needs, verify it, keep it in the store."),
    "run": ("run", "Run a promoted flow headless, or go on with a job."),
    "jobs": ("jobs", "List the jobs."),
    "savepoint": ("jobs", "Take a savepoint of a running job."),
    "stop": ("jobs", "Stop a running job: it drains, and can be gone on with."),
    "show": ("show", "Show a bundle, a model, a job, or a job's output."),
    "cluster": ("cluster", "Start, end and look at servers on this machine: Kafka, Cassandra, Flink."),
    "doctor": ("doctor", "Check what Styx stands on, and say how to mend it."),
    "bench": ("bench", "Run the benchmarks, checking the answers first."),
}
"""Each command: the module of this room that has it, and its line in the help (the same as its own first line)."""


_BEGIN: Final = (
    "styx sample cards",
    "styx train fraud --examples sample_data/history.parquet --target fraud --alias champion",
    "styx replay styx_lab.samples.card_fraud:sample_flow --input sample_data/payments.recording.parquet",
)


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"styx_lab.cli.{COMMANDS[cmd_name][0]}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(f"there is no command {args[0]!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Begin with"):
            formatter.write("".join(f"  {line}\n" for line in _BEGIN))
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), text) for code, text in EXIT_CODES.items()])


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"styx-lab {version('styx-lab')}")
        ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version and end.",
)
@debug_option
def styx() -> None:
    """Find patterns in streams of events, judge them with a model, notify.

    `styx demo` shows all of it at once; `styx COMMAND --help` shows each command with an example.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit code. Arguments are those of the process where none are given."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if "_STYX_COMPLETE" in os.environ:
        styx.main(given, prog_name="styx")
    options = given[: given.index("--")] if "--" in given else given
    as_json = "--json" in options
    debug = "--debug" in options or os.environ.get("STYX_DEBUG", "") not in ("", "0")
    for stream in (sys.stdout, sys.stderr):
        # What a terminal cannot show must not end a command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        with styx.make_context("styx", given) as context:
            styx.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        return _ended(end.exit_code)
    except BrokenPipeError:
        return _gone()
    except (Exception, KeyboardInterrupt) as error:
        failure = failure_of(error)
        tell(failure, as_json=as_json, error=error if debug and failure.type != "Interrupted" else None)
        return _ended(failure.exit_code)
    return 0


def _ended(code: int) -> int:
    """The code, when all that was printed has arrived."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _gone()
    except OSError as error:
        _drop_output()
        if code:  # what went wrong was said already
            return code
        failure = failure_of(error)
        tell(failure, as_json=False)
        return failure.exit_code
    return code


def _gone() -> int:
    _drop_output()
    return BROKEN_PIPE


def _drop_output() -> None:
    # Python flushes standard output once more when it ends, and would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
