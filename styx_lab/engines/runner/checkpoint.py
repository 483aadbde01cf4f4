"""Checkpoints: the state of every step at one place of the input, as files with a manifest.

Law: a checkpoint is complete when its folder has its own name, which it gets last; every file in it is checked by
SHA-256 when it is read. A damaged one is passed over for an older one, and said so.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from styx_lab.core.state import State, decode_state, encode_state
from styx_lab.engines.runner.durable import PARTIAL, cannot_write, sync_folder, write_durably
from styx_lab.errors import CheckpointError, InputMissingError

__all__ = ["Checkpoint", "prune", "read_checkpoint", "usable_checkpoints", "write_checkpoint"]

_FORMAT: Final = 1
_MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything that is needed to go on from one place of the input.

    Attributes:
        flow: hash of the flow whose state it is.
        count: input events that are in the state.
        position: where the feed goes on.
        states: every step's state.
        counters: the ledger.
    """

    flow: str
    count: int
    position: dict[str, Any]
    states: Mapping[str, State]
    counters: dict[str, Any]


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint as a folder of its own; complete or not there.

    Raises:
        OutputError: when it cannot be written; nothing half is left under its name.
    """
    aside = folder.with_name(folder.name + PARTIAL)
    if _is_there(folder, checkpoint):
        return folder
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        files = {}
        for number, (step, state) in enumerate(checkpoint.states.items()):
            data = encode_state(state)
            name = f"{number:03d}.state"
            write_durably(aside / name, data)
            files[name] = {"step": step, "bytes": len(data), "sha256": sha256(data).hexdigest()}
        manifest = {
            "format": _FORMAT,
            "flow": checkpoint.flow,
            "count": checkpoint.count,
            "position": checkpoint.position,
            "counters": checkpoint.counters,
            "files": files,
        }
        write_durably(aside / _MANIFEST, json.dumps(manifest, indent=1, sort_keys=True).encode())
        # What is damaged, or of another place, gives way.
        shutil.rmtree(folder, ignore_errors=True)
        aside.replace(folder)
        sync_folder(folder.parent)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise cannot_write(error, folder) from error
    return folder


def _is_there(folder: Path, checkpoint: Checkpoint) -> bool:
    """Whether the same place's state is there, whole: deleting it to write it again could be the last thing done."""
    try:
        kept = read_checkpoint(folder)
    except (CheckpointError, InputMissingError):
        return False
    return (kept.flow, kept.count, kept.position) == (checkpoint.flow, checkpoint.count, checkpoint.position)


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint or savepoint, checking every file.

    Raises:
        InputMissingError: when there is none.
        CheckpointError: when a file is missing, changed, or of a newer format.
    """
    path = folder / _MANIFEST
    if not path.exists():
        raise InputMissingError("no checkpoint there", where=str(folder), hint="styx jobs names the folder of each job")
    try:
        manifest = json.loads(path.read_bytes())
        if manifest["format"] != _FORMAT:
            raise CheckpointError("a checkpoint of an unknown format", where=str(folder), got=manifest["format"])
        states = {}
        for name, entry in manifest["files"].items():
            data = (folder / name).read_bytes()
            if sha256(data).hexdigest() != entry["sha256"]:
                raise CheckpointError("a file of the checkpoint was changed or cut", where=str(folder / name))
            states[entry["step"]] = decode_state(data, where=str(folder / name))
        return Checkpoint(manifest["flow"], manifest["count"], manifest["position"], states, manifest["counters"])
    except (ValueError, KeyError, FileNotFoundError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"the checkpoint is damaged: {error}", where=str(folder)) from error


def usable_checkpoints(folder: Path, most: int | None = None) -> list[Path]:
    """Complete checkpoints, of at most `most` events where that is given, newest first."""
    complete = [one for one in folder.glob("[0-9]*") if not one.name.endswith(PARTIAL)]
    return sorted((one for one in complete if most is None or int(one.name) <= most), reverse=True)


def prune(folder: Path, *, keep: int) -> None:
    """Delete all but the newest checkpoints, and what a crash left unfinished."""
    for one in folder.glob(f"*{PARTIAL}"):
        shutil.rmtree(one, ignore_errors=True)
    for one in usable_checkpoints(folder)[keep:]:
        shutil.rmtree(one, ignore_errors=True)
