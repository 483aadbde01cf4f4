"""One tree of exceptions. Each says what went wrong, where, what was got, and what to do.

Every error that Styx raises on purpose derives from `StyxError` and from the builtin a Python programmer would catch.
`exit_code` is what the `styx` command ends with when the error reaches it.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "BundleError",
    "CheckpointError",
    "DataError",
    "ExpressionError",
    "FlowError",
    "InputMissingError",
    "MissingDependencyError",
    "ModelError",
    "NotFoundError",
    "OutputError",
    "RunError",
    "SchemaError",
    "StoreError",
    "StyxError",
]

_NOTHING = object()


class StyxError(Exception):
    """The root: `StyxError(what, where=..., got=..., hint=...)`.

    >>> raise StyxError("a size must be positive", where="step 'per_card'", got="-5m", hint="write size='5m'")
    Traceback (most recent call last):
        ...
    styx_lab.errors.StyxError: step 'per_card': a size must be positive; got '-5m'. Try: write size='5m'

    Args:
        what: what went wrong, as one clause.
        where: the step, file, line, model or command it happened in.
        got: the value that was found instead of a good one; shown with `repr`.
        hint: what to do about it.
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, what: str, *, where: str | None = None, got: Any = _NOTHING, hint: str | None = None) -> None:
        self.what = what
        self.where = where
        self.got = None if got is _NOTHING else got
        self.hint = hint
        text = f"{where}: {what}" if where else what
        if got is not _NOTHING:
            text += f"; got {got!r}"
        if hint:
            text += f". Try: {hint}"
        super().__init__(text)


class FlowError(StyxError, ValueError):
    """A flow that cannot be built: a wrong argument, a duplicate step name, a missing key."""

    exit_code = 64


class ExpressionError(FlowError):
    """An expression that is unknown to the schema, of the wrong type, or not row-wise."""


class SchemaError(FlowError):
    """A schema that cannot be read, or data that are not of the schema that was promised."""


class DataError(StyxError, ValueError):
    """Input that cannot be used at all: an empty recording, a wrong file format, a content hash that differs."""

    exit_code = 65


class InputMissingError(StyxError, FileNotFoundError):
    """A file or folder that was named and is not there."""

    exit_code = 66

    # FileNotFoundError formats (errno, text) pairs on its own; one sentence is what we say.
    def __str__(self) -> str:
        return str(self.args[0])


class NotFoundError(StyxError, LookupError):
    """A model, version, alias, bundle, job or step that is not in the store."""

    exit_code = 66


class ModelError(StyxError, ValueError):
    """A model that cannot be trained, exported, loaded or scored."""

    exit_code = 65


class StoreError(StyxError, RuntimeError):
    """The store refuses: it is locked, damaged, of a newer format, or a name is taken."""

    exit_code = 74


class OutputError(StyxError, OSError):
    """Output that cannot be written: a full disk, a folder without permission."""

    exit_code = 73

    def __str__(self) -> str:
        return str(self.args[0])


class CheckpointError(StyxError, RuntimeError):
    """A checkpoint or journal that cannot be trusted or does not belong to this flow."""

    exit_code = 74


class BundleError(StyxError, ValueError):
    """A bundle that was changed, is incomplete, or does not replay to its golden output."""

    exit_code = 65


class RunError(StyxError, RuntimeError):
    """A run that cannot start or go on: a lock that is held, an engine that cannot run a step."""

    exit_code = 70


class MissingDependencyError(StyxError, ImportError):
    """An optional library or program (an extra of the package, Java) that is needed and not installed."""

    exit_code = 69
