"""Promote: pack a flow with all it needs, verify it in a clean process, keep it in the store."""

from __future__ import annotations

import inspect
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from styx_lab.bundles.bundle import pack_bundle, read_bundle
from styx_lab.bundles.verify import verify_in_clean_process
from styx_lab.connectors import Recording, RecordingSource
from styx_lab.connectors.recording import is_recording
from styx_lab.core.events import canonical_lines
from styx_lab.core.time import ms_iso
from styx_lab.engines.streamz import replay
from styx_lab.errors import BundleError, FlowError
from styx_lab.flow.flow import Flow
from styx_lab.operators.outside import AnswersInMemory, Outside
from styx_lab.stores import SqliteStore
from styx_lab.workbench.inputs import Inputs, named_inputs
from styx_lab.workbench.lookups import Lookups, opened_lookups
from styx_lab.workbench.models import flow_models, store_models

__all__ = ["Promotion", "promote"]


@dataclass(frozen=True, slots=True)
class Promotion:
    """What was promoted.

    Attributes:
        bundle: the bundle with its version, as `card-fraud@1`.
        flow: hash of the flow.
        sha256: hash of the bundle.
        models: the models it carries, as `fraud@1`.
        golden_events: events of the golden recording that were replayed in the clean process.
        golden_outputs: rows of each golden output, all reproduced byte for byte.
    """

    bundle: str
    flow: str
    sha256: str
    models: tuple[str, ...]
    golden_events: int
    golden_outputs: dict[str, int]


def promote(
    flow: Flow,
    golden: Inputs,
    *,
    store: str | Path | None = None,
    events: int = 20_000,
    modules: Sequence[str | ModuleType] = (),
    alias: str | None = None,
    lookups: Lookups | None = None,
    clock: Callable[[], int] | None = None,
) -> Promotion:
    """Make a bundle of a flow: what was prototyped is what will run.

    The golden output is what the flow gives on streamz, here and now. The bundle is kept only if a clean process,
    which runs the operators without streamz, gives the same bytes.

    Args:
        flow: what to promote.
        golden: a recording; by source name where the flow has several sources.
        store: the store with the models, and for the bundle; the default one where none is named.
        events: how much of the recording's beginning to take.
        modules: modules whose source to pack: where the flow is written down.
        alias: a name such as `production` to give the new version.
        lookups: what the flow looks up in, by name, as for `replay`; the bundle keeps what they answered to the golden
            input.
        clock: epoch ms now.

    Raises:
        BundleError: when the clean process gives another output, or the golden input is no recording.
        RunError: when a lookup is missing or does not fit.
    """
    from time import time_ns

    log = AnswersInMemory()
    with SqliteStore(store) as kept:
        records = flow_models(flow, kept)
        with tempfile.TemporaryDirectory(prefix="styx-promote-") as folder:
            recordings = _recordings(flow, golden, Path(folder), events)
            sources = {name: RecordingSource(path) for name, path in recordings.items()}
            with opened_lookups(flow, lookups) as known:
                result = replay(flow, sources, store_models(store), outside=Outside(known, log))
            data = pack_bundle(
                flow,
                models=records,
                golden={name: path.read_bytes() for name, path in recordings.items()},
                outputs={name: canonical_lines(frame) for name, frame in result.outputs.items()},
                modules=_sources_of(modules),
                created=ms_iso(clock() if clock else time_ns() // 1_000_000),
                answers=log.all(),
            )
        bundle = read_bundle(data)
        verified = verify_in_clean_process(data)
        version = kept.put_bundle(
            flow.name, data, meta={"flow": flow.hash, "outputs": verified.outputs, "events": verified.events}
        )
        if alias is not None:
            kept.set_alias("bundle", flow.name, alias, version)
    return Promotion(
        f"{flow.name}@{version}",
        flow.hash,
        bundle.sha256,
        tuple(f"{record.name}@{record.version}" for record in records.values()),
        verified.events,
        verified.outputs,
    )


def _recordings(flow: Flow, golden: Inputs, folder: Path, events: int) -> dict[str, Path]:
    paths = {}
    for name, given in named_inputs(flow, golden).items():
        if not isinstance(given, str | Path) or not is_recording(given):
            raise BundleError(
                "a golden input must be a recording", where=f"source {name!r}", got=given, hint="NAME.recording.parquet"
            )
        recording = Recording.open(given)
        recording.verify()
        paths[name] = folder / f"{name}.recording.parquet"
        recording.cut(0, min(events, len(recording)), paths[name])
    return paths


def _sources_of(modules: Sequence[str | ModuleType]) -> dict[str, str]:
    found = {}
    for one in modules:
        module = sys.modules[one] if isinstance(one, str) else one
        try:
            found[module.__name__] = inspect.getsource(module)
        except (OSError, TypeError) as error:
            raise FlowError("the module's source cannot be read", where=f"module {module.__name__!r}") from error
    return found
