"""Verification: a bundle replays its golden recording to its golden output, byte for byte, in a process of its own.

Law (promotion changes nothing): what was seen in the notebook is what will run. The process that verifies knows
nothing but the bundle's bytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from styx_lab.bundles.bundle import Bundle, read_bundle
from styx_lab.connectors.recording import RecordingSource
from styx_lab.core.events import canonical_lines
from styx_lab.engines.chain import Chain
from styx_lab.engines.feed import Feed
from styx_lab.engines.plan import inputs_of
from styx_lab.errors import BundleError

__all__ = ["Verified", "replay_golden", "verify_in_clean_process"]

_SECONDS: Final = 600
_BATCH: Final = 10_000
_CLEAN: Final = """\
import sys
home = sys.argv[1]
if home not in sys.path:
    sys.path.insert(0, home)
from styx_lab.bundles.verify import main
sys.exit(main(sys.argv[2]))
"""
"""An isolated process finds packages that are installed, and no others; this very copy of Styx may be none of them, and
what another copy gives is not what is to be verified."""


_HOME: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
"""The folder that this copy of the package is in."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification found: events replayed, and rows by output, all equal to the golden ones."""

    events: int
    outputs: dict[str, int]


def replay_golden(bundle: Bundle) -> Verified:
    """Replay the golden recordings in this process and compare.

    Raises:
        BundleError: when an output differs, with the first line that does.
    """
    with tempfile.TemporaryDirectory(prefix="styx-golden-") as folder:
        sources = {}
        for source in bundle.manifest["golden"]:
            path = Path(folder) / f"{source}.recording.parquet"
            path.write_bytes(bundle.golden_recording(source))
            sources[source] = RecordingSource(path)
        feed = Feed(sources)
        try:
            chain = Chain(bundle.flow(), inputs_of(sources), bundle.open_model(), bundle.golden_answers())
            lines: dict[str, list[bytes]] = {name: [] for name in chain.plan.output_schemas()}
            while (piece := feed.next(_BATCH)) is not None:
                for name, frame in chain.feed(piece).items():
                    lines[name] += canonical_lines(frame)
            for name, frame in chain.end(feed.count).items():
                lines[name] += canonical_lines(frame)
        finally:
            feed.close()
    for name, found in lines.items():
        _compare(bundle, name, found)
    return Verified(feed.count, {name: len(found) for name, found in lines.items()})


def _compare(bundle: Bundle, output: str, found: list[bytes]) -> None:
    golden = bundle.golden_output(output)
    if golden == b"".join(line + b"\n" for line in found):
        return
    expected = golden.splitlines()
    pairs = enumerate(zip(expected, found, strict=False), start=1)
    differing = (number for number, (one, other) in pairs if one != other)
    first = next(differing, min(len(expected), len(found)) + 1)
    raise BundleError(
        "the golden recording gives another output than when the flow was promoted",
        where=f"bundle {bundle.name!r}, output {output!r}, line {first}",
        got=f"{len(found)} lines; the golden output has {len(expected)}",
        hint="promote the flow again and look at what changed",
    )


def verify_in_clean_process(data: bytes) -> Verified:
    """Verify a bundle in a new Python process that shares nothing with this one.

    Raises:
        BundleError: when the bundle is refused.
    """
    with tempfile.NamedTemporaryFile(prefix="styx-bundle-", suffix=".zip") as file:
        file.write(data)
        file.flush()
        command = [sys.executable, "-I", "-c", _CLEAN, _HOME, file.name]
        try:
            # Ctrl-C in a terminal is for this process, which may be draining a job; it is not for that one.
            done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False, start_new_session=True)
        except subprocess.TimeoutExpired as error:
            raise BundleError("the verification took too long", where="bundle", got=f"{_SECONDS} s") from error
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise BundleError(
            "the process that verifies the bundle failed", where="bundle", got=said[-1] if said else done.returncode
        ) from error
    if "refused" in answer:
        raise BundleError(answer["refused"])
    return Verified(answer["events"], answer["outputs"])


def main(path: str) -> int:
    """What the clean process does: verify, and say how it went as one line of JSON."""
    from styx_lab.errors import StyxError

    try:
        verified = replay_golden(read_bundle(Path(path).read_bytes()))
    except StyxError as error:
        sys.stdout.write(json.dumps({"refused": str(error)}) + "\n")
        return error.exit_code
    sys.stdout.write(json.dumps({"events": verified.events, "outputs": verified.outputs}) + "\n")
    return 0
