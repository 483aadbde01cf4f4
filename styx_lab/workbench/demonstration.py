"""The whole loop in one action: sample, train, replay on streamz, promote, run headless, run and kill, compare.

Law: what the three runs wrote is the same, byte for byte, or the demonstration fails.
"""

from __future__ import annotations

import json
import random
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from styx_lab.engines.result import Result, digest_lines
from styx_lab.engines.runner.journal import committed_count
from styx_lab.engines.runner.runner import RunSettings
from styx_lab.engines.runner.segments import read_output
from styx_lab.errors import RunError
from styx_lab.flow.flow import Flow
from styx_lab.samples.card_fraud import FEATURES, card_fraud
from styx_lab.samples.cards import generate_cards
from styx_lab.workbench.headless import start_job
from styx_lab.workbench.promotion import promote
from styx_lab.workbench.replays import replay
from styx_lab.workbench.training import train

__all__ = ["demonstrate"]

_KILLS: Final = 3
_SECONDS: Final = 3.0
"""How long the run that is killed would take undisturbed, so that there is something to kill."""


def demonstrate(folder: Path, *, events: int = 200_000, tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Run the whole loop on sample data and give its figures.

    Args:
        folder: where data, store and jobs go; made if need be.
        events: card payments in the sample, 1,000 or more.
        tell: is told what happens, a sentence at a time.

    Raises:
        RunError: when the runs differ, or a job fails.
    """
    seconds: dict[str, float] = {}
    store = folder / "store.db"

    tell(f"Making {events:,} card payments with card-testing attacks among them")
    with _timed(seconds, "sample"):
        paths = generate_cards(events).write(folder)
    tell("Training a model on last month's cases and exporting it to PMML")
    with _timed(seconds, "train"):
        trained = train("fraud", paths["history"], target="fraud", features=FEATURES, store=store, alias="champion")
    flow = card_fraud(paths["customers"])
    tell("Replaying the recording through the flow on streamz, with event-time windows")
    with _timed(seconds, "replay"):
        result = replay(flow, paths["payments"], store=store)
    tell("Promoting the same flow: packing it, and replaying its golden recording in a clean process")
    with _timed(seconds, "promote"):
        promotion = promote(
            flow, paths["payments"], store=store, modules=["styx_lab.samples.card_fraud"], alias="production"
        )
    tell("Running the promoted bundle headless")
    inputs = {"payments": str(paths["payments"])}
    with _timed(seconds, "run"):
        calm = _finish(start_job(promotion.bundle, inputs, job="calm", store=store))
    tell(f"Running it again, killed with SIGKILL at {_KILLS} random moments")
    with _timed(seconds, "run_killed"):
        killed_at = _run_and_kill(promotion.bundle, inputs, folder, store, events)
    digests = {
        "streamz": result.digest(),
        "runner": _digest(flow, folder / "jobs" / "calm"),
        "runner_killed": _digest(flow, folder / "jobs" / "killed"),
    }
    if len(set(digests.values())) != 1:
        raise RunError("the runs gave different notifications", where="demo", got=digests)
    if calm["outcome"]["summary"] != result.summary:
        raise RunError("the runs counted differently", where="demo", got=(calm["outcome"]["summary"], result.summary))
    tell("All three wrote the same notifications")
    return {
        **result.summary,
        "sha256": digests,
        "killed_at": killed_at,
        **_against_truth(result, paths["truth"]),
        "model": {"name": trained.model, **{name: trained.report[name] for name in ("auc", "precision", "recall")}},
        "bundle": promotion.bundle,
        "golden": {"events": promotion.golden_events, "outputs": promotion.golden_outputs},
        "dead_letters": dict(sorted(result.dead_letters["reason"].value_counts().iter_rows())),
        "steps": result.counters,
        "seconds": {name: round(spent, 2) for name, spent in seconds.items()},
        "total_seconds": round(sum(seconds.values()), 2),
        "peak_memory_mb": _peak_memory_mb(),
        "folder": str(folder),
    }


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - started


def _finish(process: Any) -> dict[str, Any]:
    try:
        said, complained = process.communicate()
    except BaseException:
        # The job has a session of its own: Ctrl-C does not reach it.
        process.kill()
        raise
    try:
        answer: dict[str, Any] = json.loads(said)
    except ValueError as error:
        raise RunError(
            "the job's process failed", where="demo", got=complained.decode(errors="replace")[-500:]
        ) from error
    if "error" in answer:
        raise RunError(answer["error"], where="demo")
    return answer


def _run_and_kill(bundle: str, inputs: dict[str, str], folder: Path, store: Path, events: int) -> list[dict[str, int]]:
    settings = RunSettings(batch=2_000, commit_every=0.05, checkpoint_every=0.4, rate=events / _SECONDS)
    chance = random.SystemRandom()
    journal = folder / "jobs" / "killed" / "journal"
    killed_at = []
    for moment in sorted(chance.uniform(0.05, 0.9) for _ in range(_KILLS)):
        process = start_job(bundle, inputs, job="killed", store=store, settings=settings)
        wanted = int(moment * events)
        try:
            while process.poll() is None and committed_count(journal) < wanted:
                time.sleep(0.005)
            # Anywhere between two commits, or within one.
            time.sleep(chance.uniform(0, 2 * settings.commit_every))
            if process.poll() is not None:
                _finish(process)
        finally:
            process.kill()
            process.wait()
        killed_at.append({"wanted": wanted, "committed": committed_count(journal)})
    _finish(start_job(bundle, inputs, job="killed", store=store, settings=settings))
    return killed_at


def _digest(flow: Flow, job: Path) -> str:
    return digest_lines(line for name in flow.notification_outputs for line in read_output(job / "out", name))


def _against_truth(result: Result, truth: Path) -> dict[str, Any]:
    """How many of the alerted payments drained a card, and how many of the drains were alerted."""
    attacks = {json.loads(line)["drain_payment_id"] for line in truth.read_text().splitlines()}
    event = result.outputs["notifications"]["event"]
    alerted = set(event.struct.field("drain").struct.field("payment_id").to_list())
    found = len(alerted & attacks)
    return {
        "attacks": len(attacks),
        "payments_alerted": len(alerted),
        "attacks_found": found,
        "precision": round(found / len(alerted), 4) if alerted else None,
        "recall": round(found / len(attacks), 4) if attacks else None,
    }


def _peak_memory_mb() -> int:
    kib = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return kib // 1024
