"""What all neutral cases share: a file of JSON lines, watermarks, events with times, and a command that answers.

Law: a case is read as it stands; what is not a case is refused, with the file and the line.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from styx_lab.errors import DataError, InputMissingError, StyxError

__all__ = ["Strategy", "answer_file", "check_entries", "read_lines", "strategy_of"]

Strategy = Literal["bounded", "explicit"]
"""`bounded`: the watermark follows the events; `explicit`: only what the list says moves it."""
_STRATEGIES: Final = ("bounded", "explicit")

C = TypeVar("C")


def strategy_of(watermark: Mapping[str, Any]) -> Strategy:
    """How a case's watermark moves.

    Raises:
        DataError: when there is no such way.
        KeyError: when it does not say.
    """
    strategy: Strategy = watermark["strategy"]
    if strategy not in _STRATEGIES:
        raise DataError("no such watermark", got=strategy, hint=" or ".join(_STRATEGIES))
    return strategy


def check_entries(name: str, entries: Sequence[Any]) -> None:
    """See that each entry of a case is an event or a watermark, with a time of 64 bits.

    Raises:
        DataError: when one is not; it names the place.
    """
    for place, entry in enumerate(entries):
        if not isinstance(entry, Mapping) or not ("t" in entry or "wm" in entry):
            raise DataError("neither an event nor a watermark", where=f"case {name!r}, place {place}", got=entry)
        for word in ("t", "wm"):
            time = entry.get(word, 0)
            if type(time) is not int or not -(2**63) <= time < 2**63:
                where = f"case {name!r}, place {place}, {word!r}"
                raise DataError("a time is whole milliseconds, in 64 bits", where=where, got=time)


def read_lines(path: Path, case_of: Callable[[Any], C]) -> Iterator[C]:
    """The cases of a file, one a line; a file that ends in `.gz` is unpacked.

    Raises:
        InputMissingError: when there is no such file.
        DataError: when it cannot be unpacked, or a line is no case.
    """
    if not path.is_file():
        raise InputMissingError("there is no such file", where=str(path))
    number = 0
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):  # noqa: B007 - the number is told in errors
                if line.strip():
                    yield case_of(json.loads(line))
    except DataError as error:
        raise DataError(f"{error}", where=f"{path}, line {number}") from error
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise DataError(f"this cannot be read: {error}", where=f"{path}, line {number}") from error


def answer_file(
    arguments: Sequence[str],
    read: Callable[[Path], Iterator[C]],
    names: Callable[[C], Sequence[str]],
    answer: Callable[[C, int], Mapping[str, Any]],
    *,
    module: str,
    what: str,
    begins: str,
) -> int:
    """Answer the cases of a file, a line each; gives the exit code.

    Args:
        arguments: of the command line.
        read: gives the cases of a file.
        names: what `--only` looks at.
        answer: the answer to a case, in slices of so many places.
        module: the command's module.
        what: what the cases are of, for its help.
        begins: what begins with the prefix, for its help.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=f"Answer neutral cases of {what}.")
    parser.add_argument("cases", type=Path, help="a file of cases, one JSON object a line; .gz is unpacked")
    parser.add_argument("--batch", type=_size, default=10_000, metavar="N", help="places of the sequence in a slice")
    parser.add_argument("--only", default="", metavar="PREFIX", help=f"cases whose {begins} begins so")
    said = parser.parse_args(arguments)
    try:
        for case in read(said.cases):
            if any(name.startswith(said.only) for name in names(case)):
                sys.stdout.write(json.dumps(answer(case, said.batch)) + "\n")
    except StyxError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _size(text: str) -> int:
    size = int(text)
    if size < 1:
        raise argparse.ArgumentTypeError("a slice has at least one place")
    return size
