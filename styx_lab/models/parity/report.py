"""What a parity check found: a table, a verdict in words, a picture, JSON that a store can keep.

Law: a report says who was compared with whom, on how many rows, and how near they must come; what it does not say was
not tried.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final

import polars as pl

from styx_lab.core.paint import MONO
from styx_lab.models.parity.asking import SCIKIT_LEARN
from styx_lab.models.parity.compare import PairReport

__all__ = ["ParityReport"]

_REFUSING: Final = ("training", "examples", "generated", "boundaries", "embedded")
"""Sets of good rows: that an evaluator refuses one to which scikit-learn has an answer is a difference too."""
_STRICT: Final = "jpmml"
"""The reference that says of every row what PMML means; pypmml refuses more, and says so when it loads a model."""


@dataclass(frozen=True, slots=True)
class ParityReport:
    """What scikit-learn, the native evaluator and a reference make of the same rows; a notebook shows it.

    Attributes:
        name: of the model.
        sha256: of its PMML.
        precision: how far apart two numbers may be, as a share, and still count as equal.
        reference: the evaluator it is held against: `jpmml`, `pypmml`, or `None`.
        pairs: what each set showed of each two.
        why: where the precision comes from, in words.
        notes: what could not be compared, or was left out, and why.
        causes: the known differences that the model gives cause for: name and explanation.
        seed: of the generated rows.
    """

    name: str
    sha256: str
    precision: float
    reference: str | None
    pairs: tuple[PairReport, ...]
    why: str = ""
    notes: tuple[str, ...] = ()
    causes: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0

    @property
    def passed(self) -> bool:
        """Whether no two are further apart than the precision, and no good row is refused by one alone.

        A known difference is a difference all the same. What pypmml alone is known to reckon otherwise does not count.
        """
        return not self.differing

    @property
    def differing(self) -> int:
        """Rows by which it does not pass, over all pairs."""
        return sum(_differing(pair) + _refused(pair) for pair in self.pairs)

    @property
    def _answering(self) -> set[str | None]:
        """Those who answered at least one row together with another."""
        return {name for pair in self.pairs for name in (pair.left, pair.right) if pair.equal or pair.differing}

    @property
    def known(self) -> dict[str, int]:
        """Of the differences found, how many each known one explains."""
        found: dict[str, int] = {}
        for pair in self.pairs:
            for name, count in pair.known.items():
                found[name] = found.get(name, 0) + count
        return found

    @property
    def verdict(self) -> str:
        """The answer in a line."""
        rows = sum(size for size in {pair.set: pair.rows for pair in self.pairs}.values())
        there = self._answering
        who = _listed([name for name in (SCIKIT_LEARN, "native", self.reference) if name is not None and name in there])
        if self.passed and len([name for name in there if name != "embedded"]) < 2:
            return f"no row was answered by two of those who were asked about {rows:,} rows"
        if self.passed:
            worst = max((pair.max_relative or 0.0 for pair in self.pairs if not pair.differing), default=0.0)
            near = f"; the greatest difference is {worst:.1e}" if worst else ", to the last bit"
            silent = self.reference is not None and self.reference not in there
            alone = f"; {self.reference} refuses all of them" if silent else ""
            return f"{who} agree within {self.precision:g} on {rows:,} rows{near}{alone}" + _known(self.known)
        parts = []
        for pair in self.pairs:
            if _differing(pair):
                share = "" if pair.max_relative is None else f" (up to {pair.max_relative:.1e})"
                of = f"{_differing(pair):,} of {pair.rows:,} {pair.set} rows"
                parts.append(f"{pair.left} and {pair.right} differ in {of}{share}")
            if _refused(pair):
                parts.append(f"{_refuser(pair)} alone refuses {_refused(pair):,} of {pair.rows:,} {pair.set} rows")
        known = self.known
        unexplained = self.differing - sum(known.values())
        rest = f"; {unexplained:,} not explained" if known and unexplained > 0 else ""
        return f"beyond {self.precision:g}: " + "; ".join(parts) + _known(known) + rest

    def table(self) -> pl.DataFrame:
        """A row for each set and two: how many are equal, how far apart the others are, who refused alone."""
        schema = {
            "set": pl.String, "left": pl.String, "right": pl.String, "rows": pl.Int64, "equal": pl.Int64,
            "same": pl.Int64, "differing": pl.Int64, "known": pl.Int64, "refused": pl.Int64,
            "only_left_refuses": pl.Int64, "only_right_refuses": pl.Int64, "max_absolute": pl.Float64,
            "max_relative": pl.Float64,
        }  # fmt: skip
        rows = [
            {name: getattr(pair, name) if name != "known" else sum(pair.known.values()) for name in schema}
            for pair in self.pairs
        ]
        return pl.DataFrame(rows, schema=schema)

    def examples(self) -> pl.DataFrame:
        """The first few differing rows of each set: their inputs and both answers, as text."""
        schema = {
            "set": pl.String, "row": pl.Int64, "what": pl.String, "left": pl.String, "right": pl.String,
            "left_answer": pl.String, "right_answer": pl.String, "relative": pl.Float64, "known": pl.String,
            "inputs": pl.String,
        }  # fmt: skip
        rows = [
            {
                "set": pair.set,
                "row": each.row,
                "what": each.what,
                "left": pair.left,
                "right": pair.right,
                "left_answer": _said(each.answers.get(pair.left)),
                "right_answer": _said(each.answers.get(pair.right)),
                "relative": each.relative,
                "known": each.known,
                "inputs": ", ".join(f"{name}={_value(value)}" for name, value in each.inputs.items()),
            }
            for pair in self.pairs
            for each in pair.examples
        ]
        return pl.DataFrame(rows, schema=schema)

    def plot(self) -> str:
        """How far apart, on a scale of powers of ten, as self-contained SVG for light and dark pages."""
        from styx_lab.models.parity.as_svg import as_svg

        return as_svg(self)

    def to_json(self, *, examples: bool = True) -> dict[str, Any]:
        """The whole as JSON values.

        Args:
            examples: whether to keep the inputs of differing rows.
        """
        pairs = [pair.to_json() for pair in self.pairs]
        return {
            "name": self.name,
            "sha256": self.sha256,
            "passed": self.passed,
            "verdict": self.verdict,
            "precision": self.precision,
            "why": self.why,
            "reference": self.reference,
            "seed": self.seed,
            "causes": dict(self.causes),
            "notes": list(self.notes),
            "pairs": pairs if examples else [{**pair, "examples": []} for pair in pairs],
        }

    @staticmethod
    def from_json(given: Mapping[str, Any]) -> ParityReport:
        """What `to_json` gave, perhaps years ago."""
        return ParityReport(
            name=given["name"],
            sha256=given["sha256"],
            precision=given["precision"],
            reference=given["reference"],
            pairs=tuple(PairReport.from_json(each) for each in given["pairs"]),
            why=given["why"],
            notes=tuple(given["notes"]),
            causes=dict(given["causes"]),
            seed=given["seed"],
        )

    @property
    def text(self) -> str:
        """The verdict, the table and the notes."""
        lines = [f"parity of model {self.name!r}: {self.verdict}"]
        lines += [f"  {line}" for line in _aligned(self)]
        for name, text in self.causes.items():
            count = self.known.get(name, 0)
            lines.append(f"  known: {name} ({f'{count:,} rows' if count else 'not met'}): {text}")
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_svg_(self) -> str:
        return self.plot()

    def _repr_html_(self) -> str:
        return (
            f'{self.plot()}<pre class="styx-parity" style="font-family:{MONO};font-size:12px">{escape(self.text)}</pre>'
        )


def _known(known: Mapping[str, int]) -> str:
    return "".join(f"; known: {name} ({count:,} rows)" for name, count in known.items())


def _differing(pair: PairReport) -> int:
    """Rows that differ and should not."""
    return pair.unexplained if pair.right == "pypmml" else pair.differing


def _refused(pair: PairReport) -> int:
    """Rows that one refuses alone and should not."""
    if pair.left == SCIKIT_LEARN:
        return pair.only_right_refuses if pair.set in _REFUSING else 0
    if pair.right == _STRICT:
        return pair.only_left_refuses + pair.only_right_refuses
    return pair.only_right_refuses if pair.left == "embedded" else 0


def _refuser(pair: PairReport) -> str:
    if pair.only_left_refuses and pair.only_right_refuses and pair.right == _STRICT:
        return f"one of {pair.left} and {pair.right}"
    return pair.left if pair.only_left_refuses and pair.right == _STRICT else pair.right


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names) or "nobody"


def _said(answer: Any) -> str:
    if not isinstance(answer, Mapping):
        return _value(answer)
    if "error" in answer:
        return f"refused: {answer['error']}"
    return ", ".join(f"{name}={_value(value)}" for name, value in answer.items())


def _value(value: Any) -> str:
    return "missing" if value is None else repr(value)


def _aligned(report: ParityReport) -> list[str]:
    """The table as text, for a terminal."""
    head = ["set", "of", "rows", "equal", "differing", "known", "refused", "by one alone", "max relative"]
    body = [head]
    for pair in report.pairs:
        alone = [
            f"{count:,} {who}"
            for count, who in ((pair.only_left_refuses, pair.left), (pair.only_right_refuses, pair.right))
            if count
        ]
        body.append(
            [
                pair.set,
                f"{pair.left}, {pair.right}",
                f"{pair.rows:,}",
                f"{pair.equal:,}",
                f"{pair.differing:,}",
                f"{sum(pair.known.values()):,}",
                f"{pair.refused:,}",
                ", ".join(alone) or "0",
                "" if pair.max_relative is None else f"{pair.max_relative:.1e}",
            ]
        )
    widths = [max(len(row[place]) for row in body) for place in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if place < 2 or place == 7 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in body
    ]
