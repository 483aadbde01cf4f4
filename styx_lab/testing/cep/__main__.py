"""`python -m styx_lab.testing.cep CASES.jsonl[.gz] [--batch N] [--only PREFIX]`: an answer a line."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from styx_lab.errors import StyxError
from styx_lab.testing.cep.answer import answer
from styx_lab.testing.cep.case import read_cases

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Answer the cases of a file; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m styx_lab.testing.cep", description="Answer neutral cases of patterns."
    )
    parser.add_argument("cases", type=Path, help="a file of cases, one JSON object a line; .gz is unpacked")
    parser.add_argument("--batch", type=_size, default=10_000, metavar="N", help="places of the sequence in a slice")
    parser.add_argument("--only", default="", metavar="PREFIX", help="cases whose id begins so")
    said = parser.parse_args(arguments)
    try:
        for case in read_cases(said.cases):
            if case.id.startswith(said.only):
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
