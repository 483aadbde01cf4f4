"""`python -m styx_lab.testing.windows CASES.jsonl[.gz] [--batch N] [--only PREFIX]`: an answer a line."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from styx_lab.testing.neutral import answer_file
from styx_lab.testing.windows.answer import answer
from styx_lab.testing.windows.case import read_cases

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Answer the cases of a file; gives the exit code."""
    return answer_file(
        arguments,
        read_cases,
        lambda case: (case.kind, case.id),
        answer,
        module="styx_lab.testing.windows",
        what="windows and joins",
        begins="operator or id",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
