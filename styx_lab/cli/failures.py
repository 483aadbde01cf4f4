"""How a command fails: one clear message on standard error, an exit code that means something, never a traceback.

Law: whatever goes wrong, `failure_of` has a message and a code for it; nothing else in this room decides on either.
"""

from __future__ import annotations

import errno
import json
import sys
import traceback
from dataclasses import dataclass
from typing import Any, Final

import click

from styx_lab.errors import OutputError, StyxError

__all__ = [
    "BROKEN_PIPE",
    "EXIT_CODES",
    "INTERRUPTED",
    "UNEXPECTED",
    "UNSOUND",
    "USAGE",
    "Failure",
    "failure_of",
    "printable",
    "tell",
]

UNSOUND: Final = 1
USAGE: Final = 2
UNEXPECTED: Final = 70
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141

EXIT_CODES: Final = {
    0: "done; of a job also: stopped as it was asked to",
    UNSOUND: "doctor found a fault, a benchmark gave a wrong answer, or a model differs from its reference",
    USAGE: "a command, option or argument that is not known",
    64: "a flow that cannot be built, or a schema that does not fit",
    65: "input, a model or a bundle that cannot be used",
    66: "a file, model, bundle, job or output that is not there",
    69: "a library or Java that is needed and not installed",
    UNEXPECTED: "a job that cannot start or go on, or a fault of Styx (run again with --debug)",
    73: "output that cannot be written: a full disk, a folder without permission",
    74: "a store, journal or checkpoint that cannot be trusted, or is locked",
    INTERRUPTED: "Ctrl-C",
    BROKEN_PIPE: "whoever read the output has gone (as in `styx show ... | head`)",
}
"""Every exit code, and what it means; 64 to 74 are those of the errors in `styx_lab.errors`."""

_CANNOT_WRITE: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
_FULL: Final = ("No space left on device", "File too large", "Disk quota exceeded")


@dataclass(frozen=True, slots=True)
class Failure:
    """What is said of an error."""

    type: str
    what: str
    exit_code: int
    where: str | None = None
    got: Any = None
    hint: str | None = None
    note: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The JSON document that a command prints with `--json`."""
        got = self.got if isinstance(self.got, str | int | float | bool | None) else repr(self.got)
        error = {"type": self.type, "what": self.what, "where": self.where, "got": got, "hint": self.hint}
        return {"error": error, "exit_code": self.exit_code}

    def __str__(self) -> str:
        lines = [f"error: {self.what}"]
        for label, text in (
            ("where", self.where),
            ("line", self.note),
            ("got", None if self.got is None else repr(self.got)),
            ("try", self.hint),
        ):
            if text:
                lines.append(f"  {label + ':':<7}{printable(text)}")
        return "\n".join(lines)


def failure_of(error: BaseException) -> Failure:
    """What to say of an error, and what to end with."""
    if isinstance(error, OSError) and not isinstance(error, StyxError):
        error = _system(error) or error
    if isinstance(error, StyxError):
        notes = [note for note in getattr(error, "__notes__", ()) if "\n" not in note]
        return Failure(
            type(error).__name__,
            error.what,
            error.exit_code,
            error.where,
            error.got,
            error.hint,
            " ".join(notes) or None,
        )
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        hint = f"{context.command_path} --help" if context is not None else "styx --help"
        return Failure("UsageError", error.format_message().rstrip("."), USAGE, hint=hint)
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return Failure("Interrupted", "interrupted", INTERRUPTED)
    if any(sign in str(error) for sign in _FULL):  # Polars writes files too, with errors of its own
        return failure_of(OutputError(f"the disk is full: {error}", hint="free some space and run the command again"))
    what = f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
    return Failure(type(error).__name__, what[:500], UNEXPECTED, hint="run again with --debug, and report what it says")


def tell(failure: Failure, *, as_json: bool, error: BaseException | None = None) -> None:
    """Say it on standard error, and as JSON on standard output where that was asked for.

    Args:
        failure: what to say.
        as_json: whether the command was called with `--json`.
        error: the error itself, to show where in Styx it came from (`--debug`).
    """
    if error is not None:
        traceback.print_exception(error)
    sys.stderr.write(f"{failure}\n")
    if as_json:
        try:
            sys.stdout.write(json.dumps(failure.as_dict(), indent=2) + "\n")
            sys.stdout.flush()
        except OSError as broken:
            # Nobody reads, or nothing can be written: standard error has said it, and the exit code says it.
            sys.stderr.write(f"error: the JSON could not be written: {broken.strerror}\n")


def printable(text: str) -> str:
    """Text with its control characters written out, so that no event's content can command a terminal.

    >>> printable("a" + chr(27) + "[2J") == "a" + chr(92) + "x1b[2J"
    True
    """
    return "".join(sign if sign.isprintable() or sign == "\n" else repr(sign)[1:-1] for sign in text)


def _system(error: OSError) -> StyxError | None:
    """The operating system's errors that a user can mend."""
    where = error.filename if isinstance(error.filename, str) else None
    if error.errno in _CANNOT_WRITE:
        hint = "free some space, or write elsewhere, and run the command again"
        return OutputError(f"cannot write: {error.strerror}", where=where, hint=hint)
    if isinstance(error, PermissionError) and where is not None:
        return OutputError(error.strerror or "not permitted", where=where, hint="check the permissions there")
    return None
