"""Jobs in a SQLite file; each function works within its caller's transaction.

Law: of a job's epochs one is the last, and only that one may speak: a process that was taken for lost and wakes up
again cannot write over its successor.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any, Final

from styx_lab.core.time import ms_iso
from styx_lab.errors import StoreError
from styx_lab.stores.jobs import FinalState, JobRecord, observed
from styx_lab.stores.references import missing
from styx_lab.stores.values import json_value

__all__ = ["all_jobs", "beat", "end", "find_job", "register"]

_ONE: Final = """
    SELECT job, bundle, host, pid, folder, epoch, state, reason, started, heartbeat, ended, counters, watermark
    FROM jobs WHERE job = ?"""
_ALL: Final = """
    SELECT job, bundle, host, pid, folder, epoch, state, reason, started, heartbeat, ended, counters, watermark
    FROM jobs ORDER BY started, job"""
_REGISTER: Final = """
    INSERT OR REPLACE INTO jobs
    (job, bundle, host, pid, folder, epoch, state, reason, started, heartbeat, ended, counters, watermark)
    VALUES (?, ?, ?, ?, ?, ?, 'running', '', ?, ?, NULL, '{}', NULL)"""


def register(
    connection: sqlite3.Connection,
    job: str,
    *,
    bundle: str,
    folder: str,
    host: str,
    pid: int,
    now: int,
    lost_after: int,
    where: str,
) -> JobRecord:
    """The job in its next epoch.

    Raises:
        StoreError: when it runs already in another process.
    """
    before = _kept(connection, job, where=where)
    # The same process id on the same host is this very process, or one that is gone (a restarted container).
    if before is not None and (before.host, before.pid) != (host, pid):
        seen = observed(before, now=now, lost_after=lost_after)
        if seen.state == "running":
            raise StoreError(
                f"job {job!r} runs already, as process {seen.pid} on {seen.host}, last heard of {seen.heartbeat}",
                where=where,
                hint=f"styx stop {job}, or give the new job another id",
            )
    epoch = 1 if before is None else before.epoch + 1
    moment = ms_iso(now)
    connection.execute(_REGISTER, (job, bundle, host, pid, folder, epoch, moment, moment))
    return find_job(connection, job, where=where)


def beat(
    connection: sqlite3.Connection,
    job: str,
    *,
    counters: str,
    watermark: int | None,
    epoch: int | None,
    moment: str,
    where: str,
) -> None:
    """Take a heartbeat; raises as `end` does."""
    _check_running(connection, job, epoch, where=where)
    connection.execute(
        "UPDATE jobs SET heartbeat = ?, counters = ?, watermark = ? WHERE job = ?", (moment, counters, watermark, job)
    )


def end(
    connection: sqlite3.Connection,
    job: str,
    *,
    state: FinalState,
    reason: str,
    epoch: int | None,
    moment: str,
    where: str,
) -> JobRecord:
    """The job, ended.

    Raises:
        NotFoundError: when it is not registered.
        StoreError: when it ended before, or a later epoch has begun.
    """
    _check_running(connection, job, epoch, where=where)
    connection.execute("UPDATE jobs SET state = ?, reason = ?, ended = ? WHERE job = ?", (state, reason, moment, job))
    return find_job(connection, job, where=where)


def find_job(connection: sqlite3.Connection, job: str, *, where: str) -> JobRecord:
    """The job as it was kept.

    Raises:
        NotFoundError: when it is not registered.
    """
    kept = _kept(connection, job, where=where)
    if kept is None:
        known = [name for (name,) in connection.execute("SELECT job FROM jobs")]
        raise missing("job", job, known, where=where)
    return kept


def all_jobs(connection: sqlite3.Connection, *, where: str) -> list[JobRecord]:
    """Every job as it was kept, the first started first."""
    rows = connection.execute(_ALL)
    return [_record(row, where) for row in rows]


def _kept(connection: sqlite3.Connection, job: str, *, where: str) -> JobRecord | None:
    row = connection.execute(_ONE, (job,)).fetchone()
    return None if row is None else _record(row, where)


def _record(row: tuple[Any, ...], where: str) -> JobRecord:
    kept = JobRecord(*row)
    return replace(kept, counters=json_value(kept.counters, where=f"{where}, job {kept.job!r}"))


def _check_running(connection: sqlite3.Connection, job: str, epoch: int | None, *, where: str) -> None:
    kept = find_job(connection, job, where=where)
    if epoch is not None and epoch != kept.epoch:
        raise StoreError(
            f"job {job!r} was started again, as process {kept.pid} on {kept.host} in epoch {kept.epoch}",
            where=where,
            got=epoch,
            hint="end this process: the other one has taken over",
        )
    if kept.state != "running":
        raise StoreError(
            f"job {job!r} has ended already ({kept.state}, {kept.ended})",
            where=where,
            hint="register_job begins its next epoch",
        )
