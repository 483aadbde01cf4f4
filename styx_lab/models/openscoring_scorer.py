"""A remote scorer: rows go to an Openscoring server in batches, answers come back one a row.

Law: an answer is a function of the row and of the model's bytes. The model's hash is read from the server when it is
opened and again after each batch, so that a replay, which may ask again, gets the same answers; another model there
stops the run. That the server is away stops the run, too: it makes no row a dead letter.
"""

from __future__ import annotations

import hashlib
import math
import re
import threading
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from styx_lab.errors import ModelError, RunError
from styx_lab.models.guard import PmmlLimits, check_pmml
from styx_lab.models.jpmml_outputs import with_probabilities
from styx_lab.models.openscoring_client import OpenscoringClient, OpenscoringSettings, RefusedError
from styx_lab.models.row_scorer import Reply, RowScorer, plain_reason

__all__ = ["OpenscoringScorer"]

_INFINITE: Final = {math.inf: "Infinity", -math.inf: "-Infinity"}
"""JSON has no word for them; as text both JPMML and our own server read them as numbers."""
_HASHES: Final = ("file.checksum", "file.md5sum")
"""Where a server says which file it has: SHA-256 (Openscoring 2), MD5 (before)."""


class OpenscoringScorer(RowScorer):
    """Score on a server: `OpenscoringScorer("fraud@3", pmml, settings)` is a `Scorer`.

    The file goes through the guard here; then the server is asked whether it has it (by its hash), and is given it
    where it has not. It is called `fraud-3-HASH` there, so that neither another version nor another team's model takes
    its place.

    Args:
        name: what to call the model in errors, with its version.
        pmml: the file's bytes.
        settings: where the server is.
        limits: how big the file may be.

    State: none between rows; the connections. The server holds the model.

    Time: the wall clock alone: a request that fails is sent again after 0.1 s, 0.2 s, ... as long as `settings` say.

    Raises:
        ModelError: when the file is refused here or there, or its embedded rows come out otherwise.
        RunError: when the server does not answer, or has another model and must not be given this one.
        MissingDependencyError: when the extra `openscoring` is not installed.
    """

    def __init__(
        self, name: str, pmml: bytes, settings: OpenscoringSettings, *, limits: PmmlLimits | None = None
    ) -> None:
        summary = check_pmml(pmml, name=name, limits=limits or PmmlLimits())
        super().__init__(summary)
        # A server keeps to itself what the file does not give out.
        inner = {each.name for each in summary.outputs if not each.final}
        self._further = {name: each for name, each in self._further.items() if name not in inner}
        self._pmml = with_probabilities(pmml, summary)
        self._hashes = {_hash(each) for each in {pmml, self._pmml} for _hash in (_sha256, _md5)}
        self._settings = settings
        self._id = settings.model or _remote_name(name, self._pmml)
        self._client = OpenscoringClient(settings, f"model {name!r}")
        self._lock = threading.RLock()
        try:
            self._place()
            self._probe()
            self._verify("the server")
        except BaseException:
            self._client.close()
            raise

    @property
    def remote_name(self) -> str:
        """What the model is called on the server."""
        return self._id

    def close(self) -> None:
        """Let go of the connections; the model stays on the server. May be called twice."""
        super().close()
        self._client.close()

    def _place(self) -> None:
        """See to it that the server has the model."""
        found = self._found()
        if found is not None and found in self._hashes:
            return
        if not self._settings.upload:
            said = "has no such model" if found is None else f"has another model, of hash {found[:12]}"
            raise RunError(
                f"the server {said}", where=f"{self._client.where}, {self._id!r}", hint="put it there, or allow upload"
            )
        try:
            answer = self._client.ask("PUT", f"/model/{self._id}", self._pmml, xml=True)
        except RefusedError as error:
            raise ModelError(
                f"the server cannot read it: {plain_reason(error.message)}",
                where=self._client.where,
                hint="choose another engine",
            ) from error
        if self._told(answer) not in self._hashes:
            raise self._client.unsound(f"it was given {self._id!r} and has another file of that name")

    def _found(self) -> str | None:
        """The hash of the model that the server has; `None` when it has none."""
        try:
            return self._told(self._client.ask("GET", f"/model/{self._id}"))
        except RefusedError as error:
            if error.status == 404:
                return None
            raise self._client.unsound(f"status {error.status}: {error.message}") from error

    def _told(self, answer: dict[str, Any]) -> str:
        properties = answer.get("properties")
        for name in _HASHES:
            found = properties.get(name) if isinstance(properties, dict) else None
            if isinstance(found, str):
                return found.lower()
        raise self._client.unsound(f"it does not tell the hash of {self._id!r} ({' or '.join(_HASHES)})")

    def _probe(self) -> None:
        """One row without values: whatever is said of it, the server answers as it should."""
        self._post([], [()])

    def _ask(self, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], wanted: frozenset[str]) -> list[Reply]:
        replies: list[Reply] = []
        with self._lock:
            for start in range(0, len(rows), self._settings.rows):
                replies += self._ask_some(columns, rows[start : start + self._settings.rows])
            # Whose answers these are: nobody put another model there meanwhile.
            found = self._found()
            if found not in self._hashes:
                raise RunError(
                    "the model on the server was changed while it was asked; the answers are dropped",
                    where=f"{self._client.where}, {self._id!r}",
                    got=found,
                    hint="start the job again: it puts its model back, or asks under another name (model=...)",
                )
        return replies

    def _ask_some(self, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> list[Reply]:
        """Ask; a batch that is refused whole is asked in halves, so that one row costs its neighbours nothing."""
        try:
            return self._post(columns, rows)
        except RefusedError as error:
            if error.status == 404:
                self._place()  # the server was started anew, and holds its models in memory
                return self._again(columns, rows)
            if len(rows) == 1:
                return [self._refused(error.message)]
        middle = len(rows) // 2
        return self._ask_some(columns, rows[:middle]) + self._ask_some(columns, rows[middle:])

    def _again(self, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> list[Reply]:
        try:
            return self._post(columns, rows)
        except RefusedError as error:
            if error.status == 404:
                raise self._client.unsound(f"{self._id!r} was put there and is not there") from error
            if len(rows) == 1:
                return [self._refused(error.message)]
        middle = len(rows) // 2
        return self._ask_some(columns, rows[:middle]) + self._ask_some(columns, rows[middle:])

    def _post(self, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> list[Reply]:
        requests = [
            {
                "id": str(number),
                "arguments": {
                    name: _INFINITE.get(value, value) if isinstance(value, float) else value
                    for name, value in zip(columns, row, strict=True)
                },
            }
            for number, row in enumerate(rows)
        ]
        body = msgspec.json.encode({"id": "styx", "requests": requests})
        answer = self._client.ask("POST", f"/model/{self._id}/batch", body)
        responses = answer.get("responses")
        if not isinstance(responses, list) or len(responses) != len(rows):
            raise self._client.unsound(f"{len(rows)} rows were asked for, and there are not as many responses")
        return [self._reply(number, response) for number, response in enumerate(responses)]

    def _reply(self, number: int, response: Any) -> Reply:
        if not isinstance(response, dict) or response.get("id") != str(number):
            raise self._client.unsound("responses do not come in the order of the rows")
        message, results = response.get("message"), response.get("results")
        if message is not None:
            return self._refused(str(message))
        if not isinstance(results, dict):
            raise self._client.unsound("a response has neither results nor a message")
        return results

    def _refused(self, reason: str) -> str:
        return f"model {self.name!r}: the server refused this row: {plain_reason(reason)}"


def _remote_name(name: str, pmml: bytes) -> str:
    """A name that Openscoring takes: letters, digits, `-`, `.`, `_`."""
    plain = re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-._")[:80] or "model"
    return f"{plain}-{_sha256(pmml)[:16]}"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
