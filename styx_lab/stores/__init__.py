"""Where models, rules, config, bundles and jobs are kept: an embedded SQLite file, and what every store shares."""

from __future__ import annotations

from styx_lab.stores.jobs import JobRecord, JobState
from styx_lab.stores.records import AliasRecord, ConfigRecord, Kind, RulesRecord, VersionRecord
from styx_lab.stores.sqlite import SqliteStore, default_store_path

__all__ = [
    "AliasRecord",
    "ConfigRecord",
    "JobRecord",
    "JobState",
    "Kind",
    "RulesRecord",
    "SqliteStore",
    "VersionRecord",
    "default_store_path",
]
