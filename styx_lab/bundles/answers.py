"""The answers from outside with which a golden output was made.

Law (promotion changes nothing): a verification asks nobody. It is answered as the promoted replay was, or fails.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from styx_lab.errors import BundleError
from styx_lab.operators.outside import Outside

if TYPE_CHECKING:
    from styx_lab.flow.steps import LookupJoin

__all__ = ["GoldenAnswers", "pack_answers"]


def pack_answers(answers: pl.DataFrame) -> bytes:
    """The answers of one step as a file of a bundle (Arrow IPC)."""
    body = io.BytesIO()
    answers.write_ipc(body, compression="uncompressed")
    return body.getvalue()


class GoldenAnswers(Outside):
    """Answers from a bundle, by step: the n-th row answers the n-th question.

    Args:
        files: what `pack_answers` gave, by step.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__({})
        self._answers = {step: pl.read_ipc(io.BytesIO(data)) for step, data in files.items()}

    def check(self, step: LookupJoin, wanted: Mapping[str, pl.DataType]) -> None:
        """Nothing has to be given."""

    def ask(self, step: LookupJoin, first: int, keys: pl.DataFrame) -> pl.DataFrame:
        """See `Outside.ask`.

        Raises:
            BundleError: when this was not asked when the flow was promoted.
        """
        known = self._answers.get(step.name)
        answers = None if known is None else known[first : first + keys.height]
        if answers is None or not answers.select(step.on).equals(keys):
            raise BundleError(
                "the golden recording asks for other keys than when the flow was promoted",
                where=f"{step.where}, question {first}",
                hint="promote the flow again and look at what changed",
            )
        return answers
