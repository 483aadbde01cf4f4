"""Jobs: what a store knows of a running flow, and when it holds one for lost.

Law: `lost` is never kept, it is read off: a job is lost while it says `running` and its process is gone from this host,
or its heartbeat is older than the limit. A job that beats again is running again.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

from styx_lab.core.time import duration_text, iso_ms
from styx_lab.errors import StoreError

__all__ = [
    "FINAL_STATES",
    "JobRecord",
    "JobState",
    "check_final",
    "check_pid",
    "check_watermark",
    "observed",
    "this_host",
]

JobState = Literal["running", "stopped", "failed", "finished", "lost"]
FinalState = Literal["stopped", "failed", "finished"]
FINAL_STATES: Final[tuple[FinalState, ...]] = get_args(FinalState)
"""How a job can end: asked to stop, by an error, or at the end of its input."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as the store knows it. Times are ISO 8601, UTC.

    Attributes:
        job: its id.
        bundle: the bundle it runs, as `card-fraud@3`.
        host: the host it runs on.
        pid: its process there.
        folder: where its checkpoints and logs are.
        epoch: how many times it was started, from 1; a later epoch shuts out the earlier.
        state: `running`, `stopped`, `failed`, `finished`, or `lost`.
        reason: why it ended, or why it is held for lost; empty while it runs.
        started: when this epoch was registered.
        heartbeat: when it was last heard of.
        ended: when it ended; `None` before.
        counters: the counters per step of the last heartbeat; of a step that scores, under `inputs`, what is known of
            its model's inputs.
        watermark: the flow's watermark of the last heartbeat, epoch ms; `None` before the first.
    """

    job: str
    bundle: str
    host: str
    pid: int
    folder: str
    epoch: int
    state: JobState
    reason: str
    started: str
    heartbeat: str
    ended: str | None
    counters: Mapping[str, Any]
    watermark: int | None


def this_host() -> str:
    """The name of this host, as jobs carry it."""
    return socket.gethostname()


def observed(kept: JobRecord, *, now: int, lost_after: int) -> JobRecord:
    """The job as it is seen from here: as it was kept, or `lost` with the reason.

    Args:
        kept: what the store has.
        now: epoch ms.
        lost_after: ms without a heartbeat after which a job is lost.
    """
    if kept.state != "running":
        return kept
    if kept.host == this_host() and not _is_alive(kept.pid):
        return replace(kept, state="lost", reason=f"process {kept.pid} is gone")
    silence = now - iso_ms(kept.heartbeat)
    if silence > lost_after:
        return replace(kept, state="lost", reason=f"no heartbeat for {duration_text(silence)}")
    return kept


def check_final(state: str, *, where: str) -> FinalState:
    """The state itself, when a job can end in it.

    Raises:
        StoreError: when it is another.
    """
    for known in FINAL_STATES:
        if state == known:
            return known
    raise StoreError("a job does not end so", where=where, got=state, hint=f"one of {', '.join(FINAL_STATES)}")


def check_pid(pid: object, *, where: str) -> int:
    """The process id itself, when it can be one.

    Raises:
        StoreError: when it cannot.
    """
    if isinstance(pid, bool) or not isinstance(pid, int) or not 0 < pid < 2**31:
        raise StoreError("not a process id", where=where, got=pid, hint="pass os.getpid()")
    return pid


def check_watermark(watermark: object, *, where: str) -> int | None:
    """The watermark itself, when it is `None` or a whole number of 64 bits.

    Raises:
        StoreError: when it is not.
    """
    if watermark is None:
        return None
    if isinstance(watermark, bool) or not isinstance(watermark, int) or not -(2**63) <= watermark < 2**63:
        raise StoreError("a watermark is epoch ms", where=where, got=watermark, hint="pass an int, or None")
    return watermark


def _is_alive(pid: int) -> bool:
    # Where signal 0 does not mean "only ask" (Windows), the heartbeat alone decides.
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    # A killed process stays askable until its parent has fetched its end; where there is no /proc we cannot tell.
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return status.rpartition(b")")[2].split()[:1] == [b"Z"]
