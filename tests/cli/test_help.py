"""Help comes at once, shows examples that can be typed, and the exit codes are those of the errors."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import click
import pytest

from styx_lab import errors
from styx_lab.cli.failures import EXIT_CODES
from styx_lab.cli.main import COMMANDS
from styx_lab.cli.main import styx as group


def every_command():
    context = click.Context(group, info_name="styx")
    for name in COMMANDS:
        command = group.get_command(context, name)
        yield f"styx {name}", command
        if isinstance(command, click.Group):
            for inner, one in command.commands.items():
                yield f"styx {name} {inner}", one


EVERY = dict(every_command())


def examples(command):
    return re.findall(r"^  (styx [^|\n]*)", command.epilog, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_the_help_is_the_commands_own(name):
    assert EVERY[f"styx {name}"].help.splitlines()[0] == COMMANDS[name][1]


@pytest.mark.parametrize("path", EVERY)
def test_help_shows_examples_that_can_be_parsed(path):
    found = examples(EVERY[path])
    assert found
    for line in found:
        words = shlex.split(line)[1:]
        command, context = group, click.Context(group, info_name="styx")
        while isinstance(command, click.Group):
            command = command.get_command(context, words.pop(0))
        command.make_context(line, words)


@pytest.mark.parametrize("path", [path for path, command in EVERY.items() if not isinstance(command, click.Group)])
def test_every_command_says_its_exit_codes_and_knows_json(path):
    assert "Exit codes: 0" in EVERY[path].epilog
    assert {"as_json"} <= {option.name for option in EVERY[path].params}


def test_every_error_ends_with_a_code_that_the_help_explains(styx):
    codes = {getattr(errors, name).exit_code for name in errors.__all__}
    assert codes <= set(EXIT_CODES)
    shown = styx("--help").out
    assert [code for code in EXIT_CODES if not re.search(rf"^  {code}\b", shown, re.MULTILINE)] == []


def test_help_loads_neither_rich_nor_a_command():
    probe = "import sys\nfrom styx_lab.cli.main import main\nmain(['--help'])\n"
    probe += "print([n for n in sys.modules if n in ('rich', 'polars', 'styx_lab.workbench', 'styx_lab.cli.run')])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version(styx):
    done = styx("--version")
    assert done.code == 0
    assert re.fullmatch(r"styx-lab \d+\.\d+.*\n", done.out)


def test_an_unknown_command_is_a_usage_error_with_the_nearest_name(styx):
    done = styx("replya")
    assert done.code == 2
    assert "did you mean 'replay'" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "x", "--rate", "0"],
        ["run", "x", "--rate", "nan"],
        ["run", "x", "--commit-every", "-1"],
        ["run", "x", "--batch", "0"],
        ["replay"],
        ["replay", "x", "--no-such-option"],
        ["sample", "cards", "--events", "10"],
        ["run", "x", "--input", "a=1.jsonl", "--input", "2.jsonl"],
        ["run", "x", "--input", "a=1.jsonl", "--input", "a=2.jsonl"],
        ["train", "x", "--examples", "e.csv", "--target", "t", "--features", ","],
    ],
)
def test_a_wrong_option_is_a_usage_error_as_json_too(styx, arguments):
    done = styx(*arguments, "--json")
    assert done.code == 2
    assert done.json["exit_code"] == 2
    assert done.json["error"]["type"] == "UsageError"
    assert done.err.startswith(f"error: {done.json['error']['what']}")
