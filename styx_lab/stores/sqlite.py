"""The embedded store: models, rules, config, bundles and jobs in one SQLite file.

Law: each method is one transaction, and its answer depends on the store's content and the clock alone (for a lost job,
on this host's processes too). What a name, reference, value or job may be is said in files that every store shares.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from styx_lab.core.ports import ModelRecord
from styx_lab.core.time import Duration, duration_ms, ms_iso
from styx_lab.errors import StoreError
from styx_lab.stores import sqlite_jobs, sqlite_versions
from styx_lab.stores.jobs import FinalState, JobRecord, check_final, check_pid, check_watermark, observed, this_host
from styx_lab.stores.records import AliasRecord, ConfigRecord, Kind, RulesRecord, VersionRecord
from styx_lab.stores.references import check_alias, check_name, check_version, missing
from styx_lab.stores.sqlite_file import SqliteFile
from styx_lab.stores.values import bytes_digest, json_bytes, json_text, json_value, kept_text, readable_text

__all__ = ["SqliteStore", "default_store_path"]


def default_store_path() -> Path:
    """Where the store is when nobody says otherwise: `store.db` in the folder `STYX_HOME`, else in `./.styx`."""
    home = os.environ.get("STYX_HOME") or ".styx"
    return Path(home).expanduser().absolute() / "store.db"


def _epoch_ms() -> int:
    return time.time_ns() // 1_000_000


class SqliteStore:
    """A store in one file, for one machine: `with SqliteStore("store.db") as store: ...`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, SqliteStore(f"{folder}/store.db") as store:
    ...     _ = store.put_model("fraud", b"<PMML/>", meta={"auc": 0.97})
    ...     store.set_alias("model", "fraud", "champion", 1)
    ...     store.get_model("fraud@champion").meta
    {'auc': 0.97}

    Versions are numbered from 1 and never change. Several processes and threads may use the same file. Nothing is
    written to disk, not even a folder, before the first `put_...` or `register_job`.

    Args:
        path: the file; `None` is `default_store_path()`.
        clock: gives the time, epoch ms.
        lost_after: a running job that has not been heard of for longer is lost.
        busy_timeout: how long to wait while another process writes.

    Raises:
        StoreError: when the file is no Styx store, is damaged, or was written by a newer Styx.
        FlowError: when a duration is none.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        clock: Callable[[], int] = _epoch_ms,
        lost_after: Duration = "30s",
        busy_timeout: Duration = "10s",
    ) -> None:
        self.path = default_store_path() if path is None else Path(path).absolute()
        self._clock = clock
        self._lost_after = duration_ms(lost_after, where="lost_after")
        self._file = SqliteFile(self.path, busy_ms=duration_ms(busy_timeout, where="busy_timeout"))
        self._where = self._file.where

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"SqliteStore({str(self.path)!r})"

    def close(self) -> None:
        """Let go of the file; may be called twice. Every other method then raises StoreError."""
        self._file.close()

    def put_model(self, name: str, pmml: bytes, *, meta: Mapping[str, Any] | None = None) -> ModelRecord:
        """Keep a new version; the same bytes as the newest give that one back, with the meta it was first kept with.

        Raises:
            StoreError: on a name, content or meta that cannot be kept.
            OutputError: when the disk is full or the file cannot be written.
        """
        kept = self._put("model", name, pmml, meta)
        return ModelRecord(kept.name, kept.version, kept.data, kept.sha256, kept.created, kept.meta)

    def get_model(self, reference: str) -> ModelRecord:
        """A model by `name` (the newest), `name@3` or `name@champion`.

        Raises:
            NotFoundError: when there is none; it lists what there is.
            StoreError: when the content is damaged.
        """
        kept = self._get("model", reference)
        return ModelRecord(kept.name, kept.version, kept.data, kept.sha256, kept.created, kept.meta)

    def list_models(self) -> list[VersionRecord]:
        """Every version of every model, by name and version, without the PMML."""
        return self._list("model")

    def put_rules(
        self, name: str, rules: Sequence[str | Mapping[str, Any]], *, meta: Mapping[str, Any] | None = None
    ) -> RulesRecord:
        """Keep a list of rules as a new version; the same list as the newest gives that one back.

        Args:
            name: the name a flow says in `.rules(name)`.
            rules: each a predicate as SQL text, or a JSON object; an empty list turns all rules off.
            meta: kept with them.

        Raises:
            StoreError: on a name, rule or meta that cannot be kept.
            OutputError: when the disk is full or the file cannot be written.
        """
        where = f"rules {name!r}"
        if not isinstance(rules, list | tuple):
            raise StoreError("rules are a list", where=where, got=rules, hint="put_rules('fraud', ['amount > 500'])")
        for place, rule in enumerate(rules):
            if not (isinstance(rule, Mapping) or (isinstance(rule, str) and rule.strip())):
                hint = "write each rule as SQL text, such as 'amount > 500', or as a JSON object"
                raise StoreError("not a rule", where=f"{where}, place {place}", got=rule, hint=hint)
        return self._rules(self._put("rules", name, json_bytes(list(rules), where=where), meta))

    def get_rules(self, reference: str) -> RulesRecord:
        """A list of rules by `name` (the newest), `name@3` or `name@alias`.

        Raises:
            NotFoundError: when there is none; it lists what there is.
            StoreError: when the content is damaged.
        """
        return self._rules(self._get("rules", reference))

    def list_rules(self) -> list[VersionRecord]:
        """Every version of every list of rules, by name and version, without the rules."""
        return self._list("rules")

    def put_config(self, key: str, value: Any) -> None:
        """Keep a JSON value under a key, in place of what was there.

        Raises:
            StoreError: on a key that is no name, or a value that JSON cannot give back.
            OutputError: when the disk is full or the file cannot be written.
        """
        check_name(key, what="config value", where=self._where)
        text = json_text(value, where=f"config {key!r}")
        with self._file.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO config (key, value, changed) VALUES (?, ?, ?)", (key, text, self._now())
            )

    def get_config(self, key: str) -> Any:
        """The value under a key.

        Raises:
            NotFoundError: when there is none; it lists the keys there are.
        """
        with self._file.read() as connection:
            texts = dict(connection.execute("SELECT key, value FROM config").fetchall())
        if key not in texts:
            raise missing("config key", key, texts, where=self._where)
        return json_value(texts[key], where=f"{self._where}, config {key!r}")

    def list_config(self) -> list[ConfigRecord]:
        """Every key with its value, by key."""
        with self._file.read() as connection:
            rows = connection.execute("SELECT key, value, changed FROM config ORDER BY key").fetchall()
        return [
            ConfigRecord(key, json_value(text, where=f"{self._where}, config {key!r}"), changed)
            for key, text, changed in rows
        ]

    def put_bundle(self, name: str, data: bytes, *, meta: Mapping[str, Any] | None = None) -> int:
        """Keep a packed bundle and give its version; the same bytes as the newest give that version.

        Raises:
            StoreError: on a name, content or meta that cannot be kept.
            OutputError: when the disk is full or the file cannot be written.
        """
        return self._put("bundle", name, data, meta).version

    def get_bundle(self, reference: str) -> tuple[int, bytes]:
        """A packed bundle and its version, by `name` (the newest), `name@3` or `name@alias`.

        Raises:
            NotFoundError: when there is none; it lists what there is.
            StoreError: when the content is damaged.
        """
        kept = self._get("bundle", reference)
        return kept.version, kept.data

    def list_bundles(self) -> list[VersionRecord]:
        """Every version of every bundle, by name and version, without the content."""
        return self._list("bundle")

    def set_alias(self, kind: Kind, name: str, alias: str, version: int) -> None:
        """Let an alias point at a version, whether it pointed elsewhere before or nowhere.

        Raises:
            NotFoundError: when there is no such version; it lists what there is.
            StoreError: on an alias that is no name, or is a number.
        """
        sqlite_versions.check_kind(kind, where=self._where)
        check_alias(alias, where=f"{kind} {name!r}")
        check_version(version, where=f"{kind} {name!r}")
        with self._file.write(make=False) as connection:
            sqlite_versions.set_alias(connection, kind, name, alias, version, changed=self._now(), where=self._where)

    def delete_alias(self, kind: Kind, name: str, alias: str) -> None:
        """Forget an alias; the version it pointed at stays.

        Raises:
            NotFoundError: when there is no such alias; it lists what there is.
        """
        sqlite_versions.check_kind(kind, where=self._where)
        with self._file.write(make=False) as connection:
            sqlite_versions.delete_alias(connection, kind, name, alias, where=self._where)

    def list_aliases(self, kind: Kind | None = None, name: str | None = None) -> list[AliasRecord]:
        """The aliases, of one kind or one name when these are given, by kind, name and alias."""
        if kind is not None:
            sqlite_versions.check_kind(kind, where=self._where)
        with self._file.read() as connection:
            return sqlite_versions.list_aliases(connection, kind, name)

    def register_job(
        self, job: str, *, bundle: str, folder: str | Path, host: str | None = None, pid: int | None = None
    ) -> JobRecord:
        """Say that a job begins, or begins again in its next epoch.

        Args:
            job: its id.
            bundle: what it runs, as `card-fraud@3`.
            folder: where its checkpoints and logs are.
            host: the host; this one when it is not given.
            pid: the process; this one when it is not given.

        Raises:
            StoreError: when the job runs already, in another process that is not lost.
            OutputError: when the disk is full or the file cannot be written.
        """
        where = f"job {job!r}"
        check_name(job, what="job", where=self._where)
        bundle, folder = kept_text(bundle, where=where), kept_text(str(folder), where=where)
        host = this_host() if host is None else kept_text(host, where=where)
        pid = check_pid(os.getpid() if pid is None else pid, where=where)
        with self._file.write() as connection:
            return sqlite_jobs.register(
                connection,
                job,
                bundle=bundle,
                folder=folder,
                host=host,
                pid=pid,
                now=self._clock(),
                lost_after=self._lost_after,
                where=self._where,
            )

    def heartbeat(
        self, job: str, counters: Mapping[str, Any], watermark: int | None, *, epoch: int | None = None
    ) -> None:
        """Say that a job is alive, and how far it is.

        Args:
            job: its id.
            counters: the counters per step.
            watermark: the flow's watermark, epoch ms; `None` while there is none.
            epoch: the epoch that `register_job` gave; a job that was started again elsewhere is then told so.

        Raises:
            NotFoundError: when the job is not registered.
            StoreError: when the job has ended, or a later epoch of it has begun.
            OutputError: when the disk is full or the file cannot be written.
        """
        text = json_text(counters, where=f"job {job!r}, counters")
        watermark = check_watermark(watermark, where=f"job {job!r}")
        with self._file.write(make=False) as connection:
            sqlite_jobs.beat(
                connection,
                job,
                counters=text,
                watermark=watermark,
                epoch=epoch,
                moment=self._now(),
                where=self._where,
            )

    def finish_job(self, job: str, state: FinalState, reason: str, *, epoch: int | None = None) -> JobRecord:
        """Say that a job ended: `stopped`, `failed` or `finished`, with the reason.

        Raises:
            NotFoundError: when the job is not registered.
            StoreError: when the job ended before, a later epoch of it has begun, or a job cannot end so.
            OutputError: when the disk is full or the file cannot be written.
        """
        state = check_final(state, where=f"job {job!r}")
        with self._file.write(make=False) as connection:
            return sqlite_jobs.end(
                connection,
                job,
                state=state,
                reason=readable_text(reason),
                epoch=epoch,
                moment=self._now(),
                where=self._where,
            )

    def get_job(self, job: str, *, now: int | None = None) -> JobRecord:
        """A job as it is seen at `now` (epoch ms; the store's clock when it is not given).

        Raises:
            NotFoundError: when there is none; it lists what there is.
        """
        with self._file.read() as connection:
            kept = sqlite_jobs.find_job(connection, job, where=self._where)
        return observed(kept, now=self._clock() if now is None else now, lost_after=self._lost_after)

    def list_jobs(self, *, now: int | None = None) -> list[JobRecord]:
        """Every job as it is seen at `now` (epoch ms; the store's clock when not given), the first started first."""
        with self._file.read() as connection:
            kept = sqlite_jobs.all_jobs(connection, where=self._where)
        moment = self._clock() if now is None else now
        return [observed(job, now=moment, lost_after=self._lost_after) for job in kept]

    def _now(self) -> str:
        return ms_iso(self._clock())

    def _put(self, kind: Kind, name: str, data: bytes, meta: Mapping[str, Any] | None) -> sqlite_versions.KeptVersion:
        check_name(name, what=kind, where=self._where)
        where = f"{kind} {name!r}"
        digest = bytes_digest(data, where=where)
        text = json_text({} if meta is None else meta, where=f"{where}, meta")
        with self._file.write() as connection:
            return sqlite_versions.keep(
                connection, kind, name, data, sha256=digest, meta=text, created=self._now(), where=self._where
            )

    def _get(self, kind: Kind, reference: str) -> sqlite_versions.KeptVersion:
        with self._file.read() as connection:
            return sqlite_versions.find(connection, kind, reference, where=self._where)

    def _list(self, kind: Kind) -> list[VersionRecord]:
        with self._file.read() as connection:
            return sqlite_versions.all_versions(connection, kind, where=self._where)

    def _rules(self, kept: sqlite_versions.KeptVersion) -> RulesRecord:
        rules = json_value(kept.data, where=f"{self._where}, rules '{kept.name}@{kept.version}'")
        return RulesRecord(kept.name, kept.version, tuple(rules), kept.sha256, kept.created, kept.meta)
