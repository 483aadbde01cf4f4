"""Where events come from: memory, files, recordings. Each source is read from a position on, and replays the same.

Law: a source hands out every event once, in arrival order, with the place it stood at; what cannot be read is handed
out too, for the dead letters.
"""

from __future__ import annotations

from styx_lab.connectors.csv_file import CsvSource
from styx_lab.connectors.files import open_source
from styx_lab.connectors.json_lines import JsonLinesSource
from styx_lab.connectors.memory import MemorySource
from styx_lab.connectors.memory_lookup import MemoryLookup
from styx_lab.connectors.parquet import ParquetSource
from styx_lab.connectors.recording import Recording, RecordingSource
from styx_lab.connectors.recording_writer import RecordingWriter
from styx_lab.connectors.sqlite_lookup import SqliteLookup

__all__ = [
    "CsvSource",
    "JsonLinesSource",
    "MemoryLookup",
    "MemorySource",
    "ParquetSource",
    "Recording",
    "RecordingSource",
    "RecordingWriter",
    "SqliteLookup",
    "open_source",
]
