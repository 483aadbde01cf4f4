"""A model as a notebook shows it: what it takes, what it gives, what was measured, what it is made of.

Law: what is shown comes from the file and what training kept; every text is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

__all__ = ["METRICS", "ModelCard"]

METRICS: Final = (
    "auc",
    "precision",
    "recall",
    "accuracy",
    "log_loss",
    "r2",
    "root_mean_squared_error",
    "mean_absolute_error",
)
"""What a card shows of a report, in this order, where it was measured."""

_STYLE: Final = """
.styx-model{font:13px/1.5 system-ui,sans-serif;max-width:46em;border:1px solid #8884;border-radius:8px;padding:.8em 1em;
 color:inherit;background:transparent}
.styx-model h4{margin:0;font-size:15px;font-weight:600}
.styx-model .kind{opacity:.7;margin:0 0 .6em}
.styx-model .alias{display:inline-block;font-size:11px;font-weight:600;padding:0 .6em;margin-left:.5em;
 border-radius:9px;background:#2a78d622;color:#2a78d6}
.styx-model .parts{display:flex;flex-wrap:wrap;align-items:flex-start;gap:1em 2.2em}
.styx-model table{border-collapse:collapse;background:transparent;margin:0;font:inherit;color:inherit}
.styx-model td,.styx-model th{padding:.1em .9em .1em 0;text-align:left;border:0;font-weight:400;background:transparent}
.styx-model th{opacity:.6;font-size:11px}
.styx-model td.n{text-align:right;font-variant-numeric:tabular-nums}
.styx-model .type{opacity:.6}
.styx-model .bar{display:inline-block;height:.65em;border-radius:2px;background:#2a78d6;vertical-align:baseline}
.styx-model .foot{opacity:.7;margin-top:.7em;font-size:12px;overflow-wrap:anywhere}
"""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a notebook shows of a model; `_repr_html_` is the picture, `str()` the same as text.

    >>> print(ModelCard("fraud@1", "RegressionModel, classification", inputs={"amount": "Float64"}))
    fraud@1: RegressionModel, classification
      inputs:   amount Float64

    Attributes:
        name: of the model.
        what: its kind and what it predicts.
        aliases: names that point at it.
        inputs: the columns that it needs, with their types.
        importance: the share of each, 0 to 1, and how it was measured.
        importance_by: `coefficients`, `splits`, `permutation`; empty where there is none.
        outputs: what it gives, with types.
        metrics: what was measured, and on which rows.
        measured_on: those rows.
        facts: further lines: verification, size, sha256, note.
    """

    name: str
    what: str
    aliases: Sequence[str] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    importance: Mapping[str, float | None] = field(default_factory=dict)
    importance_by: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    measured_on: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.what}" + (f" ({', '.join(self.aliases)})" if self.aliases else "")]
        said = {
            "inputs": ", ".join(f"{name} {kind}" for name, kind in self.inputs.items()),
            "outputs": ", ".join(f"{name} {kind}" for name, kind in self.outputs.items()),
            "measured": ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items()),
            **self.facts,
        }
        lines += [f"  {name + ':':<9} {text}" for name, text in said.items() if text]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        aliases = "".join(f'<span class="alias">{escape(alias)}</span>' for alias in self.aliases)
        parts = [self._inputs()]
        if self.outputs:
            parts.append(_table(("output", ""), ((escape(n), _type(t)) for n, t in self.outputs.items())))
        if self.metrics:
            head = f"measured on {self.measured_on} rows" if self.measured_on else "measured"
            parts.append(
                _table((head, ""), ((escape(name), f"{value:.4g}") for name, value in self.metrics.items()), numbers=1)
            )
        foot = " · ".join(f"{escape(name)} {escape(text)}" for name, text in self.facts.items() if text)
        return (
            f"<style>{_STYLE}</style><div class='styx-model'><h4>{escape(self.name)}{aliases}</h4>"
            f"<p class='kind'>{escape(self.what)}</p><div class='parts'>{''.join(parts)}</div>"
            f"<div class='foot'>{foot}</div></div>"
        )

    def _inputs(self) -> str:
        shares = [share for share in self.importance.values() if share is not None]
        most = max(shares, default=0.0)
        if not most:
            return _table(("input", ""), ((escape(name), _type(kind)) for name, kind in self.inputs.items()))
        rows = []
        for name, kind in self.inputs.items():
            share = self.importance.get(name)
            width = 0.0 if share is None else 6 * share / most
            bar = "" if share is None else f"<span class='bar' style='width:{width:.2f}em'></span> {share:.0%}"
            rows.append((escape(name), _type(kind), bar))
        by = f"importance by {self.importance_by}" if self.importance_by else "importance"
        return _table(("input", "", by), rows)


def _type(kind: str) -> str:
    return f"<span class='type'>{escape(kind)}</span>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: int | None = None) -> str:
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    lines = ""
    for row in rows:
        cells = "".join(f"<td{' class=n' if at == numbers else ''}>{cell}</td>" for at, cell in enumerate(row))
        lines += f"<tr>{cells}</tr>"
    return f"<table><tr>{titles}</tr>{lines}</table>"
