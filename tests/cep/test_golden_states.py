"""The saved state of both matchers: what was written once is read for ever, and goes on as if nothing had happened."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from styx_lab import col, matched
from styx_lab.core.batch import Batch
from styx_lab.core.events import canonical_lines
from styx_lab.core.operator import OUT, Operator
from styx_lab.core.state import decode_state, encode_state
from styx_lab.flow.pattern import AfterMatch, Pattern
from styx_lab.flow.steps import Detect
from styx_lab.flow.steps.detect import TIMED_OUT
from styx_lab.operators.cep import detect_operator
from styx_lab.testing import check_operator
from tests.cep.kit import Mark, Script, batch, stream

FOLDER = Path(__file__).parent.parent / "golden"
COLUMNS: dict[str, pl.DataType] = {
    "key": pl.String(),
    "amount": pl.Float64(),
    "status": pl.String(),
    "tries": pl.Int64(),
    "at": pl.Datetime("ms", "UTC"),
}


def chain() -> tuple[Detect, tuple[str, ...]]:
    pattern = Pattern.begin("a").where("tries < 2").times(2).consecutive().followed_by("b").where("amount > 5")
    return Detect("chain", (), pattern.within("80ms"), ()), (OUT,)


def compiled() -> tuple[Detect, tuple[str, ...]]:
    """State of every sort: a look-back at numbers, texts and times, held back matches, timers, an order of its own."""
    pattern = Pattern.begin("a", after_match=AfterMatch.skip_past_last_event()).where("tries < 3").times(1, 2)
    rise = (col("amount") > matched("a").amount.mean()) & (col("status") >= matched("a").status.last())
    pattern = pattern.followed_by("b").where(rise | (col("at") < matched("a")["at"].first()))
    pattern = pattern.followed_by("c").where("tries = 2").optional()
    step = Detect("compiled", (), pattern.within("90ms"), (), order_by="status", descending=True)
    return step, (OUT, TIMED_OUT)


WAYS = {"detect-chain-1.state": chain, "detect-compiled-2.state": compiled}


def script() -> Script:
    made: list[object] = []
    for number in range(40):
        event = {"key": "abc"[number % 3], "amount": float(number * 7 % 11), "tries": number % 4, "at": number * 1_000}
        made.append({**event, "status": ["ok", None, "declined", "é"][number % 4], "t": 1_000 + 6 * number // 2})
        if number % 5 == 4:
            made.append(Mark(1_000 + 3 * number - 9))
        if number == 15:
            # The second begins a match that is held back while the first may still become one.
            for place, amount in enumerate((10.0, 1.0, 5.0)):
                event = {"key": "d", "amount": amount, "tries": 3 * (place == 2), "at": 0, "status": "ok"}
                made.append({**event, "t": 1_050 + place})
    return made  # type: ignore[return-value]


def opened(name: str) -> Operator:
    step, ports = WAYS[name]()
    type_ = stream(COLUMNS, "key")
    outputs = step.infer([type_])
    return detect_operator(step, type_, {port: outputs[port] for port in ports})


def said(running: Operator, piece: Batch) -> dict[str, list[bytes]]:
    return {port: canonical_lines(given.frame) for port, given in running.process([piece]).ports.items()}


@pytest.mark.parametrize("name", WAYS)
def test_a_state_that_was_saved_once_goes_on_for_ever(name: str) -> None:
    first, rest = batch(script(), COLUMNS).slices(30)
    running = opened(name)
    running.process([first])
    now = running.snapshot()
    if os.environ.get("STYX_GOLDEN") == "write":
        (FOLDER / name).write_bytes(encode_state(now))
    saved = decode_state((FOLDER / name).read_bytes(), where=name)
    # Whoever changes the layout, or what its numbers mean, gives it another version.
    assert (saved.version, saved.meta) == (now.version, now.meta)
    assert {table: frame.rows() for table, frame in saved.tables.items()} == {
        table: frame.rows() for table, frame in now.tables.items()
    }
    assert all(frame.height for frame in saved.tables.values()), "state of every sort"
    again = opened(name)
    again.restore([saved])
    found = said(again, rest)
    assert found == said(running, rest)
    assert found[OUT]


@pytest.mark.laws
@pytest.mark.parametrize("name", WAYS)
def test_the_events_of_the_golden_state_keep_the_laws(name: str) -> None:
    """Matches that are held back, timers and events that wait are all there when it crashes."""
    check_operator(lambda: opened(name), batch(script(), COLUMNS))
